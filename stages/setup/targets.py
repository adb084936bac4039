"""Changes of one target: read, change, and write back under the project's lock, so that two editors lose nothing."""
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction

from gs2admin.errors import NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import require
from stages.core import ledger
from stages.models import Stage, Target
from stages.setup.stages import set_targets


def save_target(
    *, actor: Actor, stage: Stage, name: str, kind: str, config: dict[str, Any], was: str = "", reason: str = ""
) -> Target:
    """Add a target at the end, or replace the one called `was` in its place.

    config: {"pre": {...} or None, "deploy": …, "post": …}. A target under a new name has a new signing key.
    Raises NotFound (also when `was` is gone), Denied, Invalid.
    """
    new = {"name": name, "kind": kind, "config": config}
    with _editing(actor, stage) as rows:
        if was:
            rows[_place(stage, rows, was)] = new
        else:
            rows.append(new)
        saved = set_targets(actor=actor, stage=stage, targets=rows, reason=reason)
    return next(target for target in saved if target.name == name)


def remove_target(*, actor: Actor, stage: Stage, name: str, reason: str = "") -> None:
    """Take a target away; rollouts that run go on with it. Raises NotFound, Denied."""
    with _editing(actor, stage) as rows:
        del rows[_place(stage, rows, name)]
        set_targets(actor=actor, stage=stage, targets=rows, reason=reason)


def move_target(*, actor: Actor, stage: Stage, name: str, by: int) -> None:
    """Let a target take its turn earlier (by=-1) or later (by=1); at the ends nothing changes. Raises NotFound, Denied."""
    with _editing(actor, stage) as rows:
        here = _place(stage, rows, name)
        there = here + by
        if 0 <= there < len(rows):
            rows[here], rows[there] = rows[there], rows[here]
            set_targets(actor=actor, stage=stage, targets=rows)


@contextmanager
def _editing(actor: Actor, stage: Stage) -> Iterator[list[dict[str, Any]]]:
    """A transaction that holds the project's lock, and the stage's targets as set_targets takes them."""
    require(actor, "stage.edit", stage)
    with transaction.atomic():
        ledger.lock(stage.project_id)
        rows = Target.objects.filter(stage=stage)
        yield [{"name": row.name, "kind": row.kind, "config": row.config} for row in rows]


def _place(stage: Stage, rows: list[dict[str, Any]], name: str) -> int:
    for place, row in enumerate(rows):
        if row["name"] == name:
            return place
    raise NotFound(
        f"{stage.name} has no target {name} any more. Somebody removed or renamed it.",
        component="target",
        message="freeze.target.target.error.notFound",
    )
