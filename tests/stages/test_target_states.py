"""A target's status in SourceDeploy's words, as the contract's table has it."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from stages.api.sourcedeploy.target_states import target_states

T0 = datetime(2026, 11, 1, tzinfo=UTC)
WORDS = {"-": "pending", "r": "running", "s": "succeeded", "f": "failed", "c": "canceled", "n": "no_progress"}


def look(text: str, state: str = "running", *, leased: bool = True, started: bool = True, legs: str = "bbb"):
    """text: the states of pre, deploy, post as letters."""
    steps = [
        SimpleNamespace(
            target_name="a", phase=phase, leg={"b": "base", "c": "canary", "f": "full"}[leg], state=WORDS[letter],
            started_at=None if letter in "-n" else T0 + timedelta(seconds=n),
        )
        for n, (phase, letter, leg) in enumerate(zip(("pre", "deploy", "post"), text, legs, strict=True))
    ]
    return target_states(state, leased, [SimpleNamespace(name="a", number=7, undone=False)], steps, started=started)


@pytest.mark.parametrize(
    ("letters", "state", "leased", "status", "steps"),
    [
        ("---", "running", False, "pending", {}),
        ("---", "running", True, "standby", {}),
        ("r--", "running", True, "pre", {"pre": "inprogress"}),
        ("s--", "running", True, "deploy", {"pre": "success"}),
        ("sr-", "running", True, "deploy", {"pre": "success", "deploy": "inprogress"}),
        ("ssr", "running", True, "post", {"pre": "success", "deploy": "success", "post": "inprogress"}),
        ("sss", "running", True, "success", {"pre": "success", "deploy": "success", "post": "success"}),
        ("sss", "succeeded", False, "success", {"pre": "success", "deploy": "success", "post": "success"}),
        ("fnn", "failed", False, "fail", {"pre": "fail"}),
        ("sfn", "failed", False, "fail", {"pre": "success", "deploy": "fail"}),
        ("ssf", "errored", False, "fail", {"pre": "success", "deploy": "success", "post": "fail"}),
        ("scn", "canceled", False, "fail", {"pre": "success", "deploy": "fail"}),
        ("nnn", "failed", False, "no progress", {}),
        ("snn", "canceled", False, "no progress", {"pre": "success"}),
    ],
)
def test_each_line_of_the_table(letters, state, leased, status, steps):
    found = look(letters, state, leased=leased)[0]
    assert (found.status, found.steps) == (status, steps)
    assert set(found.times) == set(found.steps), "a step has a time exactly when it has a word"
    assert list(found.times.values()) == sorted(found.times.values())


def test_nothing_is_listed_before_it_runs():
    assert look("---", "queued", started=False) == []
    assert look("nnn", "canceled", started=False) == []


def test_a_canary_is_in_pre_until_it_is_accepted():
    found = look("s--", "canary_hold", legs="cff")[0]
    assert (found.status, found.steps) == ("pre", {"pre": "inprogress"})
    found = look("snn", "canary_rejected", legs="cff")[0]
    assert (found.status, found.steps) == ("fail", {"pre": "fail"})
    found = look("sr-", "running", legs="cff")[0]
    assert found.steps == {"pre": "success", "deploy": "inprogress"}
