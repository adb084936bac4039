"""What a rollout has made that serves players until it is taken back (models.Leftover): written with the steps, and read.

The functions that write are called by the journal, in the transaction of the step.
"""
from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from stages.models import Leftover, Rollout, Step
from stages.states import FINAL, Leg, Phase, StepState
from stages.steps import KINDS

MAKING = frozenset({Phase.CANARY, Phase.SWITCH})
# Where a step of kind kubernetes works: a deploy there removes the gray Deployment of an earlier rollout too.
PLACE = ("kubeconfig", "namespace", "deployment")
MOST = 50
# Retries of retries that are looked at.
LONGEST_CHAIN = 10


@dataclass(frozen=True)
class Left:
    """Something that stays after its rollout's end. what: it by name. busy: a worker takes it back. problem: of the last try."""

    pk: int
    what: str
    step: Step
    busy: bool
    problem: str

    @property
    def sentence(self) -> str:
        """What it is and whose, as a sentence."""
        step = self.step
        of = "all services" if step.microservice == "*" else f"{step.microservice} {step.new_version}"
        where = f" on {step.target_name}" if step.target_name else ""
        return f"{self.what}: {step.phase} of {of}{where}."


def begun(step: Step, stage_id: int) -> None:
    """The step has begun."""
    if step.leg != Leg.UNDO and step.phase in MAKING and step.kind != "pin":
        Leftover.objects.get_or_create(step=step, defaults={"stage_id": stage_id})


def ended(step: Step, state: str, stage_id: int) -> None:
    """The step has ended so: forget what is no longer there."""
    rows = Leftover.objects.filter(stage=stage_id, step__target_name=step.target_name, step__microservice=step.microservice)
    well = state == StepState.SUCCEEDED
    if step.leg == Leg.UNDO:
        if well and step.phase in MAKING:
            rows.filter(step__phase=step.phase).delete()
    elif step.phase in MAKING:
        if well:  # it has taken over what an earlier rollout left there
            rows.filter(step__phase=step.phase).exclude(step=step).delete()
        elif made(step) is None:
            rows.filter(step=step).delete()
    elif step.phase == Phase.DEPLOY and well:
        for row in rows.filter(step__phase=Phase.CANARY).select_related("step"):
            if _replaces(step, row.step):
                row.delete()


def succeeded(stage_id: int) -> None:
    """A rollout of the stage has succeeded: the switch is what is pinned."""
    Leftover.objects.filter(stage=stage_id, step__phase=Phase.SWITCH).delete()


def _replaces(deploy: Step, canary: Step) -> bool:
    """Whether this deploy, which went well, was also the end of that canary.

    Kubernetes removes the gray Deployment of its own place, whichever rollout made it. Of other kinds only the team knows;
    their canary ends when everybody gets the version.
    """
    if canary.kind == "kubernetes":
        return deploy.kind == canary.kind and all(deploy.config.get(key) == canary.config.get(key) for key in PLACE)
    return deploy.leg == Leg.FULL


def made(step: Step) -> str | None:
    """What the step has made, by name; None for nothing. A kind that this server does not know may have made anything."""
    if step.kind not in KINDS:
        return f"what a step of kind {step.kind} did"
    return KINDS[step.kind].made(step.config, step.memo)


def rows_of(rollout: Rollout) -> QuerySet[Leftover]:
    """The rows of that rollout, and of those that it went on from: a retry keeps what they had made."""
    chain = [rollout]
    while chain[-1].retry_of_id and len(chain) < LONGEST_CHAIN:
        chain.append(chain[-1].retry_of)
    return Leftover.objects.filter(step__rollout__in=chain)


def left_by(rollout: Rollout) -> list[Left]:
    """What stays of a rollout that has ended; nothing of one that goes on."""
    return _read(rows_of(rollout)) if rollout.state in FINAL else []


def left_in(project_id: int) -> list[Left]:
    """What stays of the project's rollouts that have ended, at most MOST; each step with its rollout and stage."""
    rows = Leftover.objects.filter(
        stage__project=project_id, stage__deleted_at=None, step__rollout__state__in=sorted(FINAL)
    )
    return _read(rows.select_related("step__rollout__stage"))


def _read(rows: QuerySet[Leftover]) -> list[Left]:
    found = []
    for row in rows.select_related("step").order_by("step__microservice", "step__target_name", "step_id")[:MOST]:
        what = made(row.step)
        if what is not None:
            found.append(Left(row.pk, what, row.step, row.asked_at is not None, row.problem))
    return found
