"""Every write of people, projects, members and credentials."""
