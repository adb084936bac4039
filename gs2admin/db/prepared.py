"""Reads whose SQL is made once in a process: a queryset with places where each call gives its values.

Django puts a queryset into SQL anew at every call and makes an object of every row; of a call that reads one row that is nine
tenths of the processor time. Here the queryset says once what is read, and a call runs the statement by the driver's own cursor,
which PostgreSQL keeps prepared, and gets named tuples. What the queryset itself says stands in the SQL as it is written (so that
indexes with a condition are found); what a call gives is always a parameter.
"""
from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Field, Model, QuerySet, Value

from gs2admin.db.raw import fetch, vendor

R = TypeVar("R", bound=NamedTuple)
M = TypeVar("M", bound=Model)
# queryset[:MOST] takes as many rows as the call's value `most` says.
MOST = 1_999_999_973
_PART = re.compile(rf"%%|%s|LIMIT {MOST}")


class _Place(Value):
    """Stands in a queryset for a value that each call gives."""

    def __init__(self, name: str) -> None:
        super().__init__(None)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]


class Places:
    """`at.user_id` is the place of the call's value user_id. "after" in at: whether this call gives one."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._names:
            raise AttributeError(f"this call gives no value for {name}")
        return _Place(name)

    def __contains__(self, name: str) -> bool:
        return name in self._names


class _Made(NamedTuple):
    """sql: for the driver. names: of the values, in the order of its parameters; a fixed one is in a list of its own.

    converts: (column, function) where the database gives something else than a model would.
    """

    sql: str
    names: tuple[str | list[Any], ...]
    converts: tuple[tuple[int, Callable[[Any], Any]], ...]


class Prepared(Generic[R]):
    """A read that returns named tuples.

    row: a NamedTuple whose members are columns or annotations of the queryset.
    made: gets Places, returns a queryset, or a list of sliced ones whose rows come one list after the other. It is called once
    for each set of names that calls give values for, so it must not look at anything that may change.
    """

    def __init__(self, row: type[R], made: Callable[[Places], QuerySet | list[QuerySet]]) -> None:
        self._row, self._from, self._columns = row, made, row._fields
        self._made: dict[tuple[str, ...], _Made] = {}

    def rows(self, **values: Any) -> list[R]:
        """All rows. values: numbers, texts, UUIDs; lists have no place."""
        made = self._made.get(tuple(values)) or self._make(tuple(values))
        given = [values[name] if name.__class__ is str else name[0] for name in made.names]
        if vendor() == "sqlite":
            given = [value.hex if value.__class__ is UUID else value for value in given]
        found = fetch(made.sql, given)
        if made.converts:
            found = _converted(found, made.converts)
        return list(map(self._row._make, found))

    def first(self, **values: Any) -> R | None:
        """The first row of a queryset that is sliced to one, None when there is none."""
        return next(iter(self.rows(**values)), None)

    def of(self, queryset: QuerySet) -> list[R]:
        """The same rows of a queryset that is made for one call."""
        return list(map(self._row._make, queryset.values_list(*self._columns)))

    def statement(self, *names: str) -> tuple[str, tuple[str | list[Any], ...]]:
        """The SQL when a call gives values for these names, and the names in the order of the parameters (for tests of plans)."""
        made = self._made.get(names) or self._make(names)
        return made.sql, made.names

    def _make(self, names: tuple[str, ...]) -> _Made:
        made = _made(self._from(Places(names)), self._columns)
        unused = set(names) - {name for name in made.names if isinstance(name, str)}
        if unused:
            raise TypeError(f"the queryset has no place for {', '.join(sorted(unused))}")
        self._made[names] = made
        return made


class PreparedRow(Generic[M]):
    """A read of one row as an instance of its model, with all its columns, for services that take one."""

    def __init__(self, model: type[M], made: Callable[[Places], QuerySet[M]]) -> None:
        self._model = model
        self._columns = [field.attname for field in model._meta.concrete_fields]
        row = NamedTuple(f"{model.__name__}Row", [(name, Any) for name in self._columns])
        self._read = Prepared(row, made)

    def first(self, **values: Any) -> M | None:
        """The first row, None when there is none."""
        found = self._read.first(**values)
        return None if found is None else self._model.from_db(DEFAULT_DB_ALIAS, self._columns, found)


def _made(found: QuerySet | list[QuerySet], columns: Sequence[str]) -> _Made:
    lists = found if isinstance(found, list) else [found]
    connection = connections[DEFAULT_DB_ALIAS]
    texts: list[str] = []
    names: list[str | list[Any]] = []
    for queryset in lists:
        compiler = queryset.values_list(*columns).query.get_compiler(connection=connection)
        sql, params = compiler.as_sql()
        texts.append("".join(_parts(sql, params, names)))
        outputs = [expression for expression, _, _ in compiler.select[: len(columns)]]
    text = texts[0] if len(texts) == 1 else " UNION ALL ".join(
        f"SELECT * FROM ({sql}) AS part_{place}" for place, sql in enumerate(texts)
    )
    converts = ((place, _convert(expression)) for place, expression in enumerate(outputs))
    return _Made(text, tuple(names), tuple((place, convert) for place, convert in converts if convert))


def _parts(sql: str, params: Sequence[Any], names: list[str | list[Any]]) -> Iterator[str]:
    """The statement as the driver takes it, with constants written out; appends the names of the values that calls give."""
    place, percent = ("?", "%") if vendor() == "sqlite" else ("%s", "%%")
    left, at = iter(params), 0
    for part in _PART.finditer(sql):
        yield sql[at : part.start()]
        at = part.end()
        if part[0] == "%s":
            value = next(left)
            literal = _literal(value)
            if literal is None:
                names.append(value.name if isinstance(value, _Place) else [value])
            yield literal.replace("%", percent) if literal else place
        elif part[0] == "%%":
            yield percent
        else:
            names.append("most")
            yield f"LIMIT {place}"
    yield sql[at:]


def _literal(value: Any) -> str | None:
    """A constant of the queryset as SQL; None for what is better handed over."""
    if isinstance(value, bool):
        return str(int(value)) if vendor() == "sqlite" else str(value).upper()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str) and "\0" not in value and "\\" not in value:
        quoted = value.replace("'", "''")
        return f"'{quoted}'"
    return None


def _converted(rows: list[tuple], converts: Sequence[tuple[int, Callable[[Any], Any]]]) -> Iterator[list[Any]]:
    for row in rows:
        values = list(row)
        for place, convert in converts:
            if values[place] is not None:
                values[place] = convert(values[place])
        yield values


# ── What the databases give, as models have it ────────────────────────────────────────────────────────────────────────────

_PLAIN = frozenset({
    "AutoField", "BigAutoField", "BigIntegerField", "CharField", "IntegerField", "PositiveBigIntegerField",
    "PositiveIntegerField", "PositiveSmallIntegerField", "SmallIntegerField", "TextField",
})  # fmt: skip


def _aware(value: datetime | str) -> datetime:
    found = datetime.fromisoformat(value) if isinstance(value, str) else value
    return found.replace(tzinfo=UTC)


_CONVERTS: dict[str, dict[str, Callable[[Any], Any] | None]] = {
    "sqlite": {"BooleanField": bool, "DateTimeField": _aware, "JSONField": json.loads, "UUIDField": UUID},
    "postgresql": {"BooleanField": None, "DateTimeField": None, "JSONField": json.loads, "UUIDField": None},
}


def _convert(expression: Any) -> Callable[[Any], Any] | None:
    """What makes a column's value what a model would have. Raises TypeError for a kind of column that is not known here."""
    if hasattr(expression, "converts"):
        return expression.converts.get(vendor())
    field: Field = expression.output_field
    while field.remote_field:
        field = field.target_field
    kind = field.get_internal_type()
    if kind in _PLAIN:
        return None
    if kind not in _CONVERTS[vendor()]:
        raise TypeError(f"columns of {kind} are not known here")
    return _CONVERTS[vendor()][kind]
