"""What the page of a rollout says, as four parts that the live answer replaces one by one when they change."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.urls import reverse

from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import OfProject, can
from stages.approval import voters
from stages.core.actions import actions_of
from stages.core.scenarios import span, way_of
from stages.models import Output, Rollout, Step
from stages.models.scenarios import Strategy
from stages.pages.typical_duration import typical_seconds
from stages.plan.previews import failing_step
from stages.plan.redo import Chances, chances
from stages.plan.steps import EVERYTHING
from stages.states import ALL_PHASES, FINAL, LIVE, PHASES, TIMED, RolloutState, StepState

PARTS = ("head", "progress", "steps", "details")
RIGHTS = (
    "canary.decide", "rollout.approve", "rollout.cancel", "rollout.retry", "rollout.skip", "stage.promote", "stage.rollback",
)
# More rows than this are folded, apart from the ones that run or failed.
MATRIX_OPEN = 12
FAILED_LINES = 12
AS_A_WHOLE = Chances("It is tried again as a whole.")


def asker_of(kind: str, row_id: str, name: str) -> str:
    """Whom a rollout counts as asked for by, for rights_of: kind, id and name of its requester."""
    return voters.identity_of(kind, row_id, name)


def rights_of(actor: Actor, project: OfProject, asker: str) -> tuple[str, ...]:
    """The actions on a rollout that this person may do; people with the same ones share one rendering.

    asker: from asker_of. Who asked for a rollout is never offered to approve it.
    """
    mine = voters.identity_of_actor(actor) == asker
    return tuple(action for action in RIGHTS if can(actor, action, project) and not (mine and action == "rollout.approve"))


@dataclass
class Row:
    """One microservice on one target: its phases, each of one or several steps. undo: what is taken back there."""

    microservice: str
    old_version: str
    new_version: str
    target: str
    phases: tuple[str, ...] = PHASES
    undo: bool = False
    steps: dict[str, list[Step]] = field(default_factory=dict)

    @property
    def cells(self) -> list[Step | None]:
        """Per phase the step that says how it goes: the first that is not done, else the last."""
        found = []
        for phase in self.phases:
            steps = self.steps.get(phase, [])
            found.append(next((s for s in steps if s.state != StepState.SUCCEEDED), steps[-1] if steps else None))
        return found

    @property
    def all(self) -> list[Step]:
        """Every step of the row."""
        return [step for steps in self.steps.values() for step in steps]

    @property
    def busy(self) -> bool:
        """Something here runs or went wrong."""
        return any(s.state in {StepState.RUNNING, StepState.FAILED, StepState.CANCELED} for s in self.all)

    @property
    def took(self):
        """From the first start to the last end, when all phases have ended."""
        starts = [s.started_at for s in self.all if s.started_at]
        ends = [s.ended_at for s in self.all]
        return max(ends) - min(starts) if starts and all(ends) else None

    @property
    def began(self):
        """The first start, while something is still to do."""
        running = any(s.state == StepState.RUNNING for s in self.all)
        starts = [s.started_at for s in self.all if s.started_at]
        return min(starts) if running and starts else None


def matrix(steps: Iterable[Step]) -> list[Row]:
    """The steps as rows of microservice x target, in the order in which they run; an undo has rows of its own."""
    wanted = list(steps)
    there = {step.phase for step in wanted}
    phases = tuple(phase for phase in ALL_PHASES if phase in PHASES or phase in there)
    rows: dict[tuple[str, str, bool], Row] = {}
    for step in wanted:
        undo = step.leg == "undo"
        key = (step.microservice, step.target_name, undo)
        if key not in rows:
            rows[key] = Row(step.microservice, step.old_version, step.new_version, step.target_name, phases, undo)
        rows[key].steps.setdefault(step.phase, []).append(step)
    return list(rows.values())


VERBS = {
    "pre": "Preparing", "canary": "Making the canary of", "deploy": "Deploying", "switch": "Switching", "post": "Checking",
}


def current_sentence(rollout: Rollout, steps: list[Step]) -> str:
    """What happens now, in a few words."""
    where = lambda step: f" on {step.target_name}" if step.target_name else ""  # noqa: E731
    if rollout.state == RolloutState.QUEUED:
        return "Waiting until another rollout of the stage has ended" if rollout.waiting else "Waiting for a worker"
    if rollout.state == RolloutState.AWAITING_APPROVAL:
        return "Waiting for approval"
    if rollout.state == RolloutState.REJECTED:
        return "Rejected; nothing was started"
    if rollout.state == RolloutState.CANCELED and not rollout.started_at:
        return "Canceled before it began; nothing was changed"
    running = next((step for step in steps if step.state == StepState.RUNNING), None)
    if rollout.state == RolloutState.CANCELING:
        return f"Stopping {running.phase} of {running.microservice}{where(running)}" if running else "Stopping"
    if rollout.state == RolloutState.RUNNING:
        if running is None:
            return "Starting"
        what = "all players" if running.microservice == EVERYTHING else running.microservice
        return f"{VERBS[running.phase]} {what}{where(running)}"
    if rollout.state == RolloutState.ROLLING_BACK:
        return f"Putting {running.microservice} back{where(running)}" if running else "Putting back what was changed"
    if rollout.state == RolloutState.CANARY_HOLD:
        return f"{rollout.gray_weight} % of the players have the new versions"
    if rollout.state == RolloutState.CANARY_ANALYZING:
        return f"{rollout.gray_weight} % of the players have the new versions; the metrics decide"
    if rollout.state == RolloutState.CANARY_REJECTING:
        return "Withdrawing the canary"
    if rollout.state in {RolloutState.CANARY_REJECTED, RolloutState.CANARY_TIMEOUT}:
        return f"{rollout.get_state_display()}; the pinned versions did not move"
    if rollout.state == RolloutState.SUCCEEDED:
        return f"{rollout.stage.name} runs these versions now" if steps else "Nothing differed, so nothing had to be done"
    if rollout.state == RolloutState.CANCELED:
        return "Canceled; the pinned versions did not move"
    if rollout.state in FINAL:
        return "Stopped; the pinned versions did not move"
    return rollout.get_state_display()


def buttons(rollout: Rollout, rights: tuple[str, ...], *, newest: bool, again: Chances = AS_A_WHOLE) -> list[dict[str, Any]]:
    """The buttons by state and right. newest: no later rollout ran on the stage, so retry and undo make sense.

    again: how a retry can go on.
    """
    at = {"project": rollout.project.name, "number": rollout.number}
    actions = actions_of(rollout)
    found = []

    def add(name: str, label: str, icon: str, css: str, url: str) -> None:
        found.append({"id": f"do-{name}", "label": label, "icon": icon, "css": css, "url": url})

    if "canary.decide" in rights:
        decide = lambda action: reverse("rollout-canary", kwargs={**at, "action": action})  # noqa: E731
        if "canary_accept" in actions and rollout.family != "asm":
            add("accept", "Accept…", "check", "btn btn-primary", decide("accept"))
        if "advance" in actions and rollout.weight_index + 1 < len(way_of(rollout.scenario_copy).canary.weights):
            add("advance", "Next weight…", "arrow-right", "btn", decide("advance"))
        if "canary_reject" in actions and rollout.family != "asm":
            add("reject", "Withdraw…", "arrow-back-up", "btn", decide("reject"))
    if "approve" in actions and "rollout.approve" in rights:
        add("approve", "Approve…", "shield-check", "btn btn-primary", reverse("rollout-approve", kwargs=at))
        add("reject", "Reject…", "x", "btn", reverse("rollout-reject", kwargs=at))
    # Who asked may always withdraw; the page is shared by all with the same rights, so the service says no to others.
    if "cancel" in actions and ("rollout.cancel" in rights or rollout.state == RolloutState.AWAITING_APPROVAL):
        add("cancel", "Cancel…", "ban", "btn", reverse("rollout-cancel", kwargs=at))
    if "retry" in actions and "rollout.retry" in rights and newest:
        retry = reverse("rollout-retry", kwargs=at)
        label = "Retry from this step…" if again.failed and not again.whole else "Retry…"
        add("retry", label, "refresh", "btn btn-primary", retry)
        if again.failed and "rollout.skip" in rights:
            add("skip", "Skip this step…", "arrow-right", "btn", f"{retry}?how=skip")
    # Where nothing was ever pinned there is nothing to put back.
    if "rollback" in actions and "stage.rollback" in rights and newest and rollout.stage.current_set_id:
        url = reverse("stage-rollback", kwargs={"project": rollout.project.name, "stage": rollout.stage.name})
        add("rollback", "Roll back…", "arrow-back-up", "btn", url if rollout.consistent else url + "?to=pinned")
    return found


def parts_context(rollout: Rollout, rights: tuple[str, ...]) -> dict[str, Any]:
    """Everything the four parts show. At most six queries; `rollout` has stage, from_set and to_set loaded.

    Nothing in it depends on the moment or on the reader but `rights`, so that one rendering serves all watchers.
    """
    steps = list(rollout.steps.order_by("position").defer("config", "memo"))
    rows = matrix(steps)
    final = rollout.state in FINAL
    bad = rollout.state in {RolloutState.FAILED, RolloutState.ERRORED}
    failing = failing_step(rollout) if bad else None
    # One that waits for approval, or was rejected, has not touched the stage.
    ran = Q(started_at__isnull=False) | Q(state__in=sorted(LIVE))
    later = Rollout.objects.filter(ran, stage_id=rollout.stage_id, id__gt=rollout.pk).order_by("-id")
    newer = later.values_list("number", flat=True).first() if final else None
    return {
        "rollout": rollout,
        "stage": rollout.stage,
        "final": final,
        "bad": bad,
        "sentence": current_sentence(rollout, steps),
        "rows": rows,
        "folded": len(rows) > MATRIX_OPEN,
        "undoing": any(row.undo for row in rows),
        "busy_rows": [row for row in rows if row.busy],
        "target_names": (names := sorted({row.target for row in rows if row.target})),
        "only_target": names[0] if len(names) == 1 else "",
        "failing": failing,
        "failing_lines": _last_lines(rollout, failing) if failing else [],
        "buttons": buttons(rollout, rights, newest=newer is None, again=chances(rollout, steps)),
        "newer": newer,
        "usual_s": None if final else typical_seconds([rollout.stage_id]).get(rollout.stage_id),
        "undo": _undo(rollout, rows),
        "phases": rows[0].phases if rows else PHASES,
        "canary": canary_of(rollout) if rollout.strategy == Strategy.CANARY else None,
        "approval": (approval := getattr(rollout, "approval", None)),
        "votes": list(rollout.votes.order_by("id")) if approval else [],
        "tone": "bad" if bad else "ok" if rollout.state == RolloutState.SUCCEEDED else "muted" if final else "info",
    }


def canary_of(rollout: Rollout) -> dict[str, Any]:
    """How far the canary is: its weights, its clocks, and what the metrics said so far."""
    plan = way_of(rollout.scenario_copy).canary
    up = rollout.state in TIMED
    weights = []
    for index, weight in enumerate(plan.weights):
        past = rollout.leg != "canary" or index < rollout.weight_index
        css = "is-now" if up and index == rollout.weight_index else "is-past" if past and (up or rollout.leg == "full") else ""
        pause = f" for {span(weight.pause_s)}" if weight.pause_s is not None else ""
        weights.append((f"{weight.percent} %{pause}", css))
    return {
        "up": up, "weights": weights, "plan": plan, "reports": list(rollout.reports.all()) if plan.analysis == "auto" else [],
        "accepts_itself": plan.analysis == "none", "pass_score": plan.pass_score, "of": plan.reports,
    }


def _last_lines(rollout: Rollout, step: Step) -> list[Output]:
    """The last lines that the failing step wrote."""
    rows = Output.objects.filter(rollout=rollout, step_position=step.position).order_by("-seq")
    return list(rows[:FAILED_LINES])[::-1]


def _undo(rollout: Rollout, rows: list[Row]) -> list[tuple[str, str]]:
    """What a rollback of this rollout would bring back: (microservice, old version), each once."""
    return list({row.microservice: row.old_version for row in rows if not row.undo and row.microservice != EVERYTHING}.items())
