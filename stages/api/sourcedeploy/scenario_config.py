"""A scenario's `config` in SourceDeploy's words, translated to ours and back; pure.

What this server has no use for (manifests, load balancers, where files lie) is stored unchanged and shown again; the
versions that a rollout deploys always come from the stage's source.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gs2admin.errors import Invalid
from gs2admin.wire.reading import plain, read
from stages.api.sourcedeploy.bodies import CanaryConfig, CanaryMetric, ScenarioConfig
from stages.core.scenarios import CanaryPlan, Metric, Weight, plan_of, stored
from stages.models.scenarios import Scenario
from stages.states import Analysis, StageType, Strategy

STRATEGIES = {
    StageType.SERVER: ("normal",),
    StageType.AUTO_SCALING: ("normal", "blueGreen"),
    StageType.KUBERNETES: ("rolling", "blueGreen", "canary", "normal"),
    StageType.OBJECT_STORAGE: ("normal",),
}
# Members beside strategy that each type knows; others are dropped.
MEMBERS = {
    StageType.SERVER: {"strategy", "sequence", "file", "rollback", "cmd"},
    StageType.AUTO_SCALING: {"strategy", "sequence", "file", "rollback", "cmd", "loadBalancer"},
    StageType.KUBERNETES: {"strategy", "manifest", "canaryConfig"},
    StageType.OBJECT_STORAGE: {"file", "path"},
}
_WITH_SERVERS = (StageType.SERVER, StageType.AUTO_SCALING)


@dataclass(frozen=True)
class Wanted:
    """What a config means here. commands: {"pre": [names of allowed commands], "post": […]}."""

    config: dict[str, Any]
    strategy: str
    sequence: bool
    rollback: bool
    commands: dict[str, list[str]]
    canary: dict[str, Any]


def wanted(stage_type: str, sent: dict[str, Any]) -> Wanted:
    """Read and check a config for a stage of that type. Raises Invalid with a sentence that names the member."""
    body = read(ScenarioConfig, sent, "config")
    known = {key: value for key, value in plain(body).items() if key in MEMBERS[StageType(stage_type)]}
    strategy = body.strategy or "normal"
    allowed = STRATEGIES[StageType(stage_type)]
    if stage_type == StageType.OBJECT_STORAGE:
        strategy = "normal"
    elif body.strategy is None or strategy not in allowed:
        raise Invalid(f"config.strategy: a stage of type {stage_type} knows {', '.join(allowed)}.")
    if stage_type in _WITH_SERVERS and body.rollback is None:
        raise Invalid("config.rollback: say true or false.")
    if stage_type != StageType.KUBERNETES:
        _check_file(body)
    if strategy == Strategy.BLUE_GREEN and stage_type == StageType.AUTO_SCALING and body.load_balancer is None:
        raise Invalid("config.loadBalancer: blue/green in an auto scaling group needs it.")
    canary: dict[str, Any] = {}
    if strategy == Strategy.CANARY:
        if body.canary_config is None:
            raise Invalid("config.canaryConfig: a canary needs it.")
        canary = stored(plan(body.canary_config))
    cmd = body.cmd if stage_type in _WITH_SERVERS else None
    return Wanted(
        config=known,
        strategy=strategy,
        sequence=body.sequence is not False,
        rollback=bool(body.rollback),
        commands={phase: [each.cmd for each in getattr(cmd, phase)] for phase in ("pre", "post")} if cmd else {},
        canary=canary,
    )


def _check_file(body: ScenarioConfig) -> None:
    if body.file is None:
        raise Invalid("config.file: say what is deployed; later: it is chosen at run time.")
    if body.file.type != "later" and getattr(body.file, body.file.type) is None:
        raise Invalid(f"config.file.{body.file.type}: is missing.")


def plan(config: CanaryConfig) -> CanaryPlan:
    """The plan of a canaryConfig. Players get the usual 5 %; canaryCount is about pods. Raises Invalid."""
    if config.analysis_type == "manual":
        if config.timeout is None:
            raise Invalid("config.canaryConfig.timeout: manual analysis needs it, in minutes.")
        return CanaryPlan(weights=(Weight(5),), analysis=Analysis.MANUAL, time_limit_s=config.timeout * 60)
    missing = [
        name
        for name, value in (
            ("prometheus", config.prometheus), ("env", config.env), ("metrics", config.metrics),
            ("analysisConfig", config.analysis_config), ("passScore", config.pass_score),
        )
        if value is None
    ]  # fmt: skip
    if missing:
        raise Invalid(f"config.canaryConfig: automatic analysis needs {', '.join(missing)}.")
    times = config.analysis_config
    return CanaryPlan(
        weights=(Weight(5),),
        analysis=Analysis.AUTO,
        url=config.prometheus,
        metrics=tuple(_metric(metric, config) for metric in config.metrics),
        delay_s=times.delay * 60,
        duration_s=times.duration * 60,
        interval_s=min(times.interval, times.duration) * 60,
        step_s=times.step,
        pass_score=config.pass_score,
    )


def _metric(metric: CanaryMetric, config: CanaryConfig) -> Metric:
    if metric.query_type == "promQL":
        if not metric.query:
            raise Invalid(f"config.canaryConfig.metrics: {metric.name} needs query.")
        query = metric.query
    else:
        if not (metric.metric and metric.filter):
            raise Invalid(f"config.canaryConfig.metrics: {metric.name} needs metric and filter.")
        query = f"{metric.metric}{{{metric.filter}}}"
    return Metric(
        name=metric.name,
        query=query.replace("${env}", config.env.canary),
        base=query.replace("${env}", config.env.baseline),
        threshold=0,
        better="higher" if metric.success_criteria == "canary" else "lower",
        weight=metric.weight,
    )


def shown(scenario: Scenario, stage_type: str) -> dict[str, Any]:
    """The config that clients read: as it was sent, or made of our fields for a scenario from the browser."""
    if scenario.config:
        return scenario.config
    if stage_type == StageType.OBJECT_STORAGE:
        return {"file": {"type": "later"}}
    found: dict[str, Any] = {"strategy": str(scenario.strategy)}
    if stage_type in _WITH_SERVERS:
        found |= {"sequence": scenario.sequence, "file": {"type": "later"}, "rollback": scenario.rollback}
    if scenario.strategy == Strategy.CANARY:
        found["canaryConfig"] = _canary_shown(plan_of(scenario.canary))
    return found


def _canary_shown(plan: CanaryPlan) -> dict[str, Any]:
    if plan.analysis != Analysis.AUTO:
        return {"analysisType": "manual", "canaryCount": 1, "timeout": -(-(plan.time_limit_s or 21_600) // 60)}
    return {
        "analysisType": "auto",
        "canaryCount": 1,
        "prometheus": plan.url,
        "metrics": [
            {
                "name": metric.name,
                "successCriteria": "canary" if metric.better == "higher" else "base",
                "queryType": "promQL",
                "query": metric.query,
                "weight": metric.weight,
            }
            for metric in plan.metrics
        ],
        "analysisConfig": {
            "duration": plan.duration_s // 60,
            "delay": plan.delay_s // 60,
            "interval": plan.interval_s // 60,
            "step": plan.step_s,
        },
        "passScore": plan.pass_score,
    }
