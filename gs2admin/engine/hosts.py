"""Wake-ups between hosts, by PostgreSQL's LISTEN and NOTIFY. (SQLite has one host, and through a pooler no session lasts.)

A NOTIFY makes commits wait for each other, to the end of their fsync. So it is a statement of its own after the commit, and sent
only where nobody on this machine takes the wake-up.
"""
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from gs2admin.db import fences
from gs2admin.db.raw import raw_cursor

if TYPE_CHECKING:
    import psycopg


@cache
def possible() -> bool:
    """Whether sessions last, so that LISTEN does."""
    return settings.ON_POSTGRES and settings.DATABASES[DEFAULT_DB_ALIAS]["OPTIONS"]["prepare_threshold"] is not None


def tell_hosts(topic: str) -> None:
    """Wake who waits for the topic, on every host but where this connection is. Raises a database error."""
    if possible():
        with fences.apart(), raw_cursor() as cursor:
            cursor.execute("SELECT pg_notify(%s, '')", (_channel(topic),))


def _channel(topic: str) -> str:
    return f"gs2admin_{topic}"


class Channel:
    """The wake-ups of a topic that come over this thread's connection to the server, between its other statements."""

    def __init__(self, topic: str) -> None:
        self._channel = _channel(topic)
        self._link: psycopg.Connection | None = None
        self._told = False

    def attend(self) -> None:
        """Listen on the connection that is used now. Raises a database error."""
        link = connections[DEFAULT_DB_ALIAS]
        if not possible() or (self._link is not None and link.connection is self._link):
            return
        with raw_cursor() as cursor:
            cursor.execute(f"LISTEN {self._channel}")
            ours: Any = link.connection
            ours.add_notify_handler(self._note)
            self._link = ours

    def fileno(self) -> int | None:
        """To wait for."""
        return self._link.fileno() if self._usable() else None

    def read(self) -> bool:
        """Whether there was a wake-up since the last call. Nobody else may use the connection meanwhile."""
        if self._usable():
            import psycopg

            try:
                self._link.pgconn.consume_input()
                while found := self._link.pgconn.notifies():
                    self._told |= found.be_pid != self._link.info.backend_pid
            except psycopg.Error:
                self._told = True  # the server is gone: look, which says so
                connections[DEFAULT_DB_ALIAS].close()
        told, self._told = self._told, False
        return told

    def _usable(self) -> bool:
        if self._link is not None and (self._link.closed or self._link is not connections[DEFAULT_DB_ALIAS].connection):
            self._link = None
        return self._link is not None

    def _note(self, found: psycopg.Notify) -> None:
        self._told |= self._link is not None and found.pid != self._link.info.backend_pid
