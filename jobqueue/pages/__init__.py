"""What people see of job queues and scripts."""
