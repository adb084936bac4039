"""What the page of a rollout shows, in four parts; the live answer replaces each part when it changes."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.urls import reverse

from gs2admin.identity.actors import Actor
from gs2admin.identity.rights import OfProject, can
from stages.approval import voters
from stages.core.accounts import account
from stages.core.actions import actions_of
from stages.core.leftovers import left_by
from stages.core.scenarios import span, way_of
from stages.models import Output, Rollout, Step
from stages.pages.rollout_sentence import current_sentence
from stages.pages.typical_duration import typical_seconds
from stages.plan.helps import helps_of
from stages.plan.redo import Chances, chances
from stages.plan.steps import EVERYTHING
from stages.states import (
    ALL_PHASES,
    FINAL,
    LIVE,
    PHASES,
    TIMED,
    Analysis,
    Leg,
    Protocol,
    RolloutState,
    StepState,
    Strategy,
)

PARTS = ("head", "progress", "steps", "details")
RIGHTS = (
    "canary.decide", "rollout.approve", "rollout.cancel", "rollout.retry", "rollout.skip", "stage.promote", "stage.rollback",
)
# More rows than this are folded, apart from the ones that run or failed.
MATRIX_OPEN = 12
FAILED_LINES = 12
AS_A_WHOLE = Chances("It is tried again as a whole.")


def requester_of(kind: str, row_id: str, name: str) -> str:
    """The identity of the person or program that requested a rollout, for rights_of: from its kind, id and name."""
    return voters.identity_of(kind, row_id, name)


def rights_of(actor: Actor, project: OfProject, requester: str) -> tuple[str, ...]:
    """The actions on a rollout that this person may do; people with the same ones share one rendering.

    requester: from requester_of. Nobody may approve a rollout that they requested.
    """
    mine = voters.identity_of_actor(actor) == requester
    return tuple(action for action in RIGHTS if can(actor, action, project) and not (mine and action == "rollout.approve"))


@dataclass
class Row:
    """One microservice on one target: its phases, each of one or several steps. undo: the row undoes earlier steps."""

    microservice: str
    old_version: str
    new_version: str
    target: str
    phases: tuple[str, ...] = PHASES
    undo: bool = False
    steps: dict[str, list[Step]] = field(default_factory=dict)

    @property
    def cells(self) -> list[Step | None]:
        """Per phase the first step that is not done, else the last one; None for a phase without steps."""
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
        """A step runs, failed or was canceled."""
        return any(s.state in {StepState.RUNNING, StepState.FAILED, StepState.CANCELED} for s in self.all)

    @property
    def took(self):
        """The time from the first start to the last end; None until all steps have ended."""
        starts = [s.started_at for s in self.all if s.started_at]
        ends = [s.ended_at for s in self.all]
        return max(ends) - min(starts) if starts and all(ends) else None

    @property
    def began(self):
        """The first start, while a step runs; else None."""
        running = any(s.state == StepState.RUNNING for s in self.all)
        starts = [s.started_at for s in self.all if s.started_at]
        return min(starts) if running and starts else None


def matrix(steps: Iterable[Step]) -> list[Row]:
    """The steps as rows of microservice x target, in the order in which they run; steps that undo have their own rows."""
    wanted = list(steps)
    there = {step.phase for step in wanted}
    phases = tuple(phase for phase in ALL_PHASES if phase in PHASES or phase in there)
    rows: dict[tuple[str, str, bool], Row] = {}
    for step in wanted:
        undo = step.leg == Leg.UNDO
        key = (step.microservice, step.target_name, undo)
        if key not in rows:
            rows[key] = Row(step.microservice, step.old_version, step.new_version, step.target_name, phases, undo)
        rows[key].steps.setdefault(step.phase, []).append(step)
    return list(rows.values())


def buttons(rollout: Rollout, rights: tuple[str, ...], *, newest: bool, again: Chances = AS_A_WHOLE) -> list[dict[str, Any]]:
    """The buttons by state and right.

    newest: no later rollout ran on the stage; only then a retry or a rollback is offered. again: how a retry can go on.
    """
    at = {"project": rollout.project.name, "number": rollout.number}
    actions = actions_of(rollout)
    found = []

    def add(name: str, label: str, icon: str, css: str, url: str) -> None:
        found.append({"id": f"do-{name}", "label": label, "icon": icon, "css": css, "url": url})

    if "canary.decide" in rights:
        decide = lambda action: reverse("rollout-canary", kwargs={**at, "action": action})  # noqa: E731
        if "canary_accept" in actions and rollout.protocol != Protocol.ASM:
            add("accept", "Accept…", "check", "btn btn-primary", decide("accept"))
        if "advance" in actions and rollout.canary.weight_index + 1 < len(way_of(rollout.scenario_copy).canary.weights):
            add("advance", "Next weight…", "arrow-right", "btn", decide("advance"))
        if "canary_reject" in actions and rollout.protocol != Protocol.ASM:
            add("reject", "Withdraw…", "arrow-back-up", "btn", decide("reject"))
    if "approve" in actions and "rollout.approve" in rights:
        add("approve", "Approve…", "shield-check", "btn btn-primary", reverse("rollout-approve", kwargs=at))
        add("reject", "Reject…", "x", "btn", reverse("rollout-reject", kwargs=at))
    # The requester may always cancel a request. All people with the same rights share the page, so the service refuses others.
    if "cancel" in actions and ("rollout.cancel" in rights or rollout.state == RolloutState.AWAITING_APPROVAL):
        add("cancel", "Cancel…", "ban", "btn", reverse("rollout-cancel", kwargs=at))
    if "retry" in actions and "rollout.retry" in rights and newest:
        retry = reverse("rollout-retry", kwargs=at)
        label = "Retry from this step…" if again.failed and not again.whole else "Retry…"
        add("retry", label, "refresh", "btn btn-primary", retry)
        if again.failed and "rollout.skip" in rights:
            add("skip", "Skip this step…", "arrow-right", "btn", f"{retry}?how=skip")
    # A stage that never pinned anything has nothing to go back to.
    if "rollback" in actions and "stage.rollback" in rights and newest and rollout.stage.current_set_id:
        url = reverse("stage-rollback", kwargs={"project": rollout.project.name, "stage": rollout.stage.name})
        add("rollback", "Roll back…", "arrow-back-up", "btn", url if rollout.consistent else url + "?to=pinned")
    return found


def parts_context(rollout: Rollout, rights: tuple[str, ...]) -> dict[str, Any]:
    """The context of the four parts: at most seven queries, nine of a failed one. rollout: with stage, from_set, to_set.

    It depends on the rollout and on `rights` alone, not on the time or the reader: one rendering serves all watchers.
    """
    steps = list(rollout.steps.order_by("position").defer("config", "memo"))
    rows = matrix(steps)
    final = rollout.state in FINAL
    bad = rollout.state in {RolloutState.FAILED, RolloutState.ERRORED}
    found = account(rollout, steps) if final else None
    failing = found.step if found and bad else None
    # One that waits for approval, or was rejected, has not touched the stage.
    ran = Q(started_at__isnull=False) | Q(state__in=sorted(LIVE))
    later = Rollout.objects.filter(ran, stage_id=rollout.stage_id, id__gt=rollout.pk).order_by("-id")
    newer = later.values_list("number", flat=True).first() if final else None
    return {
        "rollout": rollout,
        "stage": rollout.stage,
        "final": final,
        "bad": bad,
        "sentence": found.first if found and bad else current_sentence(rollout, steps),
        "account": found,
        "helps": helps_of(rollout, steps, found, newer=newer) if found else [],
        "withdrawn_because": "" if bad else rollout.error,
        "rows": rows,
        "folded": len(rows) > MATRIX_OPEN,
        "busy_rows": [row for row in rows if row.busy],
        "target_names": (names := sorted({row.target for row in rows if row.target})),
        "only_target": names[0] if len(names) == 1 else "",
        "failing": failing,
        "failing_output": _last_output(rollout, failing) if failing else [],
        "buttons": buttons(rollout, rights, newest=newer is None, again=chances(rollout, steps)),
        "newer": newer,
        "left": (left := left_by(rollout)),
        "taking_back": any(each.busy for each in left),
        "may_take_back": "canary.decide" in rights,
        "typical_s": None if final else typical_seconds([rollout.stage_id]).get(rollout.stage_id),
        "undo": _undo(rollout, rows),
        "phases": rows[0].phases if rows else PHASES,
        "canary": canary_of(rollout) if rollout.strategy == Strategy.CANARY else None,
        "approval": (approval := getattr(rollout, "approval", None)),
        "votes": list(rollout.votes.order_by("id")) if approval else [],
        "tone": "bad" if bad else "ok" if rollout.state == RolloutState.SUCCEEDED else "muted" if final else "info",
    }


def canary_of(rollout: Rollout) -> dict[str, Any]:
    """The progress of the canary: its weights, its times, and the reports of the metrics so far."""
    plan = way_of(rollout.scenario_copy).canary
    up = rollout.state in TIMED
    weights, now = [], rollout.canary.weight_index
    for index, weight in enumerate(plan.weights):
        past = rollout.leg != Leg.CANARY or index < now
        css = "is-now" if up and index == now else "is-past" if past and (up or rollout.leg == Leg.FULL) else ""
        pause = f" for {span(weight.pause_s)}" if weight.pause_s is not None else ""
        weights.append((f"{weight.percent} %{pause}", css))
    reports = list(rollout.reports.all()) if plan.analysis == Analysis.AUTO else []
    return {
        "up": up, "weights": weights, "plan": plan, "reports": reports,
        "accepts_itself": plan.analysis == Analysis.NONE, "pass_score": plan.pass_score, "of": plan.reports,
    }


def _last_output(rollout: Rollout, step: Step) -> list[Output]:
    """The last lines of output of the failing step."""
    rows = Output.objects.filter(rollout=rollout, step_position=step.position).order_by("-seq")
    return list(rows[:FAILED_LINES])[::-1]


def _undo(rollout: Rollout, rows: list[Row]) -> list[tuple[str, str]]:
    """The versions that a rollback of this rollout would bring back: (microservice, old version), each once."""
    return list({row.microservice: row.old_version for row in rows if not row.undo and row.microservice != EVERYTHING}.items())
