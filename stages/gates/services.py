"""Writes of gates: stop and resume promotions, make, change and remove freeze windows."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound, Quota
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from stages.core import ledger
from stages.gates.local_time import instant, zone
from stages.gates.windows import in_words
from stages.models import Stage
from stages.models.governance import FreezeWindow, Stop

# characters, as long as the column
MAX_STOP_REASON = 1024
# windows of a project
MOST = 100
# A moment must stay valid in every time zone, also in one that is chosen later.
YEARS = range(1971, 9999)


def stop_promotions(
    *, actor: Actor, project: Project, stage: Stage | None = None, reason: str, holds_rollbacks: bool = False
) -> Stop:
    """Block new rollouts of the stage, or of all stages without one; rollouts that run go on.

    holds_rollbacks: block rollbacks too. Raises NotFound, Denied, Invalid (no reason, or one that is too long), Conflict
    (promotions are stopped there already).
    """
    require(actor, "line.stop", project)
    why = _reason(reason)
    if not why:
        raise Invalid("Say why promotions are stopped: everybody who wants to promote reads it.", component="stage",
                      message="freeze.stage.reason.error.require", extra={"field": "reason"})
    with transaction.atomic():
        ledger.lock(project.pk)
        row = _existing_stage(project, stage)
        if now := _open(project, row):
            raise Conflict(f"Promotions are stopped on {_where(row)} already, by {now.stopped_by}: {now.reason}",
                           component="stage", message="freeze.stage.stage.error.conflict", code="freeze.stage.stopped")
        stop = Stop.objects.create(project=project, stage=row, reason=why, holds_rollbacks=holds_rollbacks,
                                   stopped_by=actor.name)
        _touch(row)
        record(actor=actor, action="line.stop", obj=stop, after={"stage": row.name if row else None,
               "holds_rollbacks": holds_rollbacks}, reason=why)
        return stop


def resume_promotions(*, actor: Actor, project: Project, stage: Stage | None = None, reason: str = "") -> Stop:
    """Lift the stop of the stage, or the one of all stages without one; returns the lifted stop.

    Raises NotFound, Denied, Invalid (a reason that is too long), Conflict (promotions are not stopped there).
    """
    require(actor, "line.resume", project)
    why = _reason(reason)
    with transaction.atomic():
        ledger.lock(project.pk)
        row = _existing_stage(project, stage)
        stop = _open(project, row)
        if stop is None:
            raise Conflict(f"Promotions are not stopped on {_where(row)}.", component="stage",
                           message="freeze.stage.stage.error.conflict", code="freeze.stage.notStopped")
        Stop.objects.filter(pk=stop.pk).update(lifted_at=Now(), lifted_by=actor.name)
        _touch(row)
        record(actor=actor, action="line.resume", obj=stop, before={"stopped_by": stop.stopped_by, "reason": stop.reason},
               after={"stage": row.name if row else None}, reason=why)
        stop.refresh_from_db()
        return stop


@dataclass(frozen=True)
class WindowPlan:
    """The wanted fields of a window; models.FreezeWindow says what they mean.

    starts_at, ends_at: aware, or by the clocks of time_zone without a zone. A time that those clocks leave out or show twice is
    decided for the longer freeze (local_time.instant); local_time.told has the sentence for people.
    """

    name: str
    stage: Stage | None = None
    time_zone: str = "UTC"
    weekly: bool = False
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    from_day: int | None = None
    from_time: time | None = None
    to_day: int | None = None
    to_time: time | None = None
    holds_rollbacks: bool = False


def save_window(
    *, actor: Actor, project: Project, plan: WindowPlan, window: FreezeWindow | None = None, reason: str = ""
) -> FreezeWindow:
    """Make a window, or change the given one, which gets a new revision where something differs.

    Raises NotFound, Denied, Invalid, Quota (more than MOST windows).
    """
    require(actor, "window.edit", project)
    fields = _checked(plan)
    with transaction.atomic():
        ledger.lock(project.pk)
        _existing_stage(project, plan.stage)
        before = None
        if window is None:
            if FreezeWindow.objects.filter(project=project).count() >= MOST:
                raise Quota(f"A project has at most {MOST} freeze windows; remove some that are over.", component="window",
                            message="freeze.window.error.tooMany")
            row = FreezeWindow(project=project, created_by=actor.name)
        else:
            row = _existing_window(window, project)
            before = _facts(row)
        if window is not None and any(getattr(row, name) != value for name, value in fields.items()):
            row.revision, row.updated_at = row.revision + 1, Now()
        for name, value in fields.items():
            setattr(row, name, value)
        row.save()
        row.refresh_from_db(fields=["updated_at"])
        record(actor=actor, action="window.create" if before is None else "window.update", obj=row, before=before,
               after=_facts(row), reason=reason)
        return row


def remove_window(*, actor: Actor, window: FreezeWindow, reason: str = "") -> None:
    """Remove a window, also one that is on. Raises NotFound, Denied."""
    require(actor, "window.edit", window)
    with transaction.atomic():
        ledger.lock(window.project_id)
        row = _existing_window(window, window.project)
        record(actor=actor, action="window.delete", obj=row, before=_facts(row), reason=reason)
        row.delete()


def _reason(text: str) -> str:
    why = text.strip()
    if len(why) > MAX_STOP_REASON:
        raise Invalid(f"The reason has {len(why):,} characters; at most {MAX_STOP_REASON:,} are stored. Make it shorter.",
                      component="stage", message="freeze.stage.reason.error.tooLong", extra={"field": "reason"})
    return why


def _open(project: Project, stage: Stage | None) -> Stop | None:
    return Stop.objects.filter(project=project, stage=stage, lifted_at=None).select_related("stage").first()


def _where(stage: Stage | None) -> str:
    return stage.name if stage else "all stages"


def _touch(stage: Stage | None) -> None:
    if stage is not None:
        Stage.objects.filter(pk=stage.pk).update(revision=F("revision") + 1)


def _existing_stage(project: Project, stage: Stage | None) -> Stage | None:
    """The stage as it is now; None for all stages. Raises NotFound when it was deleted."""
    if stage is None:
        return None
    row = Stage.objects.existing(project.pk).filter(pk=stage.pk).first()
    if row is None:
        raise NotFound(f"There is no stage {stage.name}.", component="stage",
                       message="freeze.stage.stage.error.notFound", extra={"field": "stage"})
    return row


def _existing_window(window: FreezeWindow, project: Project) -> FreezeWindow:
    row = FreezeWindow.objects.select_related("stage").filter(pk=window.pk, project=project).first()
    if row is None:
        raise NotFound(f"The freeze window {window.name} was removed meanwhile.", component="window",
                       message="freeze.window.window.error.notFound")
    return row


def _facts(row: FreezeWindow) -> dict[str, Any]:
    return {"name": row.name, "stage": row.stage.name if row.stage_id else None, "when": in_words(row),
            "holds_rollbacks": row.holds_rollbacks}


def _checked(plan: WindowPlan) -> dict[str, Any]:
    """The columns of a window as the plan wants them. Raises Invalid with the field in extra["field"]."""
    def refuse(field: str, sentence: str) -> Invalid:
        return Invalid(sentence, component="window", message=f"freeze.window.{field}.error.invalid", extra={"field": field})

    name = plan.name.strip()
    if not name or len(name) > 128 or not name.isprintable():
        raise refuse("name", "A window's name is 1 to 128 characters that can be seen.")
    try:
        here = zone(plan.time_zone)
    except ValueError as problem:
        raise refuse("time_zone", str(problem)) from None
    fields = {**vars(plan), "name": name}
    if plan.weekly:
        if None in (plan.from_day, plan.from_time, plan.to_day, plan.to_time):
            raise refuse("from_time", "A weekly window needs the days and times at which it begins and ends.")
        if not (0 <= plan.from_day <= 6 and 0 <= plan.to_day <= 6):
            raise refuse("from_day", "A day of the week is 0 (Monday) to 6 (Sunday).")
        if (plan.from_day, plan.from_time) == (plan.to_day, plan.to_time):
            raise refuse("to_time", "A weekly window ends at another time than it begins. To hold back everything until further "
                                    "notice, stop promotions instead.")
        return fields | {"starts_at": None, "ends_at": None}
    if plan.starts_at is None or plan.ends_at is None:
        raise refuse("starts_at", "The window needs a beginning and an end.")
    for name in ("starts_at", "ends_at"):
        if getattr(plan, name).year not in YEARS:
            raise refuse(name, f"A window begins and ends in the years {YEARS[0]} to {YEARS[-1]}.")
        fields[name] = instant(getattr(plan, name), here, begins=name == "starts_at")
    if fields["ends_at"] <= fields["starts_at"]:
        raise refuse("ends_at", "The window must end after it begins.")
    return fields | {"from_day": None, "from_time": None, "to_day": None, "to_time": None}
