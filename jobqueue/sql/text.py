"""Statements written once for both databases: what differs is a word in braces. Everything from outside is a parameter."""
from __future__ import annotations

from functools import cache

from gs2admin.db.raw import vendor

_NOW = {"sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW')", "postgresql": "STATEMENT_TIMESTAMP()"}
_LATER = {
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'NOW', %s || ' seconds')",
    "postgresql": "STATEMENT_TIMESTAMP() + %s * INTERVAL '1 second'",
}
# SQLite, which keeps no statistics here, takes the index of what waits for its next try for this one.
_READY = {"sqlite": "INDEXED BY queue_ready", "postgresql": ""}
_MINUTE = {"sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:00', 'NOW')", "postgresql": "DATE_TRUNC('minute', STATEMENT_TIMESTAMP())"}


@cache
def text(statement: str) -> str:
    """The statement for Django's cursor on this process's database."""
    for word, of_vendor in (("{now}", _NOW), ("{later}", _LATER), ("{minute}", _MINUTE), ("{by_ready}", _READY)):
        statement = statement.replace(word, of_vendor[vendor()])
    return statement


@cache
def raw_text(statement: str) -> str:
    """The statement for the driver's own cursor, which on SQLite has ? for %s and % for %%."""
    found = text(statement)
    return found.replace("%s", "?").replace("%%", "%") if vendor() == "sqlite" else found


def repeated(row: str, count: int) -> str:
    """A row of placeholders, `count` times, for VALUES."""
    return ", ".join([row] * count)
