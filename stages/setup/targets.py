"""Writes of one target. All targets are read and written back under the project's lock, so no other edit is lost."""
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
from stages.setup.stages import write_targets


def save_target(
    *, actor: Actor, stage: Stage, name: str, kind: str, config: dict[str, Any], was: str = "", reason: str = ""
) -> Target:
    """Add a target at the end, or replace the one called `was` in its place.

    config: {"pre": {...} or None, "deploy": …, "post": …}. A target under a new name has a new signing key.
    Raises NotFound (also when there is no target `was` any more), Denied, Invalid.
    """
    new = {"name": name, "kind": kind, "config": config}
    with _editing(actor, stage) as rows:
        if was:
            rows[_place(stage, rows, was)] = new
        else:
            rows.append(new)
        saved = write_targets(actor, stage, rows, reason)
    return next(target for target in saved if target.name == name)


def remove_target(*, actor: Actor, stage: Stage, name: str, reason: str = "") -> None:
    """Remove a target; rollouts that run go on with it. Raises NotFound, Denied."""
    with _editing(actor, stage) as rows:
        del rows[_place(stage, rows, name)]
        write_targets(actor, stage, rows, reason)


def move_target(*, actor: Actor, stage: Stage, name: str, by: int) -> None:
    """Move a target one place up (by=-1) or down (by=1); at the ends nothing changes. Raises NotFound, Denied."""
    with _editing(actor, stage) as rows:
        here = _place(stage, rows, name)
        there = here + by
        if 0 <= there < len(rows):
            rows[here], rows[there] = rows[there], rows[here]
            write_targets(actor, stage, rows)


@contextmanager
def _editing(actor: Actor, stage: Stage) -> Iterator[list[dict[str, Any]]]:
    """Ask the right, then hold a transaction with the project's lock; yields the targets as write_targets takes them."""
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
