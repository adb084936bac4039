"""Scripts that are run ahead: nothing of them gets out, and only what ended well, quickly and without a call counts."""
from __future__ import annotations

import json

import pytest

from jobqueue.scripting.ahead import ALL_S, Run
from jobqueue.scripting.outcome import RunnerDied

METHODS = {"freeze": ("get_stage",)}
GOOD = "result = { n = args.n }"
CALLS = "local got = gs2('freeze').get_stage({}) result = { n = args.n }"
STALLS = "string.find(string.rep('a', 26), string.rep('a?', 26) .. string.rep('a', 26))"


def run(source: str, n: int = 0, *, follows: bool = False) -> Run:
    return Run(source, json.dumps({"n": n}), "user-1", False, False, follows)


def ends(runner, *runs: Run) -> list[int | str | None]:
    """The result of those that succeeded, else the status; None of what was left out."""
    found = runner.run_ahead(runs, METHODS)
    return [one and (one.result if one.status_code == 200 else one.status_code) for one in found]


def test_what_ends_well_has_its_outcome_and_each_script_a_state_of_its_own(small_runner):
    leaves = run("leaked = 1 string.leaked = 1 getmetatable = nil print('seen', userId) result = { n = args.n }", 1)
    looks = run("result = { leaked = leaked or string.leaked or ('').leaked, kept = getmetatable ~= nil }")
    assert ends(small_runner, leaves, looks, run(GOOD, 3)) == ['{"n":1}', '{"kept":true}', '{"n":3}']
    assert small_runner.run_ahead([leaves])[0].output == ["seen\tuser-1"]


@pytest.mark.parametrize(("source", "status"), [
    (CALLS, 504), (f"local t <close> = setmetatable({{}}, {{ __close = function() {CALLS} end }}) {CALLS}", 504),
    ("util.http = http http.get('http://localhost')", 200), ("fail(409, 'no')", 409), ("nonsense(", 400), ("while true do end", 504),
])  # fmt: skip
def test_what_calls_fails_or_takes_long_has_none_and_what_follows_it_is_left_out(small_runner, source, status):
    first, bad, behind, other = ends(small_runner, run(GOOD, 1), run(source), run(GOOD, 2, follows=True), run(GOOD, 3))
    if status == 200:
        assert behind == '{"n":2}'
        return
    assert (first, bad, behind) == ('{"n":1}', status, None)
    # An endless loop may have taken the time of the others too.
    assert other in ('{"n":3}', None)
    assert ends(small_runner, run(GOOD, 4)) == ['{"n":4}'], "the runner is as good as before"


def test_the_runner_carries_calls_out_again_afterwards(small_runner):
    assert ends(small_runner, run(CALLS)) == [504]
    asked = []
    outcome = small_runner.run(source=CALLS, args='{"n": 5}', methods=METHODS, call=lambda *call: asked.append(call) or (200, "{}"))
    assert outcome.result == '{"n":5}' and asked == [("freeze", "get_stage", "{}")]


def test_none_is_begun_when_the_time_of_all_is_over(small_runner):
    slow = run(f"local began = os.clock() while os.clock() - began < {ALL_S / 2} do end")
    found = small_runner.run_ahead([slow] * 12)
    assert found[0].status_code == 200 and found[-1] is None


def test_a_runner_that_is_stuck_or_dies_is_given_up_and_the_next_one_is_unharmed(small_runner, monkeypatch):
    monkeypatch.setattr("jobqueue.scripting.ahead.STALLED_S", 0.0)
    with pytest.raises(RunnerDied):
        small_runner.run_ahead([run(GOOD), run(STALLS)])
    assert ends(small_runner, run(GOOD, 6)) == ['{"n":6}']
