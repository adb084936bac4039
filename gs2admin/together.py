"""Several small reads as one statement: the first rows of each of many lists, every one from the head of an index.

Django's own union refuses slices on SQLite, and one query over all lists at once would read and sort them whole.
"""
from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import QuerySet

# SQLite takes 500 parts in one statement.
PARTS = 200


def rows_of_each(lists: Iterable[QuerySet]) -> list[tuple[Any, ...]]:
    """The rows of sliced `values_list` querysets with the same columns, list after list.

    Columns come as the database gives them: choose integers and texts.
    """
    found: list[tuple[Any, ...]] = []
    waiting = iter(lists)
    while part := list(islice(waiting, PARTS)):
        texts, params = [], []
        for queryset in part:
            try:
                sql, more = queryset.query.get_compiler(connection=connection).as_sql()
            except EmptyResultSet:
                continue
            texts.append(f"SELECT * FROM ({sql}) AS part_{len(texts)}")
            params += more
        if texts:
            with connection.cursor() as cursor:
                cursor.execute(" UNION ALL ".join(texts), params)
                found += cursor.fetchall()
    return found
