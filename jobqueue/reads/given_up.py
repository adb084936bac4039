"""Given-up jobs of a namespace, by filters."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from jobqueue.models import GivenUp, Namespace
from jobqueue.sql import LABEL

MOST = 1_000


def matching(namespace: Namespace, words: Mapping[str, Any], *, upto: int | None = None) -> QuerySet[GivenUp]:
    """Given-up jobs that fit every filter that is not empty, newest first.

    words: user (whole id), script (whole script id), status (code), since and until (aware datetimes), replayed (True: those
    that were replayed too). upto: the largest id. Times are turned into ids first, which rise with time: one index serves all.
    """
    rows = GivenUp.objects.filter(namespace=namespace)
    if words.get("since"):
        first = rows.filter(at__gte=words["since"]).order_by("at", "pk").values_list("pk", flat=True).first()
        if first is None:
            return rows.none()
        rows = rows.filter(pk__gte=first, at__gte=words["since"])
    if words.get("until"):
        last = GivenUp.objects.filter(namespace=namespace, at__lte=words["until"])
        newest = last.order_by("-at", "-pk").values_list("pk", flat=True).first()
        if newest is None:
            return rows.none()
        upto = min(newest, upto) if upto is not None else newest
        rows = rows.filter(at__lte=words["until"])
    if upto is not None:
        rows = rows.filter(pk__lte=upto)
    if words.get("user"):
        rows = rows.filter(user_id=words["user"])
    if words.get("script"):
        rows = rows.filter(script=words["script"][:LABEL])  # all that a line has of a script id
    if words.get("status"):
        rows = rows.filter(status_code=words["status"])
    if not words.get("replayed"):
        rows = rows.filter(replayed_at=None)
    return rows.order_by("-pk")
