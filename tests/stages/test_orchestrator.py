"""What a rollout does next, as a table of rows."""
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import pytest

from stages.worker.orchestrator import (
    Analyze,
    Begin,
    CanaryUp,
    Course,
    Finish,
    RunLanes,
    Undo,
    Withdraw,
    decide,
    errored,
)


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
    leg: str = "base"
    wave: int = 0
    lane: int = 0
    memo: dict = field(default_factory=dict)
    ended_at: datetime | None = None
    origin: str = ""
    old_version: str = "1"
    new_version: str = "2"


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
        ("running", "pp", RunLanes(((0, 1),))),
        ("running", "sp", RunLanes(((1,),))),
        ("running", "srp", RunLanes(((1, 2),))),
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
    assert decide("running", [Row("running", attempt=4)], yes) == RunLanes(((0,),))
    end = decide("running", [Row("running", attempt=5)], yes)
    assert end.move == "R4" and "interrupted when its worker stopped, 5 times, so it is not tried again" in end.error


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


def lane_rows(*lanes: str) -> list[Row]:
    """One wave, a lane per text."""
    found = []
    for lane, text in enumerate(lanes):
        for row in rows(text):
            row.lane = lane
            found.append(row)
    return found


def test_lanes_of_a_wave_run_together_and_the_next_wave_waits():
    found = lane_rows("pp", "pp")
    assert decide("running", found, yes) == RunLanes(((0, 1), (2, 3)))
    found = lane_rows("sp", "ss")
    assert decide("running", found, yes) == RunLanes(((1,),))
    later = Row("pending", wave=1)
    assert decide("running", [*lane_rows("s", "r"), later], yes) == RunLanes(((1,),))
    assert decide("running", [*lane_rows("s", "s"), later], yes) == RunLanes(((2,),))


def test_a_wave_with_a_failure_is_judged_when_its_other_lanes_stand():
    assert decide("running", lane_rows("fp", "sp"), yes) == RunLanes(((3,),))
    assert decide("running", [*lane_rows("f", "s"), Row("pending", wave=1)], yes).move == "R2"
    assert decide("running", lane_rows("r", "p"), no).move == "R4"


@pytest.mark.parametrize(
    ("state", "letters", "course", "expected"),
    [
        ("running", "sf", Course(rollback=True), Undo),
        ("running", "s", Course(leg="canary", strategy="canary", analysis="manual"), CanaryUp("R7")),
        ("running", "s", Course(leg="canary", strategy="canary", analysis="none"), CanaryUp("R7")),
        ("running", "s", Course(leg="canary", strategy="canary", analysis="auto"), CanaryUp("R6")),
        ("running", "s", Course(leg="full", strategy="canary"), "R1"),
        ("canary_analyzing", "s", Course(leg="canary", strategy="canary", analysis="auto"), Analyze()),
        ("rolling_back", "s", Course(leg="undo"), "B1"),
        ("rolling_back", "", Course(leg="undo"), "B1"),
        ("rolling_back", "sf", Course(leg="undo"), "B2"),
        ("rolling_back", "sp", Course(leg="undo"), RunLanes(((1,),))),
        ("canary_rejecting", "s", Course(cause="user"), "J1"),
        ("canary_rejecting", "s", Course(cause="score"), "J1"),
        ("canary_rejecting", "s", Course(cause="timeout"), "J2"),
        ("canary_rejecting", "f", Course(cause="user"), "J3"),
    ],
)
def test_legs_lead_where_the_table_says(state, letters, course, expected):
    found = rows(letters)
    undoing = state in {"rolling_back", "canary_rejecting"}
    for row in found:
        row.leg = "undo" if undoing else course.leg
    decision = decide(state, found, yes, course)
    if isinstance(expected, str):
        assert isinstance(decision, Finish) and decision.move == expected
    elif isinstance(expected, type):
        assert isinstance(decision, expected)
    else:
        assert decision == expected


@pytest.mark.parametrize(
    ("state", "move"),
    [("running", "R4"), ("rolling_back", "B2"), ("canary_analyzing", "N4"), ("canary_rejecting", "J3"), ("canceling", "X2")],
)
def test_a_fault_of_the_system_has_its_move_in_every_state(state, move):
    assert errored("the store is down", rows("sp"), state).move == move


def test_of_blue_green_only_a_begun_switch_leaves_targets_unsure():
    course = Course(strategy="blueGreen")
    assert decide("running", rows("sf"), yes, course).consistent
    assert not decide("running", [*rows("s"), Row("failed", phase="switch", wave=1)], yes, course).consistent


def end_of_undo(state: str, *undone: str, broke: str = "failed", cause: str = "") -> Finish:
    """The end after a step broke and the undo's steps came to these states."""
    steps = [Row("succeeded", phase="pre"), Row(broke), Row("pending", phase="post")]
    return decide(state, steps + [Row(word, leg="undo") for word in undone], no, Course(leg="canary", cause=cause))


@pytest.mark.parametrize("broke", ["failed", "canceled"])
def test_an_undo_that_ended_well_names_what_broke_before_it(broke):
    end = end_of_undo("rolling_back", "succeeded", broke=broke)
    assert (end.move, end.error, end.consistent) == ("B1", "deploy of auth on a failed: exit code 3", True)
    assert end_of_undo("rolling_back", "succeeded", broke="succeeded").error == ""


@pytest.mark.parametrize(("state", "move", "what"), [
    ("rolling_back", "B2", "deploy of auth on a failed: exit code 3. Then the undo"), ("canary_rejecting", "J3", "Withdrawing the canary"),
])  # fmt: skip
def test_an_undo_that_breaks_says_which_and_where(state, move, what):
    end = end_of_undo(state, "succeeded", "failed")
    assert (end.move, end.consistent) == (move, False)
    left = "undo of deploy of auth on a failed: exit code 3. 1 of 2 changes was put back; not put back: deploy of auth on a."
    assert end.error == f"{what} broke: {left}"
    interrupted = end_of_undo(state, "running")
    broke = "undo of deploy of auth on a failed: interrupted when its worker stopped, and it may not be run twice"
    assert interrupted.move == move and interrupted.error.startswith(f"{what} broke: {broke}")


@pytest.mark.parametrize(("cause", "move", "why"), [
    ("user", "J1", "somebody rejected it"), ("score", "J1", "its score was too low"), ("timeout", "J2", "its time ran out"),
    ("", "J1", "it was rejected"),
])  # fmt: skip
def test_a_withdrawal_says_why(cause, move, why):
    assert end_of_undo("canary_rejecting", "succeeded", cause=cause) == Finish(
        move, f"The canary is withdrawn: {why}. The pins did not move.")


@pytest.mark.parametrize("phase", ["canary", "deploy", "switch"])
def test_what_touches_a_target_leaves_it_inconsistent_when_it_is_canceled(phase):
    assert decide("canceling", [Row("succeeded", phase=phase)], no).consistent is False
    assert decide("canceling", [Row("succeeded", phase="pre")], no).consistent is True


GRAY, IN_CANARY = Row("succeeded", phase="canary", leg="canary"), Course(leg="canary", strategy="canary")


@pytest.mark.parametrize(("steps", "expected"), [
    ([GRAY], Withdraw("Canceled: no further step starts, and the canary is withdrawn.")),
    ([Row("running", phase="canary", leg="canary")], Withdraw("Canceled: no further step starts, and the canary is withdrawn.")),
    ([Row("pending", phase="canary", leg="canary", memo={"gray": "x"})],
     Withdraw("Canceled: no further step starts, and the canary is withdrawn.")),
    ([GRAY, Row("pending", leg="undo", phase="canary")], RunLanes(((1,),))),
    ([GRAY, Row("running", leg="undo", phase="canary")], RunLanes(((1,),))),
    ([GRAY, Row("succeeded", leg="undo", phase="canary")],
     Finish("X1", "Canceled, and the canary is withdrawn. The pins did not move.")),
])  # fmt: skip
def test_a_cancel_withdraws_a_canary_first(steps, expected):
    assert decide("canceling", steps, yes, IN_CANARY) == expected


@pytest.mark.parametrize("step", [
    Row("pending", phase="canary", leg="canary"), Row("no_progress", phase="canary", leg="canary"),
    Row("succeeded", phase="canary", leg="canary", kind="pin"), Row("succeeded", phase="pre", leg="canary"),
])  # fmt: skip
def test_a_cancel_with_nothing_to_withdraw_ends_at_once(step):
    found = decide("canceling", [step], yes, IN_CANARY)
    assert (found.move, found.consistent) == ("X1", True)


def test_a_cancel_whose_withdrawal_breaks_errs():
    for state, repeatable in (("failed", yes), ("running", no)):
        found = decide("canceling", [GRAY, Row(state, leg="undo", phase="canary")], repeatable, IN_CANARY)
        assert (found.move, found.consistent) == ("X2", False) and "undo of canary of auth on a" in found.error
    assert decide("canceling", [GRAY], yes, Course(leg="full", strategy="canary")).move == "X1", "everybody has it: nothing is undone"
