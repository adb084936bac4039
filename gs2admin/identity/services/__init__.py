"""Writes of projects, members, credentials and stamp keys. People are made in the admin pages."""
