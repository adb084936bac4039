"""The fixed words of stages (states, legs, phases, …) and the table of moves of a rollout.

Buttons, guards, refusals and the stage's status read this table. It holds every move of the contract (C1 to X2). C moves
make a rollout, all others change one. The values of the enumerations are what the database stores.
"""
from __future__ import annotations

from django.db import models

from gs2admin.transitions import Move


class RolloutState(models.TextChoices):
    """The state of a rollout. ERRORED is shown as failed too: there gs2admin, a worker, an undo or a withdrawal broke."""

    AWAITING_APPROVAL = "awaiting_approval", "Waiting for approval"
    REJECTED = "rejected", "Rejected"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    ROLLING_BACK = "rolling_back", "Undoing"
    CANARY_ANALYZING = "canary_analyzing", "Canary is analyzed"
    CANARY_HOLD = "canary_hold", "Canary waits for a decision"
    CANARY_REJECTING = "canary_rejecting", "Canary is withdrawn"
    CANARY_REJECTED = "canary_rejected", "Canary withdrawn"
    CANARY_TIMEOUT = "canary_timeout", "Canary timed out"
    CANCELING = "canceling", "Canceling"
    CANCELED = "canceled", "Canceled"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    ERRORED = "errored", "Failed"


class StageType(models.TextChoices):
    """What a stage deploys to; the values are SourceDeploy's words."""

    SERVER = "Server", "Servers"
    AUTO_SCALING = "AutoScalingGroup", "Auto scaling group"
    KUBERNETES = "KubernetesService", "Kubernetes"
    OBJECT_STORAGE = "ObjectStorage", "Object storage"


class Strategy(models.TextChoices):
    """How the new version comes to all targets; the values are SourceDeploy's words."""

    NORMAL = "normal", "Normal"
    ROLLING = "rolling", "Rolling"
    BLUE_GREEN = "blueGreen", "Blue/green"
    CANARY = "canary", "Canary"


class Analysis(models.TextChoices):
    """Who decides whether a canary is good."""

    NONE = "none", "Nobody: it goes on when its pauses are over"
    MANUAL = "manual", "A person"
    AUTO = "auto", "Metrics"


class Protocol(models.TextChoices):
    """The protocol that a rollout was requested through; it decides which actions are open and how its history is worded."""

    FREEZE = "freeze", "GS2-Freeze"
    SOURCE_DEPLOY = "sourcedeploy", "SourceDeploy"
    ASM = "asm", "ASM mesh release"


class Leg(models.TextChoices):
    """A part of a rollout. A canary has CANARY and then FULL, every other strategy has BASE; UNDO takes steps back."""

    BASE = "base", "All targets"
    CANARY = "canary", "Canary"
    FULL = "full", "Everybody"
    UNDO = "undo", "Undo"


class Phase(models.TextChoices):
    """What a step does to a target, in the order of a page.

    CANARY makes the gray part beside what runs; SWITCH sends players to the other colour.
    """

    PRE = "pre", "Before"
    CANARY = "canary", "Canary"
    DEPLOY = "deploy", "Deploy"
    SWITCH = "switch", "Switch"
    POST = "post", "After"


class Origin(models.TextChoices):
    """Why a step counts as done without this rollout running it."""

    RUN = "", "This rollout runs it"
    CARRIED = "carried", "Done by the rollout that is retried"
    SKIPPED = "skipped", "Left out by a person"


class Cause(models.TextChoices):
    """What made a rollout leave its way: empty while nothing did."""

    NONE = "", "Nothing"
    USER = "user", "A person"
    SCORE = "score", "The canary's score"
    TIMEOUT = "timeout", "The end of a time limit"
    STEP = "step", "A step that failed"
    SYSTEM = "system", "gs2admin"


S = RolloutState
FINAL = frozenset({S.REJECTED, S.CANARY_REJECTED, S.CANARY_TIMEOUT, S.CANCELED, S.SUCCEEDED, S.FAILED, S.ERRORED})
# Live: past approval and not final. Of a stage at most one is live that does not wait for its turn, and the stage is Updating.
LIVE = frozenset(S) - FINAL - {S.AWAITING_APPROVAL}
# The states that need a worker.
WORKABLE = frozenset({S.QUEUED, S.RUNNING, S.ROLLING_BACK, S.CANARY_REJECTING, S.CANCELING})


# What moves by the clock: the ticker looks when RolloutCanary.wake_at has come.
TIMED = frozenset({S.CANARY_ANALYZING, S.CANARY_HOLD})


class StageStatus(models.TextChoices):
    """The status of a stage as clients see it; derived from its rollouts, never stored."""

    ACTIVE = "Active", "Active"
    UPDATING = "Updating", "Updating"
    UPDATE_FAILED = "UpdateFailed", "Update failed"


class StepState(models.TextChoices):
    """The state of a step."""

    PENDING = "pending", "Waiting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Done"
    FAILED = "failed", "Failed"
    CANCELED = "canceled", "Stopped"
    NO_PROGRESS = "no_progress", "Not started"


# The states of a rollout in which steps run: those that take something back, and all others.
UNDO_IN = frozenset({S.ROLLING_BACK, S.CANARY_REJECTING, S.CANCELING})
STEP_IN = frozenset({S.RUNNING})
STEP_FINAL = frozenset(StepState) - {StepState.PENDING, StepState.RUNNING}
# The phases of every rollout; canary and switch belong to their strategies.
PHASES = (Phase.PRE, Phase.DEPLOY, Phase.POST)
ALL_PHASES = tuple(Phase)


class Kind(models.TextChoices):
    """What a rollout was requested as."""

    PROMOTE = "promote", "Promote"
    ROLLBACK = "rollback", "Roll back"
    DEPLOY = "deploy", "Deploy"
    RELEASE = "release", "Release"


def _move(id: str, sources: str, target: str, action: str, who: str, note: str = "") -> Move:
    return Move(id, action, frozenset(S(word) for word in sources.split()), S(target), who, note)


# Moves that make a rollout: id, first state, action, who.
CREATIONS = (
    ("C1", S.AWAITING_APPROVAL, "request", "requester"),
    ("C2", S.QUEUED, "deploy", "deployer"),
    ("C3", S.QUEUED, "promote", "deployer"),
    ("C4", S.QUEUED, "rollback", "deployer"),
    ("C5", S.QUEUED, "release", "deployer"),
)
MOVES = (
    _move("A1", "awaiting_approval", "queued", "approve", "approver"),
    _move("A2", "awaiting_approval", "rejected", "reject", "approver"),
    _move("A3", "awaiting_approval", "canceled", "cancel", "requester"),
    _move("Q1", "queued", "running", "start", "system"),
    _move("Q2", "queued", "canceled", "cancel", "deployer"),
    _move("R1", "running", "succeeded", "succeed", "system", "every target ended well; the pins move"),
    _move("R2", "running", "failed", "fail", "system", "a step failed and nothing is to be undone"),
    _move("R3", "running", "rolling_back", "undo", "system", "a step failed and the scenario undoes"),
    _move("R4", "running", "errored", "error", "system"),
    _move("R5", "running", "canceling", "cancel", "deployer"),
    _move("R6", "running", "canary_analyzing", "analyze", "system"),
    _move("R7", "running", "canary_hold", "hold", "system"),
    _move("B1", "rolling_back", "failed", "undone", "system"),
    _move("B2", "rolling_back", "errored", "error", "system"),
    _move("N1", "canary_analyzing", "running", "pass", "system"),
    _move("N2", "canary_analyzing", "canary_rejecting", "score_low", "system"),
    _move("N3", "canary_analyzing", "canceling", "cancel", "deployer"),
    _move("N4", "canary_analyzing", "errored", "error", "system"),
    _move("H1", "canary_hold", "running", "canary_accept", "deployer"),
    _move("H2", "canary_hold", "canary_rejecting", "canary_reject", "deployer"),
    _move("H3", "canary_hold", "canary_rejecting", "canary_expire", "system"),
    _move("H4", "canary_hold", "running", "release_update", "deployer"),
    _move("H5", "canary_hold", "canary_hold", "set_weight", "deployer"),
    _move("H6", "canary_hold", "canceling", "cancel", "deployer"),
    _move("J1", "canary_rejecting", "canary_rejected", "withdrawn", "system"),
    _move("J2", "canary_rejecting", "canary_timeout", "withdrawn_late", "system"),
    _move("J3", "canary_rejecting", "errored", "error", "system"),
    _move("X1", "canceling", "canceled", "stopped", "system", "a canary that nobody had accepted is withdrawn first"),
    _move("X2", "canceling", "errored", "error", "system"),
)
BY_ID = {move.id: move for move in MOVES}
_BY_STATE = {(source, move.action): move for move in MOVES for source in move.sources}
USER_ACTIONS = ("approve", "reject", "cancel", "canary_accept", "canary_reject", "set_weight", "release_update")


def move_for(state: str, action: str) -> Move | None:
    """The move that `action` makes from `state`; None when the table has none."""
    return _BY_STATE.get((S(state), action))


def user_actions(
    state: str, *, strategy: str = Strategy.NORMAL, leg: str = Leg.BASE, protocol: str = Protocol.FREEZE, stage_type: str = ""
) -> tuple[str, ...]:
    """The names of the actions that people have in that state: the buttons of the page. Rights are not looked at.

    "retry" and "rollback" make a new rollout after the end. A rollout in the full leg of a canary cannot be canceled,
    because everybody is getting the new versions, nor can SourceDeploy's rolling and blue/green on Kubernetes. Only mesh
    releases have "set_weight" and "release_update"; the others have "advance", to the scenario's next weight (H5 too).
    """
    found = [action for action in USER_ACTIONS if move_for(state, action)]
    if state == S.RUNNING and not _stoppable(strategy, leg, protocol, stage_type):
        found = [action for action in found if action != "cancel"]
    if protocol != Protocol.ASM:
        found = [action for action in found if action not in {"set_weight", "release_update"}]
        if state == S.CANARY_HOLD:
            found.append("advance")
    if state in {S.FAILED, S.ERRORED, S.CANCELED}:
        found += ["retry", "rollback"]
    return tuple(found)


def _stoppable(strategy: str, leg: str, protocol: str, stage_type: str) -> bool:
    if leg == Leg.FULL:
        return False
    on_kubernetes = protocol == Protocol.SOURCE_DEPLOY and stage_type == StageType.KUBERNETES
    return not (on_kubernetes and strategy in {Strategy.ROLLING, Strategy.BLUE_GREEN})


def stage_status(state: str | None, consistent: bool = True) -> StageStatus:
    """The stage's status by its live rollout, else by the last one that was ever started.

    state: of that rollout, None when there is none. consistent: whether all targets run what is pinned after it.
    """
    if state is None:
        return StageStatus.ACTIVE
    if state in LIVE:
        return StageStatus.UPDATING
    if state in {S.FAILED, S.ERRORED} or (state == S.CANCELED and not consistent):
        return StageStatus.UPDATE_FAILED
    return StageStatus.ACTIVE
