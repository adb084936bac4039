"""What a promote or rollback would do, read at one moment. The rollout is made from the same preview that people confirm."""
from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from gs2admin.errors import Invalid
from stages.core.scenarios import Way, frozen, sentences, way_of
from stages.core.versions import Change, differences, digest, effective
from stages.models import Rollout, Scenario, Stage, Step, Version, VersionSet
from stages.plan.part import part_of
from stages.plan.steps import StepPlan, TargetPlan, steps_of
from stages.states import Kind, Leg, Phase, RolloutState, Strategy

# "The stage's own scenario", where None means: without one.
STAGE_S_OWN: Any = object()
COLOURS = {"blue": "green", "green": "blue"}


@dataclass(frozen=True)
class Preview:
    """All that a rollout will be when somebody confirms it.

    from_versions, to_versions: {microservice: version}. changes: one per microservice, those that stay the same included.
    undoes: the rollout that a rollback takes back. scenario_copy: what the rollout will keep of the scenario. colour: the
    one it deploys to, where the stage has colours. accepted: it goes on from a rollout (retry_of) whose canary was
    accepted, so it begins with the leg in which everybody gets the new versions. part: the microservices that were chosen, empty
    when all that differ go; behind: the changes that then stay behind.
    """

    stage: Stage
    kind: str
    from_versions: Mapping[str, str]
    to_versions: Mapping[str, str]
    from_set: VersionSet | None
    source_name: str
    changes: list[Change]
    targets: list[TargetPlan]
    steps: list[StepPlan]
    undoes: Rollout | None = None
    retry_of: Rollout | None = None
    warnings: list[str] = field(default_factory=list)
    scenario: Scenario | None = None
    scenario_copy: dict[str, Any] = field(default_factory=dict)
    colour: str = ""
    accepted: bool = False
    part: tuple[str, ...] = ()
    behind: list[Change] = field(default_factory=list)

    @property
    def effective(self) -> list[Change]:
        """The changes without those that stay the same."""
        return effective(self.changes)

    @property
    def way(self) -> Way:
        """How it will proceed."""
        return way_of(self.scenario_copy)

    @property
    def summary(self) -> list[str]:
        """How it will proceed, in sentences."""
        if self.instant:
            return [f"The {self.colour} colour still runs these versions: players are switched over at once."]
        if self.accepted:
            return [f"The canary was accepted in rollout {self.retry_of.number}: everybody gets the new versions from here on."]
        return sentences(self.way, len(self.targets))

    @property
    def leg(self) -> str:
        """The leg that it begins with."""
        if self.accepted:
            return Leg.FULL
        return Leg.CANARY if any(step.leg == Leg.CANARY for step in self.steps) else Leg.BASE

    @property
    def instant(self) -> bool:
        """Blue/green, and the other colour has everything already: only the switch is left."""
        return bool(self.steps) and self.way.strategy == Strategy.BLUE_GREEN and all(s.phase == Phase.SWITCH for s in self.steps)

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over both sides and the plan: who confirms a digest confirms exactly this."""
        return digest(
            [
                self.stage.pk,
                self.kind,
                dict(self.from_versions),
                dict(self.to_versions),
                [[c.name, c.old, c.new, c.kind] for c in self.effective],
                [[t.name, t.kind, t.config, t.uid, t.rotation] for t in self.targets],
                self.undoes.pk if self.undoes else None,
                self.scenario_copy,
                [[s.microservice, s.phase, s.leg, s.wave, s.lane] for s in self.steps] if self.scenario_copy else None,
                [s.origin for s in self.steps] if any(s.origin for s in self.steps) else None,
                *([list(self.part)] if self.part else []),
            ]
        )


def versions_of(found: VersionSet | None) -> dict[str, str]:
    """The set's versions; empty when nothing was ever deployed."""
    return dict(found.versions) if found else {}


def source_versions(stage: Stage) -> dict[str, str]:
    """What the next promote would apply, {microservice: version}: the source stage's pins, or the latest versions without one."""
    if stage.source_id is None:
        return Version.objects.latest(stage.project_id)
    return versions_of(stage.source.current_set)


def unsure_services(stage: Stage) -> set[str]:
    """Microservices whose targets may not run what is pinned, because a rollout since the last success failed."""
    last = Rollout.objects.filter(stage=stage, state=RolloutState.SUCCEEDED).order_by("-id").values_list("id", flat=True)
    bad = Rollout.objects.filter(stage=stage, consistent=False, id__gt=last.first() or 0)
    return set(
        Step.objects.filter(rollout__in=bad, phase__in=[Phase.DEPLOY, Phase.CANARY], started_at__isnull=False)
        .exclude(kind="pin")
        .values_list("microservice", flat=True)
    )


def _fresh(stage: Stage) -> Stage:
    rows = Stage.objects.select_related("current_set", "source__current_set", "idle_set", "scenario")
    return rows.get(pk=stage.pk)


def _targets(stage: Stage) -> list[TargetPlan]:
    return [TargetPlan(t.name, t.kind, t.config, str(t.uid), t.rotation, t.pk) for t in stage.targets.all()]


def preview_of(
    stage: Stage, kind: str, to_versions: Mapping[str, str], source_name: str, *, scenario: Any = STAGE_S_OWN, **more
) -> Preview:
    """The preview of bringing the stage to these versions now, {microservice: version}.

    source_name: where they come from, "" without. scenario: one of the stage, None for the plain way; the stage's own by
    default. more: further fields of Preview.
    """
    from_versions = versions_of(stage.current_set)
    targets = _targets(stage)
    changes = differences(from_versions, to_versions, unsure_services(stage))
    chosen = stage.scenario if scenario is STAGE_S_OWN else scenario
    if chosen is not None:
        chosen.stage = stage
    copy = frozen(chosen, going_back=kind == Kind.ROLLBACK)
    steps, colour = _steps(stage, changes, targets, way_of(copy), to_versions)
    warnings = [
        f"{c.name} goes back from {c.old} to {c.new}." for c in changes if c.kind == "downgraded" and kind == Kind.PROMOTE
    ] + [f"{c.name} will be removed from {stage.name}." for c in changes if c.kind == "removed"]
    return Preview(
        stage=stage,
        kind=kind,
        from_versions=from_versions,
        to_versions=dict(to_versions),
        from_set=stage.current_set,
        source_name=source_name,
        changes=changes,
        targets=targets,
        steps=steps,
        warnings=warnings,
        scenario=chosen,
        scenario_copy=copy,
        colour=colour,
        **more,
    )


def _steps(
    stage: Stage, changes: list[Change], targets: list[TargetPlan], way: Way, to_versions: Mapping[str, str]
) -> tuple[list[StepPlan], str]:
    """The steps, and the colour that they deploy to. Blue/green deploys what the other colour lacks, not what this has."""
    wanted = effective(changes)
    if way.strategy != Strategy.BLUE_GREEN:
        return steps_of(wanted, targets, way), stage.colour
    now = stage.colour or "blue"
    other = COLOURS[now]
    if not wanted:
        return [], other
    if stage.idle_set is None:
        lacking = [Change(name, "", version, "added") for name, version in sorted(to_versions.items())]
    else:
        lacking = effective(differences(stage.idle_set.versions, to_versions))
    switch = {"from": now, "to": other, "services": sorted(to_versions)}
    return steps_of(lacking, targets, way, switch=switch), other


def preview_promote(stage: Stage, *, scenario: Any = STAGE_S_OWN, only: Collection[str] = ()) -> Preview:
    """The preview of promoting the stage now. only: the microservices that go, where not all that differ do.

    Raises Invalid when the source stage has no versions while this one has: that would remove everything; and for a
    microservice that neither has.
    """
    stage = _fresh(stage)
    to_versions = source_versions(stage)
    if stage.source_id and not to_versions and stage.current_set_id:
        raise Invalid(
            f"{stage.source.name} has no versions yet, so promoting would remove everything from {stage.name}. "
            f"Promote {stage.source.name} first.",
            component="stage",
            message="freeze.stage.stage.error.invalid",
            code="freeze.stage.sourceEmpty",
        )
    name = stage.source.name if stage.source_id else ""
    part = part_of(versions_of(stage.current_set), to_versions, only)
    return preview_of(stage, Kind.PROMOTE, part.versions, name, scenario=scenario, part=part.names, behind=part.behind)


def preview_rollback(stage: Stage, *, to: str = "previous", retry_of: Rollout | None = None) -> Preview:
    """The preview of rolling the stage back now.

    to="previous": the versions before the last succeeded rollout that was not rolled back yet.
    to="pinned": what is pinned, deployed again where an unfinished rollout left something else.
    Raises Invalid when there is nothing to go back to.
    """
    stage = _fresh(stage)
    if to == "pinned":
        if stage.current_set_id is None or not unsure_services(stage):
            raise Invalid(
                f"Everything on {stage.name} already runs what is pinned; there is nothing to put back.",
                component="stage",
                message="freeze.stage.stage.error.invalid",
                code="freeze.stage.nothingToPutBack",
            )
        return preview_of(stage, Kind.ROLLBACK, versions_of(stage.current_set), "", retry_of=retry_of)
    if to != "previous":
        raise Invalid("A rollback goes to 'previous' or to 'pinned'.", component="stage",
                      message="freeze.stage.stage.error.invalid")
    undoes = Rollout.objects.undoable(stage.pk).select_related("from_set").first()
    if undoes is None:
        raise Invalid(
            f"{stage.name} has no earlier versions to go back to.",
            component="stage",
            message="freeze.stage.stage.error.invalid",
            code="freeze.stage.noPreviousVersions",
        )
    return preview_of(stage, Kind.ROLLBACK, versions_of(undoes.from_set), "", undoes=undoes, retry_of=retry_of)
