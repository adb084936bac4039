"""What is to be sent on a connection. gunicorn's Response writes to it as to a socket, and it never waits for the client."""
from __future__ import annotations

import os
import socket
from collections import deque
from typing import BinaryIO

from gs2admin.processes.web.spool import IN_MEMORY, Room, SpoolFile

# Small parts are sent together: the head of an answer and its body are one packet.
TOGETHER = 64 * 1024
# As much of a file is sent at once, so that one connection does not hold the others up.
PIECE = 512 * 1024


class FilePart:
    """Bytes of a file from `offset` on. spool: the file is ours, and may grow."""

    def __init__(self, fd: int, offset: int, left: int, spool: SpoolFile | None = None) -> None:
        self.fd, self.offset, self.left, self.spool = fd, offset, left, spool

    def close(self) -> None:
        """Let go of the file."""
        if self.spool is not None:
            self.spool.close()
        else:
            os.close(self.fd)


class Outgoing:
    """One thread at a time uses it. owner: whose share of the room it takes.

    sent: bytes of this answer that the kernel has taken.
    """

    def __init__(self, sock: socket.socket, room: Room, owner: str) -> None:
        self.sock, self.room, self.owner = sock, room, owner
        self.sent = 0
        self._parts: deque[bytes | memoryview | FilePart] = deque()
        self._held = 0
        self._counted = 0
        self._tail: FilePart | None = None

    def sendall(self, data: bytes) -> None:
        """Take bytes. Raises OSError when the client is gone, the disk is full, or too much waits already (Full)."""
        if self._tail is not None:
            self._tail.spool.append(data)
            self._tail.left += len(data)
        else:
            self._parts.append(data)
            self._held += len(data)
            if self._held < TOGETHER:
                return
        self.push()
        if self._held > IN_MEMORY:
            self._spill()

    send = sendall

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> None:
        """Take a part of a file, which may be closed afterwards."""
        size = os.fstat(file.fileno()).st_size - offset if count is None else count
        self._tail = None
        self._parts.append(FilePart(os.dup(file.fileno()), offset, size))

    def push(self, most: int = 1 << 62) -> bool:
        """Send what the client takes now, `most` bytes or little more. True when nothing is left. Raises OSError."""
        stop = self.sent + most
        try:
            while self._parts and self.sent < stop:
                if isinstance(self._parts[0], FilePart):
                    self._push_file(self._parts[0])
                else:
                    self._push_memory()
        except BlockingIOError:
            return False
        return not self._parts

    def settle(self) -> None:
        """Nothing is added any more, and the client has not taken all: keep it where there is room. Raises OSError."""
        if self._held:
            if self._held <= IN_MEMORY and self.room.take_memory(self._held):
                self._counted = self._held
            else:
                self._spill()

    def waiting(self) -> int:
        """Bytes that are not sent yet."""
        return self._held + sum(part.left for part in self._parts if isinstance(part, FilePart))

    def in_files(self) -> bool:
        """Whether it takes room on disk."""
        return any(isinstance(part, FilePart) and part.spool for part in self._parts)

    def clear(self) -> None:
        """Forget what is left, and begin the next answer."""
        for part in self._parts:
            if isinstance(part, FilePart):
                part.close()
        self._parts.clear()
        self._tail = None
        if self._counted:
            self.room.give_memory(self._counted)
        self._held = self._counted = self.sent = 0

    def _push_file(self, part: FilePart) -> None:
        while part.left:
            count = os.sendfile(self.sock.fileno(), part.fd, part.offset, min(part.left, PIECE))
            if not count:
                raise OSError("a file became shorter while it was sent")
            part.offset += count
            part.left -= count
            self.sent += count
        self._parts.popleft()
        if part is self._tail:
            self._tail = None
        part.close()

    def _push_memory(self) -> None:
        parts = self._parts
        if len(parts) > 1:
            first, size = [], 0
            while parts and not isinstance(parts[0], FilePart) and (not first or size + len(parts[0]) <= TOGETHER):
                first.append(parts.popleft())
                size += len(first[-1])
            parts.appendleft(b"".join(first) if len(first) > 1 else first[0])
        count = self.sock.send(parts[0])
        self.sent += count
        self._held -= count
        if count == len(parts[0]):
            parts.popleft()
        else:
            parts[0] = memoryview(parts[0])[count:]

    def _spill(self) -> None:
        """What is in memory becomes files, each where its bytes stood. Raises OSError, and then nothing has changed."""
        kept: deque[FilePart] = deque()
        made: list[FilePart] = []
        try:
            for part in self._parts:
                if isinstance(part, FilePart):
                    kept.append(part)
                    continue
                if not kept or kept[-1] not in made:
                    spool = SpoolFile(self.room, self.owner)
                    made.append(FilePart(spool.file.fileno(), 0, 0, spool))
                    kept.append(made[-1])
                kept[-1].spool.append(part)
                kept[-1].left += len(part)
        except OSError:
            for part in made:
                part.close()
            raise
        self._parts, self._held = kept, 0
        self._tail = kept[-1] if kept[-1] in made else None
