"""Waiting for a condition with a deadline. Nothing else in the tests sleeps (ruff's TID251 sees to it)."""
from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

# How long between two looks. s.
EVERY_S = 0.02
Found = TypeVar("Found")


class TooSlow(AssertionError):
    """Something did not happen in time; the text says what."""


def looks(within_s: float, every_s: float = EVERY_S) -> Iterator[float]:
    """Yields the seconds since the beginning, again and again; the last time after the deadline."""
    began = time.monotonic()
    while True:
        passed = time.monotonic() - began
        yield passed
        if passed > within_s:
            return
        time.sleep(every_s)


def until(condition: Callable[[], Found], within_s: float, what: str | Callable[[], str] = "", *,
                 every_s: float = EVERY_S) -> Found:  # fmt: skip
    """Wait for condition() to be true, and return it. The last look begins after the deadline.

    what: does not happen, or is asked for that when it did not. Raises TooSlow, which is an AssertionError.
    """
    for _ in looks(within_s, every_s):
        if found := condition():
            return found
    raise TooSlow(f"not within {within_s:g} s: {what() if callable(what) else what}")


def stays(condition: Callable[[], object], for_s: float, what: str | Callable[[], str] = "", *, every_s: float = EVERY_S) -> None:
    """Look for so long that condition() is true each time. Raises AssertionError at the first look at which it is not."""
    for passed in looks(for_s, every_s):
        assert condition(), f"not any more after {passed:.2f} s: {what() if callable(what) else what}"
