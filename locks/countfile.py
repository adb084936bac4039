"""A file beside the counts that a process gathers in memory, so that a killed process loses none of them.

One file per batch of counts, with a record per event, appended before the event is answered. Its owner holds the file's lock
(flock), which ends with the owner; the operating system keeps what was appended. A file without an owner is written to the
database by any process of the same host. A crash of the whole machine may lose the last records.
"""
from __future__ import annotations

import fcntl
import logging
import os
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.db import connection

log = logging.getLogger(__name__)
# The fields of an Event.
RECORD = struct.Struct("<qqqB")
_SUFFIX = ".counts"
# A file that is being made has no lock yet, for an instant.
_MAKING_S = 60.0


class Event(NamedTuple):
    """One thing that happened to a mutex. minute: Unix seconds; mutex_id: 0 for none; field: place in stats.FIELDS."""

    namespace_id: int
    minute: int
    mutex_id: int
    field: int


def folder() -> Path:
    """Where the files of this database are; the same ids mean other rows in another database."""
    where = connection.settings_dict
    name = f"{connection.vendor}:{where['HOST']}:{where['PORT']}:{where['NAME']}"
    return Path(settings.DATA_DIR) / "lock-counts" / blake2b(name.encode(), digest_size=8).hexdigest()


class CountFile:
    """One file and its lock. id: names the batch in the database too."""

    def __init__(self, path: Path, fd: int) -> None:
        self.path, self._fd = path, fd
        self.id = UUID(hex=path.stem)

    @classmethod
    def make(cls) -> CountFile:
        """A new, empty file, locked by this process. Raises OSError."""
        room = folder()
        room.mkdir(parents=True, exist_ok=True)
        name = uuid4().hex
        new, path = room / f"{name}.new", room / f"{name}{_SUFFIX}"
        fd = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            new.rename(path)  # locked before anybody looks for it
        except OSError:
            os.close(fd)
            raise
        return cls(path, fd)

    def append(self, event: Event) -> None:
        """Add one event. Raises OSError."""
        os.write(self._fd, RECORD.pack(*event))

    def events(self) -> Iterator[Event]:
        """The events in it; a record that a full disk cut off is left out."""
        data = self.path.read_bytes()
        return map(Event._make, RECORD.iter_unpack(data[: len(data) // RECORD.size * RECORD.size]))

    def remove(self) -> bool:
        """Delete the file: all of it is in the database. False when it cannot be deleted."""
        try:
            self.path.unlink(missing_ok=True)
            return True
        except OSError:
            log.warning("a file of counts could not be removed", exc_info=True)
            return False
        finally:
            self.close()

    def close(self) -> None:
        """Release the file to other processes."""
        with suppress(OSError):
            os.close(self._fd)


def left(*, keep_s: float) -> Iterator[CountFile]:
    """Files whose owners have ended, each locked until it is closed or removed. Those older than keep_s seconds are removed."""
    with suppress(OSError):
        for path in sorted(folder().iterdir()):
            age_s = _age_s(path)
            if path.suffix == _SUFFIX and (found := _take(path)) is not None:
                if age_s > keep_s:
                    log.warning("counts that nobody wrote for too long were removed", extra={"file": path.name})
                    found.remove()
                else:
                    yield found
            elif path.suffix == ".new" and age_s > _MAKING_S:
                path.unlink(missing_ok=True)


def _take(path: Path) -> CountFile | None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(fd).st_nlink:  # otherwise its owner has just removed it
            return CountFile(path, fd)
    except (OSError, ValueError):
        pass
    os.close(fd)
    return None


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
