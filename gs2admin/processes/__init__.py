"""Starting, watching and ending processes. Nothing here knows Django's models."""
