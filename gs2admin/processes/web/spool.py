"""Bytes that wait for their client: in memory while they are few, else in a file that has no name and ends with its process."""
from __future__ import annotations

import io
import tempfile
import threading
from typing import BinaryIO

# What one request body or one answer may keep in memory. Bytes.
IN_MEMORY = 256 * 1024


class Full(OSError):
    """The room on disk for bodies and answers is used up."""


class Room:
    """What all bodies and answers of this process may take together, in bytes of memory and of files. For any thread."""

    def __init__(self, directory: str, memory: int, disk: int) -> None:
        self.directory = directory
        self.memory, self.disk = memory, disk
        self.memory_used = self.disk_used = 0
        self._lock = threading.Lock()

    def take_memory(self, size: int) -> bool:
        """False when there is not so much left."""
        with self._lock:
            if self.memory_used + size > self.memory:
                return False
            self.memory_used += size
            return True

    def take_disk(self, size: int) -> None:
        """Raises Full."""
        with self._lock:
            if self.disk_used + size > self.disk:
                raise Full(f"more than {self.disk} bytes wait in files")
            self.disk_used += size

    def give_back(self, *, memory: int = 0, disk: int = 0) -> None:
        """What was taken."""
        with self._lock:
            self.memory_used -= memory
            self.disk_used -= disk

    def crowded(self) -> bool:
        """Whether little of the disk's room is left."""
        return self.disk_used > self.disk * 3 // 4


class SpoolFile:
    """A file of bytes that are appended, and sent or read from its beginning. Counts in its room until it is closed."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.file: BinaryIO = tempfile.TemporaryFile(dir=room.directory, buffering=0)  # noqa: SIM115  close() ends it
        self.size = 0
        self._open = True

    def append(self, data: bytes | memoryview) -> None:
        """Raises Full, and OSError when the disk is full."""
        left = memoryview(data)
        self.room.take_disk(len(left))
        self.size += len(left)
        while left:
            left = left[self.file.write(left):]

    def close(self) -> None:
        """Twice is once."""
        if self._open:
            self._open = False
            self.file.close()
            self.room.give_back(disk=self.size)


class Spool:
    """A body as it arrives. `reader` gives the whole of it."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.size = 0
        self._memory: list[bytes] = []
        self._held = 0
        self._file: SpoolFile | None = None

    def write(self, data: bytes) -> None:
        """Raises Full, and OSError when the disk is full."""
        if self._file is None and (self.size + len(data) > IN_MEMORY or not self.room.take_memory(len(data))):
            self._file = SpoolFile(self.room)
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
        self.room.give_back(memory=self._held)
        self._memory, self._held = [], 0
