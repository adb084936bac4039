"""Calls that may hang, each in a thread of its own, so that the step that waits stays awake and within its time."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from . import hanging
from .base import StepContext, StepFailed

T = TypeVar("T")
TURN_S = 0.1
# How long an abandoned call gets to end. s. Lanes wait a little longer for the whole step (worker.lanes.STOP_S).
STOP_S = 8.0
# The same when the step's time is up: nobody hurries it then, but the step's own limit is near its promise. s.
LATE_S = 0.5


class GivenUp(Exception):
    """The step has stopped waiting for this call."""


class Gate:
    """A file that another thread reads; once it is shut each read raises GivenUp, which ends the upload that reads."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._shut = threading.Event()

    def read(self, size: int = -1) -> bytes:
        """As the file's. Raises GivenUp."""
        if self._shut.is_set():
            raise GivenUp
        return self._file.read(size)

    def shut(self) -> None:
        """Make each further read raise GivenUp."""
        self._shut.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


class Limit:
    """The time that a step has, from its construction on. seconds: as its settings say."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = time.monotonic() + seconds

    @property
    def over(self) -> bool:
        """Whether the time is up."""
        return time.monotonic() >= self.until

    def check(self, before: str) -> None:
        """Raises StepFailed when the time is up. before: what had not happened yet, such as "the file was put"."""
        if self.over:
            raise self.passed(before)

    def passed(self, before: str, why: str = "") -> StepFailed:
        """The error of a step whose time is up. why: what it waited for, "" when that is not known."""
        return StepFailed(f"The {self.seconds:g} s of this step were over before {before}{f': {why}' if why else ''}.")


def awake(
    ctx: StepContext, call: Callable[[], T], *, limit: Limit, before: str, stop: Callable[[], None] = lambda: None
) -> T:
    """Run `call` in a thread of its own while the step's thread ticks; returns or raises what `call` does.

    When a tick raises, `stop` is called, the programs that the call has started are killed, it gets STOP_S to end, and what
    the tick raised is raised. When the limit is over the same happens, and StepFailed names what hung. before: what had not
    happened then, as in Limit.passed. A call that does not end at all keeps its thread.
    """
    answer: list[T] = []
    problem: list[Exception] = []

    def work() -> None:
        try:
            answer.append(call())
        except Exception as found:  # noqa: BLE001  handed to the thread that waits
            problem.append(found)

    thread = threading.Thread(target=work, name="step-call", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(min(TURN_S, max(0.001, limit.until - time.monotonic())))
            if thread.is_alive():
                ctx.tick()
                if limit.over:
                    raise limit.passed(before, _hung(thread))
    except BaseException as reason:
        stop()
        hanging.end_children(thread)
        thread.join(LATE_S if isinstance(reason, StepFailed) else STOP_S)
        raise
    if problem:
        raise problem[0]
    return answer[0]


def _hung(thread: threading.Thread) -> str:
    """What the call hangs in, as the end of a sentence; a program is killed by `awake`, so that is said too."""
    what = hanging.waits_for(thread)
    if not what:
        return ""
    return f"it hung in {what}" + (", which was ended" if what.startswith("the program") else "")
