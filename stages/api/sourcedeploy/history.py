"""Reading the history: the list, the detail in its four shapes, and the reports of a canary."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gs2admin.errors import NotFound
from gs2admin.wire.protocol import Reply, Request
from stages.api.find import viewing
from stages.api.sourcedeploy import shapes
from stages.api.sourcedeploy.find import number_of, page_of, project_of, rollout_of
from stages.api.sourcedeploy.target_states import TargetState, target_states
from stages.models import Rollout
from stages.states import FINAL, StageType

# A rollout of a stage without a scenario; no scenario has this id.
NO_SCENARIO = {"id": 0, "name": "default"}


@viewing
def history_list(request: Request) -> Reply:
    """Newest first. Raises NotFound, Invalid."""
    project = project_of(request)
    rows = Rollout.objects.of_project(project.pk).select_related("stage", "scenario")
    return Reply({"historyList": [_item(shapes.named(project), row) for row in page_of(request, rows)]})


@viewing
def history_detail(request: Request) -> Reply:
    """Raises NotFound."""
    return Reply(detail(rollout_of(request)))


@viewing
def report_list(request: Request) -> Reply:
    """When each interval of the canary's analysis ended. Raises NotFound."""
    ends = rollout_of(request).reports.order_by("ended_at").values_list("ended_at", flat=True)
    return Reply({"stageList": [shapes.ms(at) for at in ends]})


@viewing
def report(request: Request) -> Reply:
    """The report of the interval that ended then. Raises NotFound."""
    rollout, end = rollout_of(request), number_of(request, "endTime")
    for row in rollout.reports.order_by("number"):
        if shapes.ms(row.ended_at) == end:
            return Reply(shapes.report(row))
    raise NotFound(f"History {rollout.number} has no report that ended at {end}.")


def scenario_named(row: Rollout) -> dict[str, Any]:
    """{id, name} of the scenario as they were at the request: it may have been renamed or deleted since."""
    copy = row.scenario_copy or {}
    if row.scenario is not None:
        return {"id": row.scenario.pk, "name": copy.get("name") or row.scenario.name}
    return {"id": copy.get("id") or 0, "name": copy["name"]} if copy.get("name") else dict(NO_SCENARIO)


def _item(project: dict[str, Any], row: Rollout) -> dict[str, Any]:
    return shapes.history_item(
        project=project,
        stage=shapes.named(row.stage),
        scenario=scenario_named(row),
        number=row.number,
        began=row.started_at or row.created_at,
        state=row.state,
    )


def detail(row: Rollout) -> dict[str, Any]:
    """One rollout as a history: three queries beside the row's own."""
    stage_type = row.stage.type
    return shapes.history(
        project=shapes.named(row.project),
        stage=shapes.named(row.stage),
        scenario=scenario_named(row),
        number=row.number,
        state=row.state,
        executor=row.requested_by,
        began=row.started_at or row.created_at,
        ended=row.ended_at,
        stage_type=stage_type,
        config=_config(row, stage_type),
    )


def _config(row: Rollout, stage_type: str) -> Any:
    steps = list(row.steps.order_by("position"))
    targets = list(row.targets.order_by("position")) or [
        SimpleNamespace(name=name, number=0, undone=False) for name in dict.fromkeys(step.target_name for step in steps)
    ]  # rollouts from before targets were stored have none
    started, over, leased = row.started_at is not None, row.state in FINAL, row.lease_until is not None

    def states(of: str | None = None) -> list[TargetState]:
        chosen = steps if of is None else [step for step in steps if step.microservice == of]
        return target_states(row.state, leased, targets, chosen, started=started)

    versions = {step.microservice: step.new_version for step in steps}
    if stage_type == StageType.KUBERNETES:
        return shapes.kubernetes_config(row.strategy, states(), over=over)
    if stage_type == StageType.SERVER:
        parts = [(_file(row, {name: new}), states(name)) for name, new in versions.items()] or [(_file(row, {}), states())]
        return shapes.server_config(parts, row.stage.name)
    if stage_type == StageType.AUTO_SCALING:
        config = row.stage.config
        group = {
            "no": config.get("autoScalingGroupNo", row.stage_id),
            "name": config.get("autoScalingGroupName", row.stage.name),
        }
        return shapes.auto_scaling_config(row.strategy, group, _file(row, versions), states(), row.stage.name)
    backup = next((step.memo["backup"] for step in steps if step.memo.get("backup")), "")
    return shapes.object_storage_config(_file(row, versions), states(), backup, over=over)


def _file(row: Rollout, versions: dict[str, str]) -> dict[str, str]:
    """What was deployed: the versions of the microservices. type: of the scenario, else `later`."""
    selected = ", ".join(f"{name} {new or 'removed'}" for name, new in versions.items())
    return shapes.file(selected, (row.scenario_copy or {}).get("config", {}).get("file", {}).get("type", "later"))
