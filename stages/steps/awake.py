"""Calls that may hang, each in a thread of its own, so that the step that waits stays awake."""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from .base import StepContext

T = TypeVar("T")
TURN_S = 0.1
# How long an abandoned call gets to end. s. Lanes wait a little longer for the whole step (worker.lanes.STOP_S).
STOP_S = 8.0


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


def awake(ctx: StepContext, call: Callable[[], T], *, stop: Callable[[], None] = lambda: None) -> T:
    """Run `call` in a thread of its own while the step's thread ticks; returns or raises what `call` does.

    When a tick raises, `stop` is called, the call gets STOP_S to end, and what the tick raised is raised.
    """
    answer: list[T] = []
    problem: list[Exception] = []

    def work() -> None:
        try:
            answer.append(call())
        except Exception as found:  # noqa: BLE001  handed to the thread that waits
            problem.append(found)

    thread = threading.Thread(target=work, name="step-store", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(TURN_S)
            if thread.is_alive():
                ctx.tick()
    except BaseException:
        stop()
        thread.join(STOP_S)
        raise
    if problem:
        raise problem[0]
    return answer[0]
