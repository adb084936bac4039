"""Database connections of processes that run for weeks."""
from django.db import connections


def refresh() -> None:
    """Drop connections that no longer work or are too old. Django does so between requests; here nobody else does.

    Not in a transaction: Django's own close_old_connections would end it in the middle.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
