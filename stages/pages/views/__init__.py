"""Pages of stages and rollouts, one file per noun. A view reads and calls services; the services check rights and rules."""
