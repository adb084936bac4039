"""Columns as they are on the wire, made by the database where that costs less: for prepared reads (prepared.py)."""
from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from django.db.models import BigIntegerField, Func, TextField

_EPOCH, _NAIVE = datetime(1970, 1, 1, tzinfo=UTC), datetime(1970, 1, 1)
_MS = timedelta(milliseconds=1)


def milliseconds(at: datetime) -> int:
    """Unix milliseconds, as all times are on the wire; what is less than one is cut off."""
    return (at - _EPOCH) // _MS


def moment(at_ms: int) -> datetime:
    """The time of Unix milliseconds, with zone UTC."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def _milliseconds_of_text(at: str) -> int:
    return (datetime.fromisoformat(at) - _NAIVE) // _MS


def _uuid_of_hex(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class _Column(Func):
    """converts: what is left to do with the database's value, by vendor."""

    converts: ClassVar[dict[str, Callable[[Any], Any]]]
    arity = 1

    def get_db_converters(self, connection: Any) -> list[Callable[[Any, Any, Any], Any]]:
        convert = self.converts.get(connection.vendor)
        return [] if convert is None else [lambda value, expression, connection: None if value is None else convert(value)]


class Milliseconds(_Column):
    """A time as `milliseconds` gives it. SQLite's text is read here: that is quicker, and exact."""

    output_field = BigIntegerField()
    converts: ClassVar = {"sqlite": _milliseconds_of_text}

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> tuple[str, list[Any]]:
        # The sign keeps the driver from making a datetime of it.
        return self.as_sql(compiler, connection, template="+%(expressions)s", **more)

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> tuple[str, list[Any]]:
        return self.as_sql(compiler, connection, template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s) * 1000)::bigint", **more)


class UuidText(_Column):
    """A UUID as text with hyphens."""

    output_field = TextField()
    converts: ClassVar = {"sqlite": _uuid_of_hex}

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> tuple[str, list[Any]]:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **more)

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> tuple[str, list[Any]]:
        return self.as_sql(compiler, connection, template="%(expressions)s::text", **more)
