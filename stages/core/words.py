"""How a rollout and a step stand, in words for people. Badges, filters, sentences and exports take them from here."""
from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stages.states import LIVE, TIMED, RolloutState, StepState

S = RolloutState


class Words(NamedTuple):
    """The words for one state.

    label: on a badge, in a filter, in an export. phrase: goes on after "Rollout 7", as in "Rollout 7 failed".
    tone: one of the five colours of the pages (ok, info, warn, bad, muted). moving: it changes without a person.
    reason: why the state has the label, where another state has the same one.
    """

    label: str
    phrase: str
    tone: str
    moving: bool = False
    reason: str = ""


ROLLOUT: dict[RolloutState, Words] = {
    S.AWAITING_APPROVAL: Words("Waiting for approval", "waits for approval", "warn"),
    S.REJECTED: Words("Rejected", "was rejected", "muted"),
    S.QUEUED: Words("Queued", "is queued", "info", moving=True),
    S.RUNNING: Words("Running", "is running", "info", moving=True),
    S.ROLLING_BACK: Words("Undoing", "is undoing its changes", "warn", moving=True),
    S.CANARY_ANALYZING: Words("Canary in analysis", "has its canary in analysis", "info", moving=True),
    S.CANARY_HOLD: Words("Canary waits for a decision", "waits for a decision about its canary", "warn"),
    S.CANARY_REJECTING: Words("Withdrawing the canary", "is withdrawing its canary", "warn", moving=True),
    S.CANARY_REJECTED: Words("Canary withdrawn", "withdrew its canary", "muted"),
    S.CANARY_TIMEOUT: Words("Canary withdrawn", "withdrew its canary", "muted", reason="time was up before a decision"),
    S.CANCELING: Words("Canceling", "is being canceled", "warn", moving=True),
    S.CANCELED: Words("Canceled", "was canceled", "muted"),
    S.SUCCEEDED: Words("Succeeded", "succeeded", "ok"),
    S.FAILED: Words("Failed", "failed", "bad"),
    S.ERRORED: Words("Failed", "failed", "bad", reason="it could not be carried to its end"),
}
STEP: dict[StepState, str] = {
    StepState.PENDING: "Waiting",
    StepState.RUNNING: "Running",
    StepState.SUCCEEDED: "Done",
    StepState.FAILED: "Failed",
    StepState.CANCELED: "Canceled",
    StepState.NO_PROGRESS: "Not started",
}


class Choice(NamedTuple):
    """One choice of the filter by state. label: a state's own label, or the name of a group of states."""

    label: str
    states: tuple[str, ...]


def _labeled(like: RolloutState) -> Choice:
    label = ROLLOUT[like].label
    return Choice(label, tuple(state for state, words in ROLLOUT.items() if words.label == label))


def _group(label: str, states: Iterable[RolloutState]) -> Choice:
    return Choice(label, tuple(sorted(states)))


# The keys stand in addresses that people have bookmarked.
FILTERS: dict[str, Choice] = {
    "awaiting": _labeled(S.AWAITING_APPROVAL),
    "live": _group("In progress", LIVE),
    "canary": _group("Canary is up", TIMED),
    "succeeded": _labeled(S.SUCCEEDED),
    "failed": _labeled(S.FAILED),
    "canceled": _labeled(S.CANCELED),
    "rejected": _labeled(S.REJECTED),
    "withdrawn": _labeled(S.CANARY_REJECTED),
}


def words_of(state: str) -> Words:
    """The words for a rollout's state. Raises ValueError for a text that is no state."""
    return ROLLOUT[RolloutState(state)]


def label_of(state: str) -> str:
    """The label of a rollout's state: "Failed"."""
    return words_of(state).label


def phrase_of(state: str) -> str:
    """The state of a rollout after its name: "failed", as in "Rollout 7 failed"."""
    return words_of(state).phrase


def step_label(state: str) -> str:
    """The label of a step's state: "Failed"."""
    return STEP[StepState(state)]
