"""The account of a failure as a table of rows: canaries, colours, several commands, ends without a step that failed."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from stages.core.failure import NAMED, Place, account_of

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
STATES = {"s": "succeeded", "f": "failed", "r": "running", "p": "no_progress", "c": "canceled"}


def step(state, phase="deploy", service="mail", target="tokyo", *, leg="base", at=0, undoes=None, old="1", new="2", **more):
    """A row; at: seconds after noon at which it ended. Its key is its own text, so that an undo names it."""
    facts = {"kind": "command", "summary": "exit code 3" if state == "f" else "", "origin": "", "position": 1}
    return SimpleNamespace(
        state=STATES[state], phase=phase, microservice=service, target_name=target, leg=leg, undoes_id=undoes, old_version=old,
        new_version=new, pk=f"{phase} {service} {target}", ended_at=None if state == "p" else NOON + timedelta(seconds=at),
        **facts | more,
    )


def undo(state, of: str, **more):
    phase, service, target = of.split()
    return step(state, phase, service, target, leg="undo", undoes=of, **more)


def row(state="errored", strategy="normal", cause="step", **more):
    facts = {"error": "it broke.", "rollback": True, "cancel_requested_by": "", "stage": SimpleNamespace(name="stg")} | more
    return SimpleNamespace(state=state, strategy=strategy, cause=cause, **facts)


CANARY = step("s", "canary", leg="canary")
SWITCH = step("s", "switch", "*", old="blue", new="green")
PINS = "The pins of stg did not move."
CASES = {
    "all put back": (row("failed"), [step("f"), undo("s", "deploy mail tokyo")], "deploy of mail on tokyo failed: exit code 3",
                     "The one change was put back.", f"{PINS} Every place runs what is pinned."),
    "the undo failed": (row(), [step("f"), undo("f", "deploy mail tokyo")], "deploy of mail on tokyo failed: exit code 3",
                        "The one change was not put back. Undo of deploy of mail on tokyo failed: exit code 3.",
                        f"{PINS} The one place may run something else. Mail on tokyo may run 2, pinned is 1."),
    "a canary that nobody reads": (
        row(cause="", rollback=False, strategy="canary", error="The metrics can not be read: x."), [CANARY, step("p", leg="full")],
        "The metrics can not be read: x", "Nothing was put back: this rollout does not undo failures.",
        f"{PINS} The one place runs something else. The canary of mail on tokyo with 2 is still there."),
    "a withdrawal that broke": (
        row(cause="score", strategy="canary"), [CANARY, undo("f", "canary mail tokyo")],
        "Withdrawing the canary broke: undo of canary of mail on tokyo failed: exit code 3",
        "The one change was not put back. Undo of canary of mail on tokyo failed: exit code 3.",
        f"{PINS} The one place may run something else. The canary of mail on tokyo with 2 may still be there."),
    "accepted, then failed": (
        row(rollback=False, strategy="canary"), [CANARY, step("f", leg="full")], "deploy of mail on tokyo failed: exit code 3",
        "Nothing was put back: this rollout does not undo failures.",
        f"{PINS} The one place runs something else. The canary of mail on tokyo with 2 is still there; mail on tokyo may run 2, pinned is 1."),
    "colours": (
        row("failed", "blueGreen", rollback=False), [step("s"), SWITCH, step("f", "post")], "post of mail on tokyo failed: exit code 3",
        "Nothing was put back: this rollout does not undo failures.",
        f"{PINS} The one place runs something else. Players on tokyo use green, pinned is blue."),
    "colours before the switch": (
        row("failed", "blueGreen"), [step("f"), step("p", "switch", "*")], "deploy of mail on tokyo failed: exit code 3",
        "Nothing had to be put back.", f"{PINS} Every place runs what is pinned."),
    "colours whose undo broke": (
        row(strategy="blueGreen"), [step("s"), step("f", "switch", "*", old="blue", new="green"), undo("f", "switch * tokyo")],
        "switch of all services on tokyo failed: exit code 3",
        "The one change was not put back. Undo of switch of all services on tokyo failed: exit code 3.",
        f"{PINS} The one place may run something else. Players on tokyo may use green, pinned is blue."),
    "new and removed": (
        row(rollback=False), [step("s", service="new", old=""), step("s", service="old", new=""), step("f", "post", at=9)],
        "post of mail on tokyo failed: exit code 3", "Nothing was put back: this rollout does not undo failures.",
        f"{PINS} 2 of 2 places run something else. New on tokyo runs 2, pinned is none; old on tokyo is removed, pinned is 1."),
    "put back to what is pinned, and failed": (
        row(rollback=False), [step("s", service="chat", old="1", new="1"), step("f", old="1", new="1", at=9)],
        "deploy of mail on tokyo failed: exit code 3", "Nothing was put back: this rollout does not undo failures.",
        f"{PINS} 1 of 2 places may run something else. Mail on tokyo may run something other than 1, which is pinned."),
    "one of two commands": (
        row(rollback=False), [step("s"), step("f", at=5)], "deploy of mail on tokyo failed: exit code 3",
        "Nothing was put back: this rollout does not undo failures.",
        f"{PINS} The one place may run something else. Mail on tokyo may run 2, pinned is 1."),
    "nothing but pins": (row(rollback=False, error="gs2admin hit an internal fault."), [step("s", kind="pin", target="")],
                         "gs2admin hit an internal fault", "Nothing had to be put back.",
                         f"{PINS} There is no target, so nothing else runs than what is pinned."),
    "canceled between steps": (row("canceled", rollback=True, cancel_requested_by="mika"), [step("s"), step("p", service="chat")],
                               "Canceled by mika", "Nothing was put back: a cancel leaves what is there.",
                               f"{PINS} 1 of 2 places runs something else. Mail on tokyo runs 2, pinned is 1."),
    "failed, then canceled": (row("canceled", cancel_requested_by="mika"), [step("f"), step("c", service="chat", at=1)],
                              "deploy of mail on tokyo failed: exit code 3; then it was canceled by mika",
                              "Nothing was put back: a cancel leaves what is there.",
                              f"{PINS} 2 of 2 places may run something else. Mail on tokyo may run 2, pinned is 1; chat on tokyo may run 2, "
                              "pinned is 1."),
    "a step that a person left out": (
        row(rollback=False), [step("s", origin="skipped"), step("f", service="chat", at=5)], "deploy of chat on tokyo failed: exit code 3",
        "Nothing was put back: this rollout does not undo failures.",
        f"{PINS} 2 of 2 places may run something else. Mail on tokyo may run 2, pinned is 1; chat on tokyo may run 2, pinned is 1."),
    "by the clock": (row("failed", rollback=False), [step("f", at=9), step("f", service="chat", at=2), step("p", service="x")],
                     "deploy of chat on tokyo failed: exit code 3", "Nothing was put back: this rollout does not undo failures.",
                     f"{PINS} 2 of 3 places may run something else. Mail on tokyo may run 2, pinned is 1; chat on tokyo may run 2, "
                     "pinned is 1."),
}


@pytest.mark.parametrize(("rollout", "steps", "first", "undone", "now"), CASES.values(), ids=CASES)
def test_what_a_rollout_left(rollout, steps, first, undone, now):
    found = account_of(rollout, steps)
    assert (found.first, found.undo, found.now) == (first, undone, now)


def test_many_places_are_counted_and_all_there():
    found = account_of(row(rollback=False), [step("s", service=f"s{at}") for at in range(40)] + [step("f", "post", at=9)])
    assert found.now.count("pinned is 1") == NAMED and found.now.endswith(f"; and {40 - NAMED} more.") and len(found.places) == 40
    assert found.pins == f"{PINS} 40 of 40 places run something else."


def test_what_was_left_before_counts_until_it_is_touched_again():
    before = [Place("mail", "tokyo", "deploy", "1", "2", True, 5), Place("chat", "osaka", "deploy", "1", "2", False, 5)]
    found = account_of(row(), [step("f"), undo("s", "deploy mail tokyo")], before)
    assert [place.sentence for place in found.places] == ["chat on osaka may run 2, pinned is 1 (left by rollout 5)"]
