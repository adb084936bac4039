"""What a rollout does next, as a table of rows."""
from __future__ import annotations

from dataclasses import dataclass

import pytest

from stages.rollout.orchestrator import MAX_STEP_ATTEMPTS, Begin, Finish, RunStep, decide, errored


@dataclass
class Row:
    state: str
    phase: str = "deploy"
    kind: str = "command"
    microservice: str = "auth"
    target_name: str = "a"
    position: int = 1
    attempt: int = 1
    summary: str = "exit code 3"


def rows(text: str) -> list[Row]:
    """p pending, r running, s succeeded, f failed, c canceled; capital letters are pin steps."""
    words = {"p": "pending", "r": "running", "s": "succeeded", "f": "failed", "c": "canceled"}
    return [Row(words[c.lower()], kind="pin" if c.isupper() else "command") for c in text]


def yes(_):
    return True


def no(_):
    return False


@pytest.mark.parametrize(
    ("state", "steps", "expected"),
    [
        ("queued", "pp", Begin()),
        ("running", "pp", RunStep(0)),
        ("running", "sp", RunStep(1)),
        ("running", "srp", RunStep(1, again=True)),
    ],
)
def test_it_goes_on_with_the_first_step_that_is_not_done(state, steps, expected):
    assert decide(state, rows(steps), yes) == expected


@pytest.mark.parametrize(
    ("state", "steps", "repeatable", "move", "consistent"),
    [
        ("running", "ss", yes, "R1", True),
        ("running", "", yes, "R1", True),
        ("running", "sfp", yes, "R2", False),
        ("running", "SF", yes, "R2", True),
        ("running", "srp", no, "R4", False),
        ("canceling", "scp", yes, "X1", False),
        ("canceling", "srp", yes, "X1", False),
        ("canceling", "pp", yes, "X1", True),
        ("canceling", "SSP", yes, "X1", True),
    ],
)
def test_it_ends_by_the_right_move(state, steps, repeatable, move, consistent):
    end = decide(state, rows(steps), repeatable)
    assert isinstance(end, Finish)
    assert (end.move, end.consistent) == (move, consistent)


def test_only_a_begun_deploy_leaves_targets_unsure():
    steps = [Row("failed", phase="pre"), Row("pending")]
    assert decide("running", steps, yes).consistent


def test_a_step_that_kills_its_worker_each_time_is_given_up():
    steps = [Row("running", attempt=MAX_STEP_ATTEMPTS)]
    end = decide("running", steps, yes)
    assert end.move == "R4" and "not tried again" in end.error


def test_the_failing_step_is_named_with_its_own_reason():
    end = decide("running", rows("sfp"), yes)
    assert "deploy of auth on a failed: exit code 3" in end.error
    assert "1 of 3 steps were not started" in end.sentence


def test_a_fault_while_canceling_ends_as_the_table_says():
    assert errored("the store is down", rows("sp"), "canceling").move == "X2"
    assert errored("the store is down", rows("sp"), "running").move == "R4"


@pytest.mark.parametrize("state", ["awaiting_approval", "canary_hold", "succeeded", "failed"])
def test_no_worker_has_business_elsewhere(state):
    with pytest.raises(ValueError, match="no worker"):
        decide(state, [], yes)
