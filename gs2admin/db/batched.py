"""Several small reads as one statement: the first rows of each of many lists, every one from the head of an index.

Django's own union refuses slices on SQLite, and one query over all lists at once would read and sort them whole.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

# SQLite takes 500 parts in one statement.
PARTS = 200
# Stands for the key while a list's statement is made; no row has it.
_KEY = -(2**53) + 1
Statement = tuple[str, Sequence[Any]]


def rows_of_each(lists: Iterable[QuerySet]) -> list[tuple[Any, ...]]:
    """The rows of sliced `values_list` querysets with the same columns, list after list.

    Columns come as the database gives them: choose integers and texts.
    """
    return _rows([statement for queryset in lists if (statement := _statement(queryset))])


def rows_per(keys: Iterable[int], list_of: Callable[[int], QuerySet]) -> list[tuple[Any, ...]]:
    """The same for lists that differ by one number alone, such as their namespace: made once, however many there are."""
    made = _statement(list_of(_KEY))
    if made is None:
        return []
    sql, params = made
    return _rows([(sql, [key if value == _KEY else value for value in params]) for key in keys])


def _statement(queryset: QuerySet) -> Statement | None:
    try:
        return queryset.query.get_compiler(connection=connection).as_sql()
    except EmptyResultSet:
        return None


def _rows(statements: Sequence[Statement]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for first in range(0, len(statements), PARTS):
        part = statements[first : first + PARTS]
        text = " UNION ALL ".join(f"SELECT * FROM ({sql}) AS part_{place}" for place, (sql, _) in enumerate(part))
        with connection.cursor() as cursor:
            cursor.execute(text, [value for _, params in part for value in params])
            found += cursor.fetchall()
    return found
