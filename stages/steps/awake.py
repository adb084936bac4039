"""Calls that may hang, each in a thread of its own, so that the step that waits stays awake."""
from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, BinaryIO, TypeVar

from .base import StepContext

T = TypeVar("T")
TURN_S = 0.1
# How long a call gets to notice that nobody waits for it any more. Lanes wait a little longer for the whole step.
STOP_S = 8.0


class GivenUp(Exception):
    """Whoever waited for this call has gone."""


class Gate:
    """A file that another thread reads; once it is shut every read fails, and so does the upload that reads."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._shut = threading.Event()

    def read(self, size: int = -1) -> bytes:
        """As the file's. Raises GivenUp."""
        if self._shut.is_set():
            raise GivenUp
        return self._file.read(size)

    def shut(self) -> None:
        """Let nothing more through."""
        self._shut.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def awake(ctx: StepContext, call: Callable[[], T], *, stop: Callable[[], None] = lambda: None) -> T:
    """What `call()` returns or raises. Meanwhile the step's own thread ticks; when that says to stop, `stop` is called, the
    call gets STOP_S to end, and what the tick raised goes on its way."""
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
