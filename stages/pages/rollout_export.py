"""Rollouts as CSV or JSON: streamed in pieces, and at most MOST, so that an export needs little memory.

state is the stored value; state_label is the word that the pages show.
"""
from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from gs2admin.audit.pages.export import cell
from stages.core.words import label_of
from stages.models import Rollout

MOST = 50_000
PIECE = 500
COLUMNS = (
    "number", "stage", "kind", "strategy", "state", "state_label", "requested_by", "reason", "source", "created_at",
    "started_at", "ended_at", "seconds", "steps_done", "steps_total", "changes", "error", "retry_of", "undoes", "set", "versions",
)


class _Echo:
    @staticmethod
    def write(text: str) -> str:
        return text


def rows_of(rows: QuerySet[Rollout]) -> Iterator[dict[str, Any]]:
    """At most MOST rollouts as plain values, newest first. No cursor of the database stays open between two pieces."""
    rows = rows.select_related("stage", "to_set", "retry_of", "undoes").order_by("-id")
    last, left = None, MOST
    while left > 0:
        piece = list((rows if last is None else rows.filter(id__lt=last))[: min(PIECE, left)])
        for row in piece:
            yield _values(row)
        if len(piece) < PIECE:
            return
        last, left = piece[-1].pk, left - len(piece)


def _values(row: Rollout) -> dict[str, Any]:
    took = (row.ended_at - row.started_at).total_seconds() if row.started_at and row.ended_at else None
    return {
        "number": row.number, "stage": row.stage.name, "kind": row.kind, "strategy": row.strategy, "state": str(row.state),
        "state_label": label_of(row.state),
        "requested_by": row.requested_by, "reason": row.reason, "source": row.source_name or None,
        "created_at": _iso(row.created_at), "started_at": _iso(row.started_at), "ended_at": _iso(row.ended_at),
        "seconds": took, "steps_done": row.steps_done, "steps_total": row.steps_total, "changes": row.changes_count,
        "error": row.error, "retry_of": row.retry_of.number if row.retry_of else None,
        "undoes": row.undoes.number if row.undoes else None, "set": row.to_set.number, "versions": row.to_set.versions,
    }


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def as_csv(values: Iterable[dict[str, Any]]) -> Iterator[str]:
    """The header, then one line per rollout. A text that a spreadsheet could take for a formula gets an apostrophe in front."""
    writer = csv.writer(_Echo(), quoting=csv.QUOTE_ALL)
    yield "\ufeff" + writer.writerow(COLUMNS)
    for one in values:
        yield writer.writerow([cell(one[name]) for name in COLUMNS])


def as_json(values: Iterable[dict[str, Any]]) -> Iterator[str]:
    """One JSON array of objects, one object per line."""
    before = "[\n"
    for one in values:
        yield before + json.dumps(one, ensure_ascii=False)
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"
