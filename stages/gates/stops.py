"""Stopping the line, on a stage or on all, and lifting the stop."""
from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from stages.core import ledger
from stages.models import Stage
from stages.models.governance import Stop


def stop_line(
    *, actor: Actor, project: Project, stage: Stage | None = None, reason: str, holds_rollbacks: bool = False
) -> Stop:
    """From now on nothing starts on the stage, or on any stage; what runs goes on. Rollbacks pass unless asked otherwise.

    Raises NotFound, Denied, Invalid (no reason), Conflict (it is stopped already).
    """
    require(actor, "line.stop", project)
    why = reason.strip()[:1024]
    if not why:
        raise Invalid("Say why the line is stopped: everybody who wants to promote reads it.", component="stage",
                      message="freeze.stage.reason.error.require", extra={"field": "reason"})
    with transaction.atomic():
        ledger.lock(project.pk)
        row = _existing(project, stage)
        if now := _open(project, row):
            raise Conflict(f"The line of {_where(row)} was stopped by {now.stopped_by} already: {now.reason}",
                           component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.stopped")
        stop = Stop.objects.create(project=project, stage=row, reason=why, holds_rollbacks=holds_rollbacks,
                                   stopped_by=actor.name)
        _touch(row)
        record(actor=actor, action="line.stop", obj=stop, after={"stage": row.name if row else None,
               "holds_rollbacks": holds_rollbacks}, reason=why)
        return stop


def resume_line(*, actor: Actor, project: Project, stage: Stage | None = None, reason: str = "") -> Stop:
    """Lift the stop of the stage, or the one of all stages. Raises NotFound, Denied, Conflict (it is not stopped)."""
    require(actor, "line.resume", project)
    with transaction.atomic():
        ledger.lock(project.pk)
        row = _existing(project, stage)
        stop = _open(project, row)
        if stop is None:
            raise Conflict(f"The line of {_where(row)} is not stopped.", component="stage",
                           message="freeze.stage.stage.error.conflict", code="freeze.stage.notStopped")
        Stop.objects.filter(pk=stop.pk).update(lifted_at=Now(), lifted_by=actor.name)
        _touch(row)
        record(actor=actor, action="line.resume", obj=stop, before={"stopped_by": stop.stopped_by, "reason": stop.reason},
               after={"stage": row.name if row else None}, reason=reason.strip()[:1024])
        stop.refresh_from_db()
        return stop


def _open(project: Project, stage: Stage | None) -> Stop | None:
    return Stop.objects.filter(project=project, stage=stage, lifted_at=None).select_related("stage").first()


def _where(stage: Stage | None) -> str:
    return stage.name if stage else "all stages"


def _touch(stage: Stage | None) -> None:
    if stage is not None:
        Stage.objects.filter(pk=stage.pk).update(revision=F("revision") + 1)


def _existing(project: Project, stage: Stage | None) -> Stage | None:
    if stage is None:
        return None
    row = Stage.objects.existing(project.pk).filter(pk=stage.pk).first()
    if row is None:
        raise NotFound(f"There is no stage {stage.name}.", component="stage",
                       message="freeze.stage.stage.error.notFound")
    return row
