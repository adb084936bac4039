"""Pages of projects, members, credentials and one's own account. They read, show what the reader may do, and call services."""
