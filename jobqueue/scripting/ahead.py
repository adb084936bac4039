"""Runs scripts of which it is not known yet whether their jobs may be run: nothing of them gets out, and none may take long.

Such a script has no effect, so its outcome can be counted, when the job turns out to be ours, or be dropped. What calls gs2(),
fails, or takes longer has no outcome that counts; it is run anew when its job has been claimed.
"""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from jobqueue.scripting import frames, messages
from jobqueue.scripting.messages import Methods
from jobqueue.scripting.outcome import Limits, Outcome, RunnerDied
from jobqueue.scripting.process import NotStarted, RunnerProcess
from jobqueue.scripting.watch import Killed

# Of one script; of all of them, then no other one is begun; and how long a runner is waited for that does not look at its clock.
EACH_S, ALL_S, STALLED_S = 0.02, 0.01, 2.0
# Arguments of one frame, in characters.
ROOM = 256 * 1024


@dataclass(frozen=True, slots=True)
class Run:
    """A script and its arguments, as pool.Runner.run. follows: it is left out when the run before it has no outcome."""

    source: str
    args: str
    user_id: str
    disable_number_strings: bool
    keep_whole_floats: bool
    follows: bool


def run_ahead(process: RunnerProcess, runs: Sequence[Run], methods: Methods, limits: Limits) -> list[Outcome | None]:
    """What became of each run, in order; None: it was left out. Only an outcome of status 200 counts.

    Raises RunnerDied when something went wrong with the runner, which is gone then.
    """
    wait = _Wait()
    process.answered = False
    try:
        if not process.ready:
            process.start_up(None)
        process.send(process.settings_frames(limits, methods) + _frame(process, runs), wait)
        wait.from_now()
        data = process.receive(wait, 4096 + len(runs) * 2 * frames.PIECE + limits.result_chars * 4 + limits.output_bytes * 2)
        ended = frames.inner(data, 1)
        if data[:1] != frames.ENDED or len(ended) != len(runs):
            raise RunnerDied("the script runner sent something unexpected")
        process.scripts += len(runs)
        return [messages.outcome_of(one) if len(one) > 1 else None for one in ended]
    except (Killed, NotStarted, _Stalled) as problem:
        if process.alive:
            process.kill()
        raise RunnerDied("the script runner did not end what it ran ahead") from problem
    except BaseException:
        if process.alive:
            process.kill()
        raise


def _frame(process: RunnerProcess, runs: Sequence[Run]) -> bytes:
    inner = [
        process.run_frame(
            run.source, args=run.args, user_id=run.user_id, as_text=run.disable_number_strings, floats=run.keep_whole_floats,
            flags=frames.FOLLOWS if run.follows else 0,
        )
        for run in runs
    ]  # fmt: skip
    return frames.frame(frames.AHEAD, frames.AHEAD_HEAD.pack(EACH_S, ALL_S), *inner)


class _Stalled(Exception):
    """A script does not end, and the runner does not look at its clock."""


class _Wait:
    """Called whenever the runner is silent for a moment; raises _Stalled in the end."""

    def __init__(self) -> None:
        self.from_now()

    def from_now(self) -> None:
        self._end = time.monotonic() + EACH_S + ALL_S + STALLED_S

    def __call__(self) -> None:
        if time.monotonic() > self._end:
            raise _Stalled
