"""One stage: its pins and what a promote would change, how it is deployed, and its history."""
from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from stages.approval.reads import requirements_of, waiting_on
from stages.core.actions import actions_of
from stages.core.scenarios import frozen, sentences, way_of
from stages.core.status import status_of
from stages.core.versions import differences, effective
from stages.gates.reads import blocking, closed
from stages.models import Rollout, Scenario, Stage
from stages.models.governance import AutoPromotion
from stages.pages.typical_duration import typical_seconds
from stages.plan.previews import source_versions, unsure_services, versions_of
from stages.states import StageStatus

HISTORY = 10


def stage_of(project: Project, name: str) -> Stage:
    """The project's stage of that name, with its source, its sets and its last rollout. Raises NotFound."""
    row = (
        Stage.objects.existing(project.pk).with_last_rollout()
        .select_related("source", "current_set", "idle_set", "scenario").filter(name=name).first()
    )
    if row is None:
        raise NotFound(f"There is no stage {name} in {project.name}. It may have been deleted or renamed.")
    return row


def _scenario(row: Stage) -> Scenario | None:
    if row.scenario is not None:
        row.scenario.stage = row
    return row.scenario


@require_GET
@project_page()
def stage(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """The page."""
    row = stage_of(project, stage)
    status = status_of(row)
    last = Rollout.objects.filter(pk=row.last_rollout_id).first() if row.last_rollout_id else None
    after = versions_of(last.to_set) if last and status == StageStatus.UPDATING else source_versions(row)
    changes = differences(versions_of(row.current_set), after, unsure_services(row))
    changed = effective(changes)
    actions = actions_of(last) if last else ()
    return render(request, "stages/stage.html", {
        "stage": row,
        "status": status,
        "last": last,
        "updating": status == StageStatus.UPDATING,
        "failed": status == StageStatus.UPDATE_FAILED,
        "changed": changed,
        "same": [change for change in changes if change.kind == "same"],
        "targets": (targets := list(row.targets.all())),
        "sentences": sentences(way_of(frozen(_scenario(row))), len(targets)),
        "fed": list(row.fed.filter(deleted_at=None).order_by("sort_number", "name")),
        "history": list(Rollout.objects.filter(stage=row).order_by("-id").select_related("from_set", "to_set")[:HISTORY]),
        "typical_s": typical_seconds([row.pk]).get(row.pk),
        "may_promote": can(request.actor, "stage.promote", project) and status != StageStatus.UPDATING,
        "may_rollback": can(request.actor, "stage.rollback", project) and status != StageStatus.UPDATING and last,
        "may_cancel": "cancel" in actions and can(request.actor, "rollout.cancel", project),
        "may_edit": can(request.actor, "stage.edit", project),
        "gates": (gates := blocking(closed(project.pk), row.pk)),
        "stopped": any(gate.kind == "stop" and gate.stage_id == row.pk for gate in gates),
        "needs": requirements_of(row, "promote", row.scenario),
        "waiting": waiting_on(row),
        "auto": AutoPromotion.objects.filter(stage=row).first() if row.source_id else None,
        "may_release": can(request.actor, "stage.promote", project),
        "may_stop": can(request.actor, "line.stop", project),
        "may_resume": can(request.actor, "line.resume", project),
    })
