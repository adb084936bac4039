"""What the processes of a cluster tell their supervisor: that they are there, and that they leave because they are not needed.

One pipe, one line per event, written at once, so that lines of several processes never mix. Deaths are seen; the main process
tells of them too, for those who die before they have said anything.
"""
from __future__ import annotations

import os
from contextlib import suppress

HERE, LEAVES, DIED = "here", "leaves", "died"
News = tuple[str, str, str, int]


def pipe() -> tuple[int, int]:
    """The supervisor's end, and the one that the cluster inherits. Neither waits."""
    return os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)


def tell(fd: int, event: str, role: str, lane: str = "", pid: int = 0) -> None:
    """Tell it of a process, of this one without pid. role: worker, pusher. lane: the queue that a worker serves."""
    with suppress(OSError):  # nobody listens any more
        os.write(fd, f"{event}\t{role}\t{lane}\t{pid or os.getpid()}\n".encode())


class Heard:
    """The supervisor's end."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.ended = False
        self._rest = b""

    def news(self) -> list[News]:
        """Everything that was told since the last call: event, role, lane, pid. `ended` when nobody is left to tell."""
        while not self.ended:
            try:
                data = os.read(self.fd, 65_536)
            except BlockingIOError:
                break
            self.ended = not data
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        found = []
        for line in lines:
            event, role, lane, pid = line.decode().split("\t")
            found.append((event, role, lane, int(pid)))
        return found

    def close(self) -> None:
        """Listen no more."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
