"""One place in which a process waits: for descriptors, for signals, for a time. Nothing ticks."""
from __future__ import annotations

import os
import select
import signal
from contextlib import suppress

GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Waiter:
    """Wait with `wait`; signals, and `wake` in any thread, end it at once."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll.register(self._read, select.POLLIN)
        self._heeds = False

    def heed_signals(self) -> None:
        """From now on each signal that has a handler ends the wait. In the main thread."""
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        self._heeds = True

    def watch(self, fd: int, *, end_only: bool = False) -> None:
        """Wait for this descriptor too: until it can be read, or only until its other end is closed."""
        self._poll.register(fd, 0 if end_only else select.POLLIN)

    def forget(self, fd: int) -> None:
        """Before it is closed."""
        with suppress(KeyError):
            self._poll.unregister(fd)

    def wake(self) -> None:
        """End the wait, or the next one."""
        with suppress(BlockingIOError):
            os.write(self._write, b"w")

    def wait(self, timeout_s: float | None) -> dict[int, int]:
        """Wait for timeout_s at most, None: for ever. Returns descriptor -> events of those that are ready."""
        found = dict(self._poll.poll(None if timeout_s is None else max(0.0, timeout_s) * 1000))
        if found.pop(self._read, 0):
            with suppress(BlockingIOError):
                os.read(self._read, 4096)
        return found

    def close(self) -> None:
        """Waits no more."""
        if self._heeds:
            signal.set_wakeup_fd(-1)
        os.close(self._read)
        os.close(self._write)
