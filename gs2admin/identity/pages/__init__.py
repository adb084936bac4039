"""Pages of projects, members, credentials and one's own account. They read, ask for rights, and call services."""
