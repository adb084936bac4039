"""What steps did to the world, read from what they wrote down themselves (steps/recording.py), held against our rows."""
from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stages.models import Rollout, Step
from stages.states import FINAL, RolloutState, StepState

# Lines that each execution prints; as in steps/recording.py, which imports nothing of ours.
LINES = 4
LINE = re.compile(r"line (\d+) of attempt (\d+) of (\S+)$")


@dataclass
class Execution:
    """One run of a step's command. Times in ns of the wall clock; last: the latest sign of life; ended: came to its end."""

    key: str
    attempt: int
    started: int
    last: int
    ended: bool = False


def executions(directory: Path) -> dict[str, list[Execution]]:
    """Step key, as in the file's name ("bench-12-3"), -> its executions in order of their starts."""
    found: dict[str, list[Execution]] = defaultdict(list)
    for file in sorted((directory / "record").glob("*")):
        by_pid: dict[tuple[int, int], Execution] = {}
        for line in file.read_text().splitlines():
            at, attempt, pid, word = line.split()
            if word == "start":
                one = by_pid[int(attempt), int(pid)] = Execution(file.name, int(attempt), int(at), int(at))
                found[file.name].append(one)
            one = by_pid[int(attempt), int(pid)]
            one.last = max(one.last, int(at))
            one.ended = one.ended or word == "end"
        found[file.name].sort(key=lambda one: one.started)
    return found


@dataclass
class Verdict:
    """violations: sentences. interrupted: executions that did not come to their end. completed_again: executions that
    ended well, but whose worker died before it could write that down, so that a repeatable step was run again."""

    violations: list[str]
    executions: int = 0
    interrupted: int = 0
    completed_again: int = 0


def judge(rollouts: Iterable[Rollout], directory: Path, *, repeatable: set[int]) -> Verdict:
    """Look for everything that must not have happened. repeatable: ids of the stages whose steps may run twice."""
    record = executions(directory)
    verdict = Verdict([])
    known = set()
    for rollout in rollouts:
        bad = _of_rollout(rollout)
        texts = _printed(rollout)
        for step in rollout.steps.order_by("position"):
            key = f"{rollout.project.name}-{rollout.number}-{step.position}"
            known.add(key)
            runs = record.get(key, [])
            verdict.executions += len(runs)
            verdict.interrupted += sum(not run.ended for run in runs)
            verdict.completed_again += max(0, sum(run.ended for run in runs) - 1)
            bad += _of_step(step, key, runs, rollout.stage_id in repeatable)
            bad += _of_lines(step, key, texts)
        verdict.violations += [f"rollout {rollout.number} ({rollout.stage.name}, {rollout.state}): {text}" for text in bad]
    verdict.violations += [f"{key} ran, but no rollout has such a step" for key in sorted(set(record) - known)]
    return verdict


def _of_rollout(rollout: Rollout) -> list[str]:
    bad = []
    if rollout.state not in FINAL:
        return [f"still not over, attempt {rollout.attempt}, held by {rollout.leased_by or 'nobody'}"]
    states = Counter(rollout.steps.values_list("state", flat=True))
    if rollout.state == RolloutState.SUCCEEDED:
        if set(states) != {StepState.SUCCEEDED} or rollout.steps_done != rollout.steps_total:
            bad.append(f"succeeded with steps {dict(states)}, {rollout.steps_done} of {rollout.steps_total} counted")
    elif rollout.state != RolloutState.ERRORED:
        bad.append(f"nothing asked for this end: {rollout.error}")
    elif not rollout.error or not rollout.outputs.filter(text__contains=rollout.error).exists():
        bad.append(f"no sentence says why it errored: {rollout.error!r}")
    if open_steps := sum(states[state] for state in (StepState.PENDING, StepState.RUNNING)):
        bad.append(f"over, but {open_steps} steps are open")
    if rollout.lease_until is not None:
        bad.append("over, but leased")
    numbers = list(rollout.outputs.order_by("seq").values_list("seq", flat=True))
    if numbers != list(range(1, rollout.last_seq + 1)):
        bad.append(f"output numbers are not 1 to {rollout.last_seq}: {len(numbers)} pieces, {numbers[:3]} … {numbers[-3:]}")
    return bad


def _of_step(step: Step, key: str, runs: list[Execution], repeatable: bool) -> list[str]:
    bad = []
    if not repeatable and len(runs) > 1:
        bad.append(f"{key} may not be run twice and was started {len(runs)} times")
    for earlier, later in zip(runs, runs[1:], strict=False):
        if later.started <= earlier.last:
            bad.append(f"{key} overlaps with itself by {(earlier.last - later.started) / 1e6:.1f} ms")
    attempts = [run.attempt for run in runs]
    if len(set(attempts)) != len(attempts) or any(not 1 <= attempt <= step.attempt for attempt in attempts):
        bad.append(f"{key} ran as attempts {attempts}, the row counts {step.attempt}")
    if step.state == StepState.SUCCEEDED:
        # The database rounds to whole milliseconds on SQLite.
        closed = step.ended_at.timestamp() * 1e9 + 1e6
        if late := [run for run in runs if run.started > closed]:
            bad.append(f"{key} was recorded as succeeded and ran again {(late[0].started - closed) / 1e6:.0f} ms later")
        if not runs or not runs[-1].ended or runs[-1].attempt != step.attempt:
            bad.append(f"{key} is recorded as succeeded, but its last execution did not come to its end")
    elif step.state == StepState.FAILED and step.rollout.state != RolloutState.ERRORED:
        bad.append(f"{key} failed, though its command never says no: {step.summary}")
    return bad


def _printed(rollout: Rollout) -> dict[str, Counter]:
    found: dict[str, Counter] = defaultdict(Counter)
    for text in rollout.outputs.filter(stream="stdout").values_list("text", flat=True):
        if match := LINE.match(text):
            found[match[3].replace("/", "-")][int(match[2]), int(match[1])] += 1
    return found


def _of_lines(step: Step, key: str, texts: dict[str, Counter]) -> list[str]:
    bad = [f"{key} line {line} of attempt {attempt} is there {count} times"
           for (attempt, line), count in texts[key].items() if count > 1]
    if step.state == StepState.SUCCEEDED:
        missing = [line for line in range(1, LINES + 1) if not texts[key][step.attempt, line]]
        if missing:
            bad.append(f"{key} succeeded, but its lines {missing} are not in the output")
    return bad
