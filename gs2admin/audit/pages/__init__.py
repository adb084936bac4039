"""The activity log as people see it: page, export, the lines of a player."""
