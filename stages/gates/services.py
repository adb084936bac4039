"""Making, changing and removing freeze windows."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db import transaction

from gs2admin.audit.services import record
from gs2admin.errors import Invalid, NotFound, Quota
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from stages.core import ledger
from stages.gates.windows import in_words, zone
from stages.models import Stage
from stages.models.governance import FreezeWindow

MOST = 100
# A moment has to stay one in every time zone, also one that is chosen later.
YEARS = range(1971, 9999)


@dataclass(frozen=True)
class WindowPlan:
    """What a window is to be; models.FreezeWindow says what the fields mean. Moments are aware."""

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
    """Make a window, or change the given one. Raises NotFound, Denied, Invalid, Quota (more than 100)."""
    require(actor, "window.edit", project)
    fields = _checked(plan)
    with transaction.atomic():
        ledger.lock(project.pk)
        if plan.stage is not None and not Stage.objects.existing(project.pk).filter(pk=plan.stage.pk).exists():
            raise NotFound(f"There is no stage {plan.stage.name}.", component="stage",
                           message="freeze.stage.stage.error.notFound", extra={"field": "stage"})
        before = None
        if window is None:
            if FreezeWindow.objects.filter(project=project).count() >= MOST:
                raise Quota(f"A project has at most {MOST} freeze windows; remove some that are over.", component="window",
                            message="freeze.window.error.tooMany")
            row = FreezeWindow(project=project, created_by=actor.name)
        else:
            row = _existing(window, project)
            before = _facts(row)
        for name, value in fields.items():
            setattr(row, name, value)
        row.save()
        record(actor=actor, action="window.create" if before is None else "window.update", obj=row, before=before,
               after=_facts(row), reason=reason)
        return row


def remove_window(*, actor: Actor, window: FreezeWindow, reason: str = "") -> None:
    """Take a window away, also one that is on. Raises NotFound, Denied."""
    require(actor, "window.edit", window)
    with transaction.atomic():
        ledger.lock(window.project_id)
        row = _existing(window, window.project)
        record(actor=actor, action="window.delete", obj=row, before=_facts(row), reason=reason)
        row.delete()


def _existing(window: FreezeWindow, project: Project) -> FreezeWindow:
    row = FreezeWindow.objects.select_related("stage").filter(pk=window.pk, project=project).first()
    if row is None:
        raise NotFound(f"The freeze window {window.name} was removed meanwhile.", component="window",
                       message="freeze.window.window.error.notFound")
    return row


def _facts(row: FreezeWindow) -> dict[str, Any]:
    return {"name": row.name, "stage": row.stage.name if row.stage_id else None, "when": in_words(row),
            "holds_rollbacks": row.holds_rollbacks}


def _checked(plan: WindowPlan) -> dict[str, Any]:
    def refuse(field: str, sentence: str) -> Invalid:
        return Invalid(sentence, component="window", message=f"freeze.window.{field}.error.invalid", extra={"field": field})

    name = plan.name.strip()
    if not name or len(name) > 128 or not name.isprintable():
        raise refuse("name", "A window's name is 1 to 128 characters.")
    try:
        zone(plan.time_zone)
    except ValueError as problem:
        raise refuse("time_zone", str(problem)) from None
    fields = {**vars(plan), "name": name}
    if plan.weekly:
        if None in (plan.from_day, plan.from_time, plan.to_day, plan.to_time):
            raise refuse("from_time", "A weekly window needs the days and times at which it begins and ends.")
        if not (0 <= plan.from_day <= 6 and 0 <= plan.to_day <= 6):
            raise refuse("from_day", "A day of the week is 0 (Monday) to 6 (Sunday).")
        return fields | {"starts_at": None, "ends_at": None}
    if plan.starts_at is None or plan.ends_at is None:
        raise refuse("starts_at", "The window needs a beginning and an end.")
    for name in ("starts_at", "ends_at"):
        if getattr(plan, name).year not in YEARS:
            raise refuse(name, f"A window begins and ends in the years {YEARS[0]} to {YEARS[-1]}.")
    if plan.ends_at <= plan.starts_at:
        raise refuse("ends_at", "The window must end after it begins.")
    return fields | {"from_day": None, "from_time": None, "to_day": None, "to_time": None}
