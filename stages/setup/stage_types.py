"""Writes of a stage's type and its servers (targets), in one transaction with the stage itself."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from stages.core import ledger
from stages.models import Stage, Target
from stages.setup.stages import KEEP, create_stage, update_stage, write_targets
from stages.states import StageType


def _set_type(actor: Actor, stage: Stage, type: str, config: dict[str, Any]) -> Stage:
    """Set what a stage deploys to, after the right was asked. config: SourceDeploy's own object. Raises NotFound, Invalid."""
    if type not in StageType.values:
        raise Invalid(f"A stage's type is one of {', '.join(StageType.values)}.", component="stage",
                      message="freeze.stage.type.error.invalid", extra={"field": "type"})
    with transaction.atomic():
        ledger.lock(stage.project_id)
        row = Stage.objects.select_related("source").filter(pk=stage.pk, deleted_at=None).first()
        if row is None:
            raise NotFound(f"There is no stage {stage.name}.", component="stage",
                           message="freeze.stage.stage.error.notFound")
        before = {"type": row.type, "config": row.config}
        after = {"type": type, "config": config}
        if after != before:
            Stage.objects.filter(pk=row.pk).update(**after, revision=F("revision") + 1, updated_at=Now())
            record(actor=actor, action="stage.type", obj=row, before=before, after=after)
    return Stage.objects.select_related("source").get(pk=stage.pk)


def create_typed_stage(
    *, actor: Actor, project: Project, name: str, type: str, config: dict[str, Any], servers: Sequence[int] | None = None
) -> Stage:
    """Make a stage of a type. config: SourceDeploy's own object. servers: ids of targets of the project, which are copied.

    Raises NotFound, Denied, Invalid (an id that is no target), Conflict (name taken).
    """
    with transaction.atomic():
        stage = create_stage(actor=actor, project=project, name=name)
        stage = _set_type(actor, stage, type, config)
        if servers is not None:
            _place_on(actor, stage, servers)
    return stage


def update_typed_stage(
    *, actor: Actor, stage: Stage, name: str | None = None, config: dict[str, Any] | None = None,
    servers: Sequence[int] | None = None,
) -> Stage:
    """Change the given fields; otherwise as create_typed_stage."""
    with transaction.atomic():
        stage = update_stage(actor=actor, stage=stage, name=KEEP if name is None else name)
        if config is not None:
            stage = _set_type(actor, stage, stage.type, config)
        if servers is not None:
            _place_on(actor, stage, servers)
    return stage


def _place_on(actor: Actor, stage: Stage, servers: Sequence[int]) -> None:
    """Replace the stage's targets by copies of those with these ids. Raises Invalid."""
    known = {row.pk: row for row in Target.objects.filter(stage__in=Stage.objects.existing(stage.project_id))}
    missing = [str(number) for number in servers if number not in known]
    if missing:
        raise Invalid(
            f"config.serverNo: there is no server {_few(missing)}. serverList lists those that exist; how to reach one is set "
            "in the browser.",
            component="target", message="freeze.target.target.error.notFound",
        )
    rows = [known[number] for number in dict.fromkeys(servers)]
    write_targets(actor, stage, [{"name": row.name, "kind": row.kind, "config": row.config} for row in rows])


def _few(numbers: list[str]) -> str:
    return ", ".join(numbers[:5]) + (f" and {len(numbers) - 5} more" if len(numbers) > 5 else "")
