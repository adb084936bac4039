"""Writes of stages, and of all targets of a stage together."""
from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.names import check_name
from stages.core import ledger
from stages.core.redact import redacted
from stages.models import Rollout, Stage, Target
from stages.states import ALL_PHASES, PHASES
from stages.steps import KINDS

# "Leave this field as it is", where None is a value.
KEEP: Any = object()


def _check_sort_number(value: int) -> int:
    if not isinstance(value, int) or not 0 <= value <= 100:
        raise Invalid("The sort number is a whole number from 0 to 100.", component="stage",
                      message="freeze.stage.sortNumber.error.invalid")
    return value


def check_source(stage: Stage | None, source: Stage | None, project_id: int) -> None:
    """Refuse a source that is deleted or of another project, and circles of sources. The project's lock must be held.

    stage: None for a new one. Raises Invalid; for a circle its sentence names each stage of the circle.
    """
    if source is None:
        return
    # Read again: another edit may have changed or deleted it since the caller looked.
    source = Stage.objects.filter(pk=source.pk, project_id=project_id, deleted_at=None).first()
    if source is None:
        raise Invalid("That source stage does not exist in this project.", component="stage",
                      message="freeze.stage.sourceStageName.error.notFound")
    names, at = [], source
    while at is not None:
        names.append(at.name)
        if stage is not None and at.pk == stage.pk:
            circle = " takes from ".join([stage.name, *names])
            raise Invalid(f"That would make a circle: {circle}. Choose another source.", component="stage",
                          message="freeze.stage.sourceStageName.error.invalid")
        at = Stage.objects.filter(pk=at.source_id).first() if at.source_id else None


def create_stage(
    *, actor: Actor, project: Project, name: str, source: Stage | None = None, sort_number: int = 0, reason: str = ""
) -> Stage:
    """Make a stage without versions. Raises NotFound, Denied, Invalid, Conflict (name taken)."""
    require(actor, "stage.edit", project)
    check_name(name, component="stage", word="freeze.stage.name")
    _check_sort_number(sort_number)
    try:
        with transaction.atomic():
            ledger.lock(project.pk)
            check_source(None, source, project.pk)
            stage = Stage.objects.create(project=project, name=name, source=source, sort_number=sort_number)
            record(actor=actor, action="stage.create", obj=stage, after=_facts(stage), reason=reason)
            return stage
    except IntegrityError:
        raise _name_taken(name) from None


def update_stage(
    *,
    actor: Actor,
    stage: Stage,
    name: str = KEEP,
    source: Stage | None = KEEP,
    sort_number: int = KEEP,
    reason: str = "",
) -> Stage:
    """Change the given fields. Raises NotFound, Denied, Invalid (also for a circle of sources), Conflict (name taken)."""
    require(actor, "stage.edit", stage)
    try:
        with transaction.atomic():
            ledger.lock(stage.project_id)
            row = _existing(stage)
            before = _facts(row)
            if name is not KEEP:
                row.name = check_name(name, component="stage", word="freeze.stage.name")
            if source is not KEEP:
                check_source(row, source, row.project_id)
                row.source = source
            if sort_number is not KEEP:
                row.sort_number = _check_sort_number(sort_number)
            if _facts(row) == before:
                return row
            row.revision, row.updated_at = F("revision") + 1, Now()
            row.save(update_fields=["name", "source", "sort_number", "revision", "updated_at"])
            row.refresh_from_db()
            # Calendars show the stage's name.
            if row.name != before["name"]:
                row.freeze_windows.update(revision=F("revision") + 1, updated_at=Now())
            record(actor=actor, action="stage.update", obj=row, before=before, after=_facts(row), reason=reason)
            return row
    except IntegrityError:
        raise _name_taken(name) from None


def delete_stage(*, actor: Actor, stage: Stage, reason: str = "") -> None:
    """Delete a stage; its rollouts stay readable.

    Raises NotFound, Denied, Conflict (it is the source of another stage, or a rollout of it is live).
    """
    require(actor, "stage.edit", stage)
    with transaction.atomic():
        ledger.lock(stage.project_id)
        row = _existing(stage)
        fed = list(Stage.objects.existing(row.project_id).filter(source=row).values_list("name", flat=True))
        if fed:
            raise Conflict(
                f"{row.name} is the source of {', '.join(fed)}. Give {'it' if len(fed) == 1 else 'them'} another source first.",
                component="stage",
                message="freeze.stage.stage.error.conflict",
            )
        live = Rollout.objects.live().filter(stage=row).first()
        if live:
            raise Conflict(
                f"Rollout {live.number} is running on {row.name}. Wait for its end, or cancel it first.",
                component="stage",
                message="freeze.stage.stage.error.conflict",
                code="freeze.stage.updating",
                extra={"rollout": live.number},
            )
        Stage.objects.filter(pk=row.pk).update(deleted_at=Now(), source=None, revision=F("revision") + 1)
        record(actor=actor, action="stage.delete", obj=row, before=_facts(row), reason=reason)


def check_targets(targets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Validate targets, each {"name", "kind", "config": {phase: {...} or None}}; returns them with each kind's defaults.

    The phases canary and switch are left out where nothing is done in them. Raises Invalid with a sentence that names
    the target and the phase.
    """
    if len(targets) > 20:
        raise Invalid("A stage has at most 20 targets.", component="stage", message="freeze.target.error.tooMany")
    clean, names = [], set()
    for target in targets:
        name = check_name(target["name"], component="target", word="freeze.target.name")
        if name in names:
            raise Invalid(f"Two targets are called {name}.", component="target",
                          message="freeze.target.name.error.duplicate")
        names.add(name)
        kind = KINDS.get(target["kind"])
        if kind is None or target["kind"] == "pin":
            known = ", ".join(sorted(set(KINDS) - {"pin"}))
            raise Invalid(f"{name}: a target's kind is one of: {known}.", component="target",
                          message="freeze.target.kind.error.invalid")
        config = {}
        for phase in ALL_PHASES:
            given = target["config"].get(phase)
            if given is None:
                if phase in PHASES:
                    config[phase] = None
                continue
            try:
                config[phase] = kind.validate(given)
            except Invalid as refusal:
                raise Invalid(f"{name}, {phase}: {refusal.sentence}", component="target",
                              message="freeze.target.config.error.invalid") from None
        clean.append({"name": name, "kind": target["kind"], "config": config})
    return clean


def set_targets(*, actor: Actor, stage: Stage, targets: list[dict[str, Any]], reason: str = "") -> list[Target]:
    """Replace the stage's targets, in order (check_targets says their shape). A target that keeps its name keeps its key.

    Running rollouts go on with the configuration they began with. Raises NotFound, Denied, Invalid.
    """
    require(actor, "stage.edit", stage)
    return write_targets(actor, stage, targets, reason)


def write_targets(actor: Actor, stage: Stage, targets: list[dict[str, Any]], reason: str = "") -> list[Target]:
    """As set_targets, for services of this room that have asked the right stage.edit. Raises NotFound, Invalid."""
    clean = check_targets(targets)
    with transaction.atomic():
        ledger.lock(stage.project_id)
        row = _existing(stage)
        before = {t.name: {"kind": t.kind, "config": redacted(t.config)} for t in row.targets.all()}
        row.targets.exclude(name__in=[t["name"] for t in clean]).delete()
        for position, target in enumerate(clean):
            row.targets.update_or_create(
                name=target["name"],
                defaults={"kind": target["kind"], "config": target["config"], "position": position},
            )
        Stage.objects.filter(pk=row.pk).update(revision=F("revision") + 1, updated_at=Now())
        after = {t["name"]: {"kind": t["kind"], "config": redacted(t["config"])} for t in clean}
        record(actor=actor, action="stage.targets", obj=row, before=before, after=after, reason=reason)
        return list(row.targets.all())


def rotate_target_key(*, actor: Actor, target: Target, reason: str = "") -> Target:
    """Change the signing key of an http target; the old one is invalid at once. Raises NotFound, Denied."""
    require(actor, "stage.edit", target)
    with transaction.atomic():
        ledger.lock(target.project_id)
        Target.objects.filter(pk=target.pk).update(rotation=F("rotation") + 1)
        target.refresh_from_db()
        record(actor=actor, action="target.rotate_key", obj=target, after={"rotation": target.rotation}, reason=reason)
    return target


def _existing(stage: Stage) -> Stage:
    """The stage as it is now. Raises NotFound when it was deleted."""
    row = Stage.objects.select_related("source").filter(pk=stage.pk, deleted_at=None).first()
    if row is None:
        raise NotFound(f"There is no stage {stage.name}.", component="stage",
                       message="freeze.stage.stage.error.notFound")
    return row


def _facts(stage: Stage) -> dict[str, Any]:
    return {
        "name": stage.name,
        "source": stage.source.name if stage.source_id else None,
        "sort_number": stage.sort_number,
    }


def _name_taken(name: str) -> Conflict:
    return Conflict(f"There is a stage called {name} already.", component="stage",
                    message="freeze.stage.name.error.duplicate")
