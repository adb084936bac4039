"""Bytes that wait for their client: in memory while they are few, else in a file that has no name and ends with its process."""
from __future__ import annotations

import errno
import io
import tempfile
import threading
from collections import Counter
from typing import BinaryIO

# What one request body or one answer may keep in memory. Bytes.
IN_MEMORY = 256 * 1024


class Full(OSError):
    """The room on disk for bodies and answers is used up."""


def is_no_room(problem: OSError) -> bool:
    """Whether it is about the room for bodies and answers, and not about their client."""
    return isinstance(problem, Full) or problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Room:
    """What all bodies, or all answers, of this process may take together, in bytes of memory and of files. For any thread.

    One client may take as much of the files' room as it leaves free, so half of it, and there is always some for another.
    """

    def __init__(self, directory: str, memory: int, disk: int) -> None:
        self.directory = directory
        self.memory, self.disk = memory, disk
        self.memory_used = self.disk_used = 0
        self._owners: Counter[str] = Counter()
        self._lock = threading.Lock()

    def take_memory(self, size: int) -> bool:
        """False when there is not so much left."""
        with self._lock:
            if self.memory_used + size > self.memory:
                return False
            self.memory_used += size
            return True

    def take_disk(self, size: int, owner: str) -> None:
        """Raises Full."""
        with self._lock:
            own = self._owners[owner] + size
            if own > self.disk - self.disk_used - size:
                raise Full(f"{self.disk_used} bytes wait in files, {own - size} of them of one client")
            self.disk_used += size
            self._owners[owner] = own

    def give_memory(self, size: int) -> None:
        """Back."""
        with self._lock:
            self.memory_used -= size

    def give_disk(self, size: int, owner: str) -> None:
        """Back."""
        with self._lock:
            self.disk_used -= size
            self._owners[owner] -= size
            if not self._owners[owner]:
                del self._owners[owner]

    def crowded(self) -> bool:
        """Whether little of the disk's room is left."""
        return self.disk_used > self.disk * 3 // 4


class SpoolFile:
    """A file of bytes that are appended, and sent or read from its beginning. Counts in its room until it is closed."""

    def __init__(self, room: Room, owner: str) -> None:
        self.room, self.owner = room, owner
        self.file: BinaryIO = tempfile.TemporaryFile(dir=room.directory, buffering=0)  # noqa: SIM115  close() ends it
        self.size = 0
        self._open = True

    def append(self, data: bytes | memoryview) -> None:
        """Raises Full, and OSError when the disk is full."""
        left = memoryview(data)
        self.room.take_disk(len(left), self.owner)
        self.size += len(left)
        while left:
            left = left[self.file.write(left):]

    def close(self) -> None:
        """Twice is once."""
        if self._open:
            self._open = False
            self.file.close()
            self.room.give_disk(self.size, self.owner)


class Spool:
    """A body as it arrives. `reader` gives the whole of it."""

    def __init__(self, room: Room, owner: str) -> None:
        self.room, self.owner = room, owner
        self.size = 0
        self._memory: list[bytes] = []
        self._held = 0
        self._file: SpoolFile | None = None

    def write(self, data: bytes) -> None:
        """Raises Full, and OSError when the disk is full."""
        if self._file is None and (self.size + len(data) > IN_MEMORY or not self.room.take_memory(len(data))):
            self._file = SpoolFile(self.room, self.owner)
            self._file.append(b"".join(self._memory))
            self._forget()
        if self._file is not None:
            self._file.append(data)
        else:
            self._memory.append(data)
            self._held += len(data)
        self.size += len(data)

    def reader(self) -> BinaryIO:
        """The bytes from their beginning, in memory or as a file; ends with close()."""
        if self._file is None:
            return io.BytesIO(b"".join(self._memory))
        self._file.file.seek(0)
        return io.BufferedReader(self._file.file, IN_MEMORY)

    def close(self) -> None:
        """Twice is once."""
        self._forget()
        if self._file is not None:
            self._file.close()

    def _forget(self) -> None:
        self.room.give_memory(self._held)
        self._memory, self._held = [], 0
