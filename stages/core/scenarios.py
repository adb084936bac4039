"""A scenario as plain values: the canary plan, the copy that a rollout keeps, and sentences for people."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stages.models.scenarios import Scenario
from stages.states import Analysis, Strategy

# What Metric.series can be.
ONE, WORST = "one", "worst"
# A rollback with a canary would leave players on the bad version for longer, so it takes the normal strategy.
STRAIGHT = {Strategy.CANARY: Strategy.NORMAL}


@dataclass(frozen=True)
class Weight:
    """Percent of the players, and for how many seconds; pause_s None: until a person advances."""

    percent: int
    pause_s: int | None = None


@dataclass(frozen=True)
class Metric:
    """A query and the limit of its value. better: "lower" (at most threshold) or "higher" (at least).

    base: a second query; then the value may be worse than that of base by at most threshold percent. series: what happens
    when a query has several series: "one" refuses them, with "worst" the worst one decides.
    """

    name: str
    query: str
    threshold: float
    better: str = "lower"
    base: str = ""
    weight: int = 1
    series: str = ONE

    @property
    def stored(self) -> dict[str, Any]:
        """The metric as plain JSON. `series` is left out where it is the default: the release before does not know it."""
        found = {name: getattr(self, name) for name in Metric.__dataclass_fields__}
        if self.series == ONE:
            del found["series"]
        return found


@dataclass(frozen=True)
class CanaryPlan:
    """How a canary proceeds; times in seconds. Stored as Scenario.canary by `stored`, read by `plan_of`.

    time_limit_s: the longest wait for a decision, None for no limit. The metrics are read every interval_s, from delay_s
    after the gray part is up, for duration_s; step_s is the resolution of the queries. pass_score: 0 to 100.
    least_percent: so many percent of an interval's values have to be there, or its data is missing; one always has to.
    """

    weights: tuple[Weight, ...] = (Weight(5),)
    analysis: str = Analysis.MANUAL
    time_limit_s: int | None = None
    url: str = ""
    metrics: tuple[Metric, ...] = ()
    delay_s: int = 0
    duration_s: int = 600
    interval_s: int = 60
    step_s: int = 15
    pass_score: int = 80
    least_percent: int = 0

    @property
    def reports(self) -> int:
        """How many reports a whole analysis has."""
        return max(1, -(-self.duration_s // self.interval_s))


def plan_of(stored: Mapping[str, Any]) -> CanaryPlan:
    """The plan of a stored object; a field that is missing has its default."""
    values = {name: value for name, value in stored.items() if name in CanaryPlan.__dataclass_fields__}
    if "weights" in values:
        values["weights"] = tuple(Weight(**each) for each in values["weights"])
    if "metrics" in values:
        values["metrics"] = tuple(Metric(**each) for each in values["metrics"])
    return CanaryPlan(**values)


def stored(plan: CanaryPlan) -> dict[str, Any]:
    """The plan as plain JSON, as plan_of reads it."""
    found = {name: getattr(plan, name) for name in CanaryPlan.__dataclass_fields__}
    found["weights"] = [{"percent": each.percent, "pause_s": each.pause_s} for each in plan.weights]
    found["metrics"] = [each.stored for each in plan.metrics]
    found["analysis"] = str(plan.analysis)
    if not plan.least_percent:
        del found["least_percent"]
    return found


@dataclass(frozen=True)
class Way:
    """How one rollout proceeds: a scenario's copy, or the plain way of a stage without one.

    plain: one microservice after the other, without undo, as stages without a scenario do it.
    """

    plain: bool = True
    strategy: str = Strategy.NORMAL
    sequence: bool = True
    batch_size: int = 1
    rollback: bool = False
    commands: Mapping[str, Any] = field(default_factory=dict)
    canary: CanaryPlan = field(default_factory=CanaryPlan)

    @property
    def analysis(self) -> str:
        """Who decides on the canary; Analysis.NONE where there is no canary."""
        return self.canary.analysis if self.strategy == Strategy.CANARY else Analysis.NONE


def frozen(scenario: Scenario | None, *, going_back: bool = False) -> dict[str, Any]:
    """The copy that a rollout keeps: {} without a scenario. going_back: a rollback, which takes no canary."""
    if scenario is None:
        return {}
    return {
        "id": scenario.pk,
        "name": scenario.name,
        "strategy": str(STRAIGHT.get(scenario.strategy, scenario.strategy) if going_back else scenario.strategy),
        "sequence": scenario.sequence,
        "batch_size": scenario.batch_size,
        "rollback": scenario.rollback,
        "commands": scenario.commands,
        "canary": scenario.canary,
        "config": scenario.config,
        "approvals_required": scenario.approvals_required,
        "approvers": scenario.approvers,
        "stage_type": scenario.stage.type,
    }


def way_of(copy: Mapping[str, Any]) -> Way:
    """How a rollout with that copy proceeds."""
    if not copy:
        return Way()
    return Way(
        plain=False,
        strategy=copy["strategy"],
        sequence=copy["sequence"],
        batch_size=copy["batch_size"],
        rollback=copy["rollback"],
        commands=copy["commands"],
        canary=plan_of(copy["canary"]),
    )


def sentences(way: Way, targets: int) -> list[str]:
    """How a rollout of that way proceeds, for the preview and the scenario's page. targets: how many there are."""
    if way.plain:
        return ["One microservice after the other, each on all targets.", "If a step fails it stops there; nothing is undone."]
    found = [_spread(way, targets)]
    if way.strategy == Strategy.BLUE_GREEN:
        found.append("Players stay on the present colour until the other one is complete; then all switch at once.")
        found.append("The old colour keeps running until the next rollout, so going back is one switch.")
    if way.strategy == Strategy.CANARY:
        found += _canary(way.canary)
    found.append(
        "If a step fails, what was changed is put back." if way.rollback else "If a step fails it stops there; nothing is undone."
    )
    return found


def _spread(way: Way, targets: int) -> str:
    if way.strategy == Strategy.ROLLING:
        if targets <= way.batch_size:
            return f"In batches of {way.batch_size} targets, which is all of them at once now." if targets > 1 else "One target."
        batches = -(-targets // way.batch_size)
        many = f"{way.batch_size} targets at a time" if way.batch_size > 1 else "one target at a time"
        return f"In {batches} batches, {many}; it stops at the first batch that fails."
    if targets < 2:
        return "No target: only the pins move." if not targets else "All phases on the one target."
    return "One target after the other." if way.sequence else f"All {targets} targets at the same time."


def _canary(plan: CanaryPlan) -> list[str]:
    steps = []
    for weight in plan.weights:
        pause = f"for {span(weight.pause_s)}" if weight.pause_s is not None else "until somebody goes on"
        if weight.pause_s is None and plan.analysis == Analysis.AUTO:
            pause = "until the metrics have decided"
        steps.append(f"{weight.percent} % {pause}")
    found = [f"The new versions go to a part of the players first: {', then '.join(steps)}."]
    if plan.analysis == Analysis.MANUAL:
        limit = f" within {span(plan.time_limit_s)}, or it is withdrawn" if plan.time_limit_s else ""
        found.append(f"A person accepts or rejects it{limit}.")
    elif plan.analysis == Analysis.AUTO:
        after = f", beginning {span(plan.delay_s)} after it is up" if plan.delay_s else ""
        count = len(plan.metrics)
        found.append(
            f"{count} metric{'' if count == 1 else 's'} decide{'s' if count == 1 else ''}: looked at every "
            f"{span(plan.interval_s)} for {span(plan.duration_s)}{after}; a score of {plan.pass_score} passes."
            + (f" At least {plan.least_percent} % of the values have to be there." if plan.least_percent else "")
        )
    else:
        found.append("When the last pause is over everybody gets them; until then a person can stop it.")
    return found


def span(seconds: float) -> str:
    """90 -> "90 s", 600 -> "10 min", 7200 -> "2 h"."""
    if seconds >= 7200 and seconds % 3600 == 0:
        return f"{int(seconds // 3600)} h"
    return f"{int(seconds // 60)} min" if seconds >= 120 and seconds % 60 == 0 else f"{seconds:g} s"
