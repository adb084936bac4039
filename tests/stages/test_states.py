"""The table of moves is the contract's, whole, and everything else is refused."""
from __future__ import annotations

import pytest

from stages.states import (
    CREATIONS,
    FINAL,
    LIVE,
    MOVES,
    PHASES,
    STEP_FINAL,
    TIMED,
    WORKABLE,
    RolloutState,
    StageStatus,
    move_for,
    stage_status,
    user_actions,
)

# Written out again from the contract, so that a slip in the table shows.
CONTRACT = """
A1 awaiting_approval queued; A2 awaiting_approval rejected; A3 awaiting_approval canceled; Q1 queued running;
Q2 queued canceled; R1 running succeeded; R2 running failed; R3 running rolling_back; R4 running errored;
R5 running canceling; R6 running canary_analyzing; R7 running canary_hold; B1 rolling_back failed;
B2 rolling_back errored; N1 canary_analyzing running; N2 canary_analyzing canary_rejecting;
N3 canary_analyzing canceling; N4 canary_analyzing errored; H1 canary_hold running; H2 canary_hold canary_rejecting;
H3 canary_hold canary_rejecting; H4 canary_hold running; H5 canary_hold canary_hold; H6 canary_hold canceling;
J1 canary_rejecting canary_rejected; J2 canary_rejecting canary_timeout; J3 canary_rejecting errored;
X1 canceling canceled; X2 canceling errored
"""
ACTIONS = sorted({move.action for move in MOVES})


def test_moves_are_those_of_the_contract():
    expected = {tuple(part.split()) for part in CONTRACT.replace("\n", " ").split(";")}
    assert {(m.id, source.value, m.target) for m in MOVES for source in m.sources} == expected
    assert len(MOVES) + len(CREATIONS) == 34


def test_every_state_is_reached_and_every_open_state_has_a_way_out():
    reached = {state for _, state, _, _ in CREATIONS}
    while True:
        further = reached | {RolloutState(m.target) for m in MOVES if m.sources & reached}
        if further == reached:
            break
        reached = further
    assert reached == set(RolloutState)
    assert {s for s in RolloutState if not any(s in m.sources for m in MOVES)} == FINAL


@pytest.mark.parametrize("state", list(RolloutState))
@pytest.mark.parametrize("action", ACTIONS)
def test_each_state_takes_exactly_the_actions_of_the_table(state, action):
    expected = [m for m in MOVES if m.action == action and state in m.sources]
    assert move_for(state, action) == (expected[0] if expected else None)
    assert len(expected) <= 1


BUTTONS = {
    "awaiting_approval": {"approve", "reject", "cancel"},
    "queued": {"cancel"},
    "running": {"cancel"},
    "canary_analyzing": {"cancel"},
    "canary_hold": {"cancel", "canary_accept", "canary_reject", "advance"},
    "failed": {"retry", "rollback"},
    "errored": {"retry", "rollback"},
    "canceled": {"retry", "rollback"},
}


@pytest.mark.parametrize("state", list(RolloutState))
def test_buttons_are_those_of_the_contract(state):
    assert set(user_actions(state)) == BUTTONS.get(state.value, set())


def test_mesh_releases_alone_have_weights():
    assert {"set_weight", "release_update"} <= set(user_actions("canary_hold", protocol="asm"))
    assert "advance" not in user_actions("canary_hold", protocol="asm")


def test_what_cannot_be_stopped_has_no_cancel():
    assert "cancel" not in user_actions("running", strategy="canary", leg="full")
    on_kubernetes = {"protocol": "sourcedeploy", "stage_type": "KubernetesService"}
    for strategy, may in {"normal": True, "canary": True, "rolling": False, "blueGreen": False}.items():
        assert ("cancel" in user_actions("running", strategy=strategy, **on_kubernetes)) == may
    assert "cancel" in user_actions("queued", strategy="rolling", **on_kubernetes)
    assert "cancel" in user_actions("running", strategy="rolling", protocol="sourcedeploy", stage_type="Server")
    assert "cancel" in user_actions("running", strategy="rolling", protocol="freeze", stage_type="KubernetesService")


def test_who_moves_what_and_which_steps_have_ended():
    assert {"queued", "running", "rolling_back", "canary_rejecting", "canceling"} == WORKABLE
    assert {"canary_analyzing", "canary_hold"} == TIMED
    assert {"succeeded", "failed", "canceled", "no_progress"} == STEP_FINAL
    assert PHASES == ("pre", "deploy", "post")


@pytest.mark.parametrize("state", [None, *RolloutState])
def test_stage_status_is_derived_from_the_rollout(state):
    if state in LIVE:
        expected = StageStatus.UPDATING
    elif state in {"failed", "errored"}:
        expected = StageStatus.UPDATE_FAILED
    else:
        expected = StageStatus.ACTIVE
    assert stage_status(state) == expected
    if state == "canceled":
        assert stage_status(state, consistent=False) == StageStatus.UPDATE_FAILED
