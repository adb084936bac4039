"""What people see of locks."""
