"""Writes of a stage's type and of what it deploys to, in one transaction with the stage itself."""
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
from gs2admin.identity.rights import require
from stages.core import ledger
from stages.models import Stage, Target
from stages.setup.stages import KEEP, create_stage, set_targets, update_stage
from stages.states import StageType


def set_stage_type(
    *, actor: Actor, stage: Stage, type: str, config: dict[str, Any] | None = None, reason: str = ""
) -> Stage:
    """Say what a stage deploys to. config: SourceDeploy's own object of the stage; None keeps it.

    Raises NotFound, Denied, Invalid.
    """
    require(actor, "stage.edit", stage)
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
        after = {"type": type, "config": row.config if config is None else config}
        if after != before:
            Stage.objects.filter(pk=row.pk).update(**after, revision=F("revision") + 1, updated_at=Now())
            record(actor=actor, action="stage.type", obj=row, before=before, after=after, reason=reason)
    return Stage.objects.select_related("source").get(pk=stage.pk)


def create_typed_stage(
    *, actor: Actor, project: Project, name: str, type: str, config: dict[str, Any], servers: Sequence[int] | None = None
) -> Stage:
    """Make a stage of a type. servers: numbers of targets anywhere in the project, which become targets of this stage too.

    Raises NotFound, Denied, Invalid (a server that is none), Conflict (name taken).
    """
    with transaction.atomic():
        stage = create_stage(actor=actor, project=project, name=name)
        stage = set_stage_type(actor=actor, stage=stage, type=type, config=config)
        if servers is not None:
            _place_on(actor, stage, servers)
    return stage


def update_typed_stage(
    *, actor: Actor, stage: Stage, name: str | None = None, config: dict[str, Any] | None = None,
    servers: Sequence[int] | None = None,
) -> Stage:
    """Change what is given, otherwise as create_typed_stage."""
    with transaction.atomic():
        stage = update_stage(actor=actor, stage=stage, name=KEEP if name is None else name)
        if config is not None:
            stage = set_stage_type(actor=actor, stage=stage, type=stage.type, config=config)
        if servers is not None:
            _place_on(actor, stage, servers)
    return stage


def _place_on(actor: Actor, stage: Stage, servers: Sequence[int]) -> None:
    known = {row.pk: row for row in Target.objects.filter(stage__in=Stage.objects.existing(stage.project_id))}
    missing = [str(number) for number in servers if number not in known]
    if missing:
        raise Invalid(
            f"config.serverNo: there is no server {', '.join(missing[:5])}. serverList has those that there are; how to reach "
            "one is set in the browser.",
            component="target", message="freeze.target.target.error.notFound",
        )
    rows = [known[number] for number in dict.fromkeys(servers)]
    set_targets(
        actor=actor, stage=stage, targets=[{"name": row.name, "kind": row.kind, "config": row.config} for row in rows]
    )
