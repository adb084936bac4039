"""Whether anything was written since the last question, where the database tells that for nothing."""
from __future__ import annotations

from gs2admin.db.raw import raw_cursor, vendor


class Changes:
    """For one thread: SQLite counts the commits of all connections but the one that asks. PostgreSQL has to be asked itself."""

    def __init__(self) -> None:
        self._seen = -1

    def may_be(self) -> bool:
        """False: certainly nothing. Of other connections' commits; what this thread writes is not noticed."""
        if vendor() != "sqlite":
            return True
        with raw_cursor() as cursor:
            now = cursor.execute("PRAGMA data_version").fetchone()[0]
        before, self._seen = self._seen, now
        return now != before
