"""The bodies of SourceDeploy: pure functions from what rows say to the published shapes, in the published order of keys.

Times are epoch milliseconds. A step that was not reached, its time and the end of what has not ended are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from stages.api.sourcedeploy.target_states import TargetState
from stages.states import RolloutState

S = RolloutState
STATUS: dict[str, str] = {
    S.AWAITING_APPROVAL: "pending",
    S.REJECTED: "reject",
    S.QUEUED: "waiting",
    S.RUNNING: "inprogress",
    S.ROLLING_BACK: "inprogress",
    S.CANARY_ANALYZING: "canary_analyzing",
    S.CANARY_HOLD: "canary_pending",
    S.CANARY_REJECTING: "canary_rejecting",
    S.CANARY_REJECTED: "canary_reject",
    S.CANARY_TIMEOUT: "canary_waiting_timeout",
    S.CANCELING: "canceling",
    S.CANCELED: "canceled",
    S.SUCCEEDED: "success",
    S.FAILED: "fail",
    S.ERRORED: "error",
}
# The strategies that the history knows for each type; any other of ours is shown as normal.
STRATEGIES = {
    "Server": ("normal",),
    "AutoScalingGroup": ("normal", "blueGreen"),
    "KubernetesService": ("normal", "blueGreen", "rolling", "canary"),
}


def ms(at: datetime) -> int:
    """Epoch milliseconds."""
    return int(at.timestamp() * 1000)


def strategy(stage_type: str, ours: str) -> str:
    """Our strategy in the words that the history has for this type."""
    return ours if ours in STRATEGIES[stage_type] else "normal"


def file(selected: str, kind: str) -> dict[str, str]:
    """What was deployed: the file or the versions, and where it comes from."""
    return {"selected": selected, "type": kind}


def target(state: TargetState, name: str = "") -> dict[str, Any]:
    """One server of the first two shapes, with the words that the contract allows for its status.

    name: for a target without one (versions are only pinned there). Between two steps the next one counts as begun;
    a target that was not carried out has no steps, also where its first one had passed.
    """
    steps, times = dict(state.steps), dict(state.times)
    if state.status == "no progress":
        steps, times = {}, {}
    elif state.status in {"pre", "deploy", "post"} and state.status not in steps:
        steps[state.status], times[state.status] = "inprogress", max(times.values())
    return {
        "server": {"no": state.number, "name": state.name or name},
        "status": state.status,
        "time": {phase: ms(times[phase]) for phase in ("pre", "deploy", "post") if phase in times},
        "step": {phase: steps[phase] for phase in ("pre", "deploy", "post") if phase in steps},
    }


def server_config(parts: Sequence[tuple[dict[str, str], Sequence[TargetState]]], stage_name: str = "") -> list[dict[str, Any]]:
    """THistoryServer: an array with one object per deployed file."""
    return [
        {"strategy": "normal", "file": of, "targets": [target(state, stage_name) for state in states]} for of, states in parts
    ]


def auto_scaling_config(
    ours: str, group: dict[str, Any], of: dict[str, str], states: Sequence[TargetState], stage_name: str = ""
) -> dict[str, Any]:
    """THistoryAutoScaling. group: {no, name}."""
    return {
        "strategy": strategy("AutoScalingGroup", ours),
        "autoScalingGroup": group,
        "file": of,
        "targets": [target(state, stage_name) for state in states],
    }


def kubernetes_config(ours: str, states: Sequence[TargetState], *, over: bool) -> dict[str, Any]:
    """THisotryKubernetesService: one pair of steps for the whole cluster, no status and no file."""
    return {"strategy": strategy("KubernetesService", ours), "targets": together(states, over=over)}


def object_storage_config(of: dict[str, str], states: Sequence[TargetState], backup: str, *, over: bool) -> dict[str, Any]:
    """THistoryObjectStorage: no strategy; the file that was there before is the backup."""
    return {"file": of, "targets": together(states, over=over), "backupFile": backup}


def together(states: Sequence[TargetState], *, over: bool) -> dict[str, Any]:
    """`time` and `step` of pre and deploy for all targets at once. over: nothing will be begun any more.

    A phase has failed when it failed anywhere, or was not begun everywhere when all is over; it has succeeded when it
    has everywhere. What comes after one that has not succeeded is left out.
    """
    step: dict[str, str] = {}
    time: dict[str, int] = {}
    failed = next((phase for phase in ("pre", "deploy") if any(s.steps.get(phase) == "fail" for s in states)), None)
    for phase in ("pre", "deploy"):
        began = [s.times[phase] for s in states if phase in s.times]
        if not began:
            break
        words = {s.steps.get(phase) for s in states}
        if phase == failed:
            word = "fail"
        elif words == {"success"} or failed is not None:
            word = "success"
        else:
            word = "fail" if over else "inprogress"
        step[phase], time[phase] = word, ms(min(began))
        if word != "success":
            break
    return {"time": time, "step": step}


def named(row: Any) -> dict[str, Any]:
    """{id, name} of a project, a stage or a scenario."""
    return {"id": row.pk, "name": row.name}


def history(
    *,
    project: dict[str, Any],
    stage: dict[str, Any],
    scenario: dict[str, Any],
    number: int,
    state: str,
    executor: str,
    began: datetime,
    ended: datetime | None,
    stage_type: str,
    config: Any,
) -> dict[str, Any]:
    """The detail of one history, as the seed has it."""
    return {
        "project": project,
        "stage": stage,
        "scenario": scenario,
        "id": number,
        "status": STATUS[state],
        "executor": executor,
        "startTime": ms(began),
        **({"endTime": ms(ended)} if ended else {}),
        "type": stage_type,
        "config": config,
    }


def history_item(
    *, project: dict[str, Any], stage: dict[str, Any], scenario: dict[str, Any], number: int, began: datetime, state: str
) -> dict[str, Any]:
    """One line of the history list; here the id is text."""
    return {
        "project": project,
        "stage": stage,
        "scenario": scenario,
        "id": str(number),
        "startTime": ms(began),
        "status": STATUS[state],
    }


_LIMIT = 2**53 - 1


def report(row: Any) -> dict[str, Any]:
    """The report of one interval of a canary (a CanaryReport)."""
    began, ended = ms(row.began_at), ms(row.ended_at)
    return {
        "status": _passed(row.passed),
        "score": _number(row.score),
        "passScore": _number(row.pass_score),
        "start": began,
        "end": ended,
        "step": row.step_s,
        "metricList": [_metric(metric, place, began, ended) for place, metric in enumerate(row.metrics, start=1)],
    }


def _metric(metric: dict[str, Any], place: int, began: int, ended: int) -> dict[str, Any]:
    return {
        "metricId": metric.get("id", place),
        "metricName": metric["name"],
        "weight": metric.get("weight", 1),
        "elementList": [
            {
                "name": metric["name"],
                "element": metric.get("element", "all"),
                "deviation": _number(metric.get("deviation") or 0),
                "status": _passed(metric.get("passed", False)),
                "base": _series(metric.get("base"), began, ended),
                "canary": _series(metric.get("canary"), began, ended),
            }
        ],
    }


def _series(found: dict[str, Any] | None, began: int, ended: int) -> dict[str, Any]:
    found = found or {}
    return {"start": began, "end": ended} | {word: _number(found.get(word) or 0) for word in ("count", "avg", "max", "min")}


def _passed(good: bool) -> str:
    return "pass" if good else "fail"


def _number(value: float) -> float | int:
    """A whole number without `.0`. What is beyond the limit (a division by nothing in a metric) is the limit."""
    value = min(max(float(value), -_LIMIT), _LIMIT)
    return int(value) if value.is_integer() else value
