"""The runners of this process: `runner().run(...)`. Started at the first script, kept warm, never shared over a fork."""
from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

from django.conf import settings

from jobqueue.scripting.ahead import Run, run_ahead
from jobqueue.scripting.messages import Methods
from jobqueue.scripting.outcome import Limits, Outcome, RunnerDied, RunnersBusy, failure
from jobqueue.scripting.process import Call, NotStarted, RunnerProcess

# After so many scripts a runner is replaced, and also when its memory grew.
SCRIPTS_PER_RUNNER = 50_000
LOOK_EVERY = 500
GROWN_KB = 96 * 1024
# How deep scripts may run scripts through gs2('script').
MAX_NESTED = 3
NO_METHODS: Methods = {}


def default_limits() -> Limits:
    """The limits from the settings."""
    return Limits(
        wall_s=getattr(settings, "SCRIPT_WALL_S", 5),
        cpu_s=getattr(settings, "SCRIPT_CPU_S", 5),
        memory_mb=getattr(settings, "SCRIPT_MEMORY_MB", 64),
        output_bytes=getattr(settings, "SCRIPT_OUTPUT_BYTES", 1_000_000),
        calls=getattr(settings, "SCRIPT_CALLS", 100),
        result_chars=getattr(settings, "SCRIPT_RESULT_CHARS", 5_242_880),
    )


class Runner:
    """All runners of one process. For any number of threads; each script has one runner process for itself."""

    def __init__(self, size: int, wait_s: float = 10) -> None:
        """size: runner processes at most (nested scripts come on top); wait_s: how long a thread waits for one."""
        self.pid = os.getpid()
        self.size, self.wait_s = size, wait_s
        self.limits = default_limits()
        # One token per runner that may run; quicker than a semaphore.
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(size):
            self._places.put(None)
        self._idle: list[RunnerProcess] = []
        self._all: set[RunnerProcess] = set()
        self._local = threading.local()

    def run(
        self,
        *,
        source: str,
        args: str = "{}",
        user_id: str | None = None,
        call: Call | None = None,
        tick: Callable[[], object] | None = None,
        methods: Methods = NO_METHODS,
        limits: Limits | None = None,
        disable_number_strings: bool = False,
        keep_whole_floats: bool = False,
        random_status: dict | None = None,
    ) -> Outcome:
        """Run a script and wait for its end.

        source: Lua text. args: JSON text. call(service, method, params_json) -> (status, json_text): answers gs2()
        in this thread. tick: called at least every 0.5 s meanwhile and before each call; what it raises ends the
        script and is raised here. methods: service -> its method names, both in snake case; give the same object every
        time, it is sent only when it changes. limits: the settings by default; the same object every time, too.
        disable_number_strings, keep_whole_floats: as the fields of models.Script.
        Raises RunnerDied (the outcome is unknown), RunnersBusy (it was not started), and what `tick` or `call` raise.
        """
        depth = getattr(self._local, "depth", 0)
        if depth >= MAX_NESTED:
            return failure(400, "script.execution.nested", f"scripts may start each other {MAX_NESTED} deep at most")
        if depth == 0:
            try:
                self._places.get(timeout=self.wait_s)
            except Empty:
                raise RunnersBusy("all script runners of this process are busy") from None
        self._local.depth = depth + 1
        limits = limits or self.limits
        try:
            for _ in range(self.size + MAX_NESTED):
                process = self._take(limits)
                try:
                    return process.run(
                        source=source, args=args, user_id=user_id, call=call, tick=tick, methods=methods, limits=limits,
                        disable_number_strings=disable_number_strings, keep_whole_floats=keep_whole_floats,
                        random_status=random_status,
                    )  # fmt: skip
                except NotStarted:
                    # It was killed while idle.
                    continue
                finally:
                    self._give_back(process)
            raise RunnerDied("script runners end before they start a script")
        finally:
            self._local.depth = depth
            if depth == 0:
                self._places.put(None)

    def run_ahead(self, runs: Sequence[Run], methods: Methods = NO_METHODS) -> list[Outcome | None]:
        """As ahead.run_ahead, with the limits of the settings. Raises RunnersBusy too, when no runner is free at once."""
        try:
            self._places.get(block=False)
        except Empty:
            raise RunnersBusy("all script runners of this process are busy") from None
        try:
            process = self._take(self.limits)
            try:
                return run_ahead(process, runs, methods, self.limits)
            finally:
                self._give_back(process)
        finally:
            self._places.put(None)

    def _take(self, limits: Limits) -> RunnerProcess:
        while self._idle:
            try:
                process = self._idle.pop()
            except IndexError:
                break
            if process.memory_mb >= limits.memory_mb:
                return process
            self._drop(process)
        try:
            process = RunnerProcess(limits)
        except OSError as problem:
            raise RunnersBusy(f"no script runner can be started ({problem.strerror})") from problem
        self._all.add(process)
        return process

    def _give_back(self, process: RunnerProcess) -> None:
        if not process.alive:
            self._all.discard(process)
            return
        worn = process.scripts >= SCRIPTS_PER_RUNNER
        look = process.scripts - process.looked_at >= LOOK_EVERY
        if look:
            process.looked_at = process.scripts
        if worn or (look and process.memory_kb() > GROWN_KB):
            self._drop(process)
        else:
            self._idle.append(process)

    def _drop(self, process: RunnerProcess) -> None:
        if process.alive:
            process.kill()
        self._all.discard(process)

    def close(self) -> None:
        """End all runners. They would end by themselves with this process."""
        for process in list(self._all):
            self._drop(process)
        self._idle.clear()

    def let_go(self) -> None:
        """In a forked copy: the runners belong to the process that started them."""
        for process in list(self._all):
            process.let_go()


_runner: Runner | None = None
_making = threading.Lock()


def runner() -> Runner:
    """The Runner of this process."""
    global _runner
    found = _runner
    if found is not None and found.pid == os.getpid():
        return found
    with _making:
        if _runner is None or _runner.pid != os.getpid():
            _runner = Runner(getattr(settings, "SCRIPT_RUNNERS", 4), getattr(settings, "SCRIPT_RUNNER_WAIT_S", 10))
        return _runner


def _after_fork() -> None:
    global _runner, _making
    if _runner is not None:
        _runner.let_go()
    _runner, _making = None, threading.Lock()


os.register_at_fork(after_in_child=_after_fork)

__all__ = ["Limits", "Outcome", "Runner", "RunnerDied", "RunnersBusy", "default_limits", "runner"]
