"""Django's PostgreSQL, whose commits ask for the leases on whose behalf something is written (fences.py)."""
from __future__ import annotations

from django.db.backends.postgresql import base

from gs2admin.db.fences import FencedCommits


class DatabaseWrapper(FencedCommits, base.DatabaseWrapper):
    """The connection; its name for Django stays postgresql."""
