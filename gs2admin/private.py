"""What this program writes is its user's alone, and nobody looks into its processes. Called first by every entry point.

Knows no Django, so that it comes before the settings, which may write a key.
"""
from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

# The umask that we were started with, for those that we start.
VARIABLE = "GS2ADMIN_OUTER_UMASK"
PR_SET_DUMPABLE = 4
OTHERS = 0o077
# Whatever we keep in the data directory. What is not named is somebody else's, and left as it is.
OURS = (
    "gs2admin.db.sqlite3*", "secret_key", "preparing.lock", "static", "user_data", "tmp", "lock-counts", "wakeup",
    ".secret_key.*",
)  # fmt: skip


def begin() -> None:
    """From now on files are private, and other processes of this user can neither read our memory nor get it as a core dump."""
    before = os.umask(OTHERS)
    os.environ.setdefault(VARIABLE, f"{before:03o}")
    # Not on Linux: nothing of the kind to give up.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def outer_umask() -> int:
    """The umask of whoever started us: for commands of steps, and for what steps write where others are to read it."""
    with suppress(ValueError):
        return int(os.environ.get(VARIABLE, ""), 8) & 0o777
    return 0o022


def mend(folder: Path, databases: list[Path]) -> str:
    """Take away what others may do with our files. Returns a sentence when there was anything, else "".

    databases: SQLite files, wherever they are. The folder itself is mended unless it holds what is not ours.
    """
    mended = stuck = 0
    first = ""
    for path in _ours(folder, databases):
        with suppress(FileNotFoundError):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode) or not mode & OTHERS:
                continue
            first = first or str(path)
            try:
                path.chmod(stat.S_IMODE(mode) & ~OTHERS)
                mended += 1
            except PermissionError:
                stuck += 1
    if not mended and not stuck:
        return ""
    many = mended + stuck
    sentence = f"{many} of our files or directories, such as {first}, could be read by other users of this machine"
    if stuck:
        return f"{sentence}; {stuck} of them belong to another user and stay so: give them to the user that runs gs2admin."
    return f"{sentence}; they are private now."


def _ours(folder: Path, databases: list[Path]) -> Iterator[Path]:
    names = {path for pattern in OURS for path in folder.glob(pattern)}
    # A directory for everybody's files (its sticky bit says so), or one that holds other things too, is not ours to close.
    if not folder.stat().st_mode & stat.S_ISVTX and not {*folder.iterdir()} - names:
        yield folder
    for database in databases:
        names |= {Path(f"{database}{end}") for end in ("", "-wal", "-shm", "-journal")}
    for path in sorted(names):
        yield path
        if path.is_dir() and not path.is_symlink():
            for here, folders, files in os.walk(path):
                yield from (Path(here, name) for name in (*folders, *files))
