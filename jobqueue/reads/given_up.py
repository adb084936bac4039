"""Given-up jobs of a namespace, by filters."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet

from gs2admin.db.portions import Portion, fitting
from jobqueue.models import GivenUp, Namespace
from jobqueue.sql import LABEL

MOST = 1_000


def first_matching(namespace: Namespace, words: Mapping[str, Any], *, before: int | None = None, limit: int) -> Portion:
    """The newest of the `matching` ones, before that id, with their jobs but not their arguments; reads for a bounded time."""
    rows, fits, last = _listed(namespace, words)
    place, lines = None if before is None else (before,), GivenUp.objects.select_related("job").defer("job__args")
    listed = rows.select_related("job").defer("job__args")
    return fitting(listed, fits, key=("pk",), down=True, start=last, after=place, rows=lines, limit=limit)


def matching(namespace: Namespace, words: Mapping[str, Any], *, upto: int | None = None) -> QuerySet[GivenUp]:
    """Given-up jobs that fit every filter that is not empty, newest first.

    words: user (whole id), script (whole script id), status (code), since and until (aware datetimes), replayed (True: those
    that were replayed too). upto: the largest id. Times are turned into ids first, which rise with time: one index serves all.
    """
    rows, fits, last = _listed(namespace, words)
    for most in (last, upto):
        rows = rows if most is None else rows.filter(pk__lte=most)
    return rows.filter(fits).order_by("-pk")


def _listed(namespace: Namespace, words: Mapping[str, Any]) -> tuple[QuerySet[GivenUp], Q, int | None]:
    """The lines that one index lists, newest first; what else they have to fit; the id of the newest that may."""
    last = None
    rows, fits = GivenUp.objects.filter(namespace=namespace), Q()
    if words.get("since"):
        first = rows.filter(at__gte=words["since"]).order_by("at", "pk").values_list("pk", flat=True).first()
        if first is None:
            return rows.none(), fits, last
        rows, fits = rows.filter(pk__gte=first), fits & Q(at__gte=words["since"])
    if words.get("until"):
        before = GivenUp.objects.filter(namespace=namespace, at__lte=words["until"])
        last = before.order_by("-at", "-pk").values_list("pk", flat=True).first()
        if last is None:
            return rows.none(), fits, last
        fits &= Q(at__lte=words["until"])
    # All that a line has of a script id is its beginning.
    given = {"user_id": words.get("user"), "script": (words.get("script") or "")[:LABEL], "status_code": words.get("status")}
    narrowing = [Q(**{column: word}) for column, word in given.items() if word]
    if narrowing:
        rows = rows.filter(narrowing[0])
    for other in narrowing[1:]:
        fits &= other
    return rows, fits if words.get("replayed") else fits & Q(replayed_at=None), last
