"""A pipe that all processes of one program inherit, and that only their supervisor can write to.

A byte in it says "drain": nobody reads it, so every process sees it for ever. The end of the file says that the
supervisor is gone, however it died. Both need no database, no signal and no knowledge of process ids. A death
signal (PR_SET_PDEATHSIG) cannot do this: it follows the direct parent, and would kill busy workers when django-q's
sentinel dies.
"""
from __future__ import annotations

import os
import select
from collections.abc import Callable

from gs2admin.processes.threads import kept

VARIABLE = "GS2ADMIN_LIFELINE"


class Lifeline:
    """The supervisor's end."""

    def __init__(self) -> None:
        self.read_fd, self._write_fd = os.pipe()

    def close_read(self) -> None:
        """Call after the child was started; it holds its own copy."""
        os.close(self.read_fd)

    def drain(self) -> None:
        """Ask all processes to finish and take no new work. There is no way back."""
        if self._write_fd >= 0:
            try:
                os.write(self._write_fd, b"d")
            except BrokenPipeError:
                pass  # nobody left to ask

    def cut(self) -> None:
        """Close it, as the supervisor's end would."""
        if self._write_fd >= 0:
            os.close(self._write_fd)
            self._write_fd = -1


class ChildEnd:
    """The end of a process that was started: of the pipe named in the environment, or of none."""

    def __init__(self, fd: int | None) -> None:
        self.fd = fd
        if fd is not None:
            os.set_inheritable(fd, False)

    @classmethod
    def from_environment(cls) -> ChildEnd:
        """Take the pipe over from the environment, once: what this process starts must not see it."""
        text = os.environ.pop(VARIABLE, "")
        return cls(int(text) if text.isdigit() else None)

    def _events(self, wanted: int, timeout_ms: int | None) -> int:
        poller = select.poll()
        poller.register(self.fd, wanted)
        return sum(event for _, event in poller.poll(timeout_ms))

    def draining(self) -> bool:
        """True when the supervisor asks to drain, or is gone."""
        return self.fd is not None and bool(self._events(select.POLLIN, 0))

    def on_cut(self, act: Callable[[], None]) -> None:
        """Call act() in a thread of its own once the supervisor is gone."""
        if self.fd is None:
            return

        def watch() -> None:
            # Without POLLIN the byte that asks to drain does not wake it; a hang-up always does.
            while not self._events(0, None) & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                pass
            act()

        kept("lifeline", watch)
