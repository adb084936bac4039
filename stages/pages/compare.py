"""Two rollouts side by side: their facts, and how long each microservice took."""
from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from gs2admin.dashboard.templatetags.gs import span, took
from stages.core.words import label_of
from stages.models import Rollout

NONE = "–"


class Fact(NamedTuple):
    """A property, its text for each rollout, and whether the texts differ."""

    name: str
    texts: list[str]
    differs: bool


class Time(NamedTuple):
    """A microservice, and how long its steps took in each rollout."""

    microservice: str
    texts: list[str]


FACTS = (
    ("Stage", lambda row: row.stage.name),
    ("Kind", lambda row: row.get_kind_display()),
    ("State", lambda row: label_of(row.state)),
    ("Strategy", lambda row: row.strategy),
    ("Requested by", lambda row: row.requested_by),
    ("Source", lambda row: row.source_name or "latest versions"),
    ("Set", lambda row: f"{row.from_set.number if row.from_set else 'none'} → {row.to_set.number}"),
    ("Took", lambda row: span(took(row)) or NONE),
    ("Steps", lambda row: f"{row.steps_done} of {row.steps_total}"),
    ("Changes", lambda row: str(row.changes_count)),
    ("Error", lambda row: row.error or NONE),
    ("Why", lambda row: row.reason or NONE),
)


def facts_of(*rows: Rollout) -> list[Fact]:
    """Every fact of the rollouts. rows: with stage, from_set and to_set loaded."""
    found = []
    for name, text in FACTS:
        texts = [text(row) for row in rows]
        found.append(Fact(name, texts, len(set(texts)) > 1))
    return found


def times_of(*rows: Rollout) -> list[Time]:
    """The times of all microservices, the slowest of the last rollout first. One query per rollout.

    Steps that another rollout did, or that were skipped, do not count.
    """
    sums: list[dict[str, timedelta]] = []
    for row in rows:
        found: dict[str, timedelta] = {}
        steps = row.steps.filter(started_at__isnull=False, ended_at__isnull=False, origin="")
        for name, began, ended in steps.values_list("microservice", "started_at", "ended_at"):
            found[name] = found.get(name, timedelta()) + (ended - began)
        sums.append(found)
    names = sorted({name for found in sums for name in found},
                   key=lambda name: (-sums[-1].get(name, timedelta()).total_seconds(), name))
    return [Time(name, [span(found[name]) if name in found else NONE for found in sums]) for name in names]
