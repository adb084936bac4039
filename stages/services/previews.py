"""What a promote or rollback would do, read at one moment: the preview and the rollout come from the same function."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gs2admin.errors import Invalid
from stages.models import Rollout, Stage, Step, Version, VersionSet
from stages.rollout.plan import StepPlan, TargetPlan, steps_of
from stages.states import STEP_FINAL, Kind, RolloutState, StepState
from stages.versions import Change, differences, digest, effective


@dataclass(frozen=True)
class Preview:
    """Everything that confirming would start.

    changes: one per microservice, also those that stay the same. digest covers both sides and the plan, so that
    whoever confirms it confirms exactly this. undoes: the rollout that a rollback takes back.
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

    @property
    def effective(self) -> list[Change]:
        """The changes without those that stay the same."""
        return effective(self.changes)

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over everything above that matters."""
        return digest(
            [
                self.stage.pk,
                self.kind,
                dict(self.from_versions),
                dict(self.to_versions),
                [[c.name, c.old, c.new, c.kind] for c in self.effective],
                [[t.name, t.kind, t.config, t.uid, t.rotation] for t in self.targets],
                self.undoes.pk if self.undoes else None,
            ]
        )


def versions_of(found: VersionSet | None) -> dict[str, str]:
    """The set's versions; empty when nothing was ever deployed."""
    return dict(found.versions) if found else {}


def source_versions(stage: Stage) -> dict[str, str]:
    """What the next promote would apply: the source stage's pins, or the latest versions when there is no source."""
    if stage.source_id is None:
        return Version.objects.latest(stage.project_id)
    return versions_of(stage.source.current_set)


def unsure_services(stage: Stage) -> set[str]:
    """Microservices whose targets may not run what is pinned: deployed by rollouts that ended badly since the last success."""
    last = Rollout.objects.filter(stage=stage, state=RolloutState.SUCCEEDED).order_by("-id").values_list("id", flat=True)
    bad = Rollout.objects.filter(stage=stage, consistent=False, id__gt=last.first() or 0)
    return set(
        Step.objects.filter(rollout__in=bad, phase="deploy", started_at__isnull=False)
        .exclude(kind="pin")
        .values_list("microservice", flat=True)
    )


def _fresh(stage: Stage) -> Stage:
    return Stage.objects.select_related("current_set", "source__current_set").get(pk=stage.pk)


def _targets(stage: Stage) -> list[TargetPlan]:
    return [TargetPlan(t.name, t.kind, t.config, str(t.uid), t.rotation) for t in stage.targets.all()]


def preview_of(stage: Stage, kind: str, to_versions: Mapping[str, str], source_name: str, **more) -> Preview:
    """What bringing the stage to these versions would do now; the callers below decide which versions."""
    from_versions = versions_of(stage.current_set)
    targets = _targets(stage)
    changes = differences(from_versions, to_versions, unsure_services(stage))
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
        steps=steps_of(effective(changes), targets),
        warnings=warnings,
        **more,
    )


def preview_promote(stage: Stage, *, retry_of: Rollout | None = None) -> Preview:
    """What promoting the stage would do now.

    Raises Invalid when the source stage has never been deployed while this one has: that would remove everything.
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
    return preview_of(stage, Kind.PROMOTE, to_versions, stage.source.name if stage.source_id else "", retry_of=retry_of)


def preview_rollback(stage: Stage, *, to: str = "previous", retry_of: Rollout | None = None) -> Preview:
    """What rolling the stage back would do now.

    to="previous": the versions before the last succeeded rollout that was not rolled back yet, like undo.
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


def failing_step(rollout: Rollout) -> Step | None:
    """The step that ended a failed rollout, or the one that was under way when it errored."""
    steps = rollout.steps.exclude(state__in=[StepState.SUCCEEDED, StepState.PENDING, StepState.NO_PROGRESS])
    return steps.filter(state__in=STEP_FINAL).order_by("position").first() or steps.order_by("position").first()
