"""The file stores that a step may read and write: those of GS2ADMIN_STORAGES."""
from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage, storages

from gs2admin import private

from .base import StepBroken

CHUNK = 1024 * 1024
_WORD = re.compile(r"\{([a-z]+)\}")
WORDS = ("service", "version", "stage", "project", "colour")


def place(name: str) -> Storage:
    """The store of that name. Raises StepBroken when it is no longer allowed, or its library is not installed."""
    params = settings.STEP_STORAGES.get(name)
    if params is None:
        raise StepBroken(f"The store {name} is no longer in GS2ADMIN_STORAGES, so nothing was done.")
    try:
        return storages.create_storage(params)
    except (ImportError, ImproperlyConfigured) as problem:
        raise StepBroken(f"The store {name} can not be used here: {problem}. S3 needs requirements/s3.txt.") from None


def check_pattern(pattern: str) -> str:
    """A path with words in braces, below the store's root. Raises ValueError with a sentence."""
    strange = sorted({word for word in _WORD.findall(pattern) if word not in WORDS})
    if strange or "{" in _WORD.sub("", pattern) or "}" in _WORD.sub("", pattern):
        raise ValueError(f"In braces a path knows {', '.join('{' + word + '}' for word in WORDS)}.")
    return inside(_WORD.sub("x", pattern)) and pattern


def filled(pattern: str, words: Mapping[str, Any]) -> str:
    """The path with its words filled in. Raises ValueError when that leads out of the store."""
    return inside(_WORD.sub(lambda found: str(words.get(found[1]) or ""), pattern))


def inside(path: str) -> str:
    """The path itself, when it stays below the store's root. Raises ValueError with a sentence."""
    parts = path.split("/")
    if not path or len(path) > 900 or "\\" in path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"{path!r} is no path below the store's root, such as builds/game.zip.")
    return path


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces."""
    while piece := file.read(CHUNK):
        yield piece


def put(store: FileSystemStorage, path: str, file: BinaryIO) -> None:
    """Make `path` be the content of `file`, all or nothing: readers see the old or the new one.

    Raises OSError, SuspiciousOperation.
    """
    target = store.path(path)
    _folders(os.path.dirname(target))
    half = f"{target}.part"
    with open(half, "wb") as out:
        for piece in chunks(file):
            out.write(piece)
        out.flush()
        # Not private as what we keep ourselves: others are to have it.
        os.fchmod(out.fileno(), 0o666 & ~private.outer_umask())
        os.fsync(out.fileno())
    os.replace(half, target)


def _folders(path: str) -> None:
    """Make the folder, and those above it that are missing, as whoever started us would."""
    if path and not os.path.isdir(path):
        _folders(os.path.dirname(path))
        try:
            os.mkdir(path)
            os.chmod(path, 0o777 & ~private.outer_umask())
        except FileExistsError:
            pass


def send(store: Storage, path: str, file: BinaryIO) -> None:
    """As `put`, for a store that is no file system; most replace an object in one request. `file` has to be seekable.

    Raises OSError, and what the store's library raises.
    """
    if not getattr(store, "file_overwrite", False) and store.exists(path):
        store.delete(path)
    saved = store.save(path, File(file, name=path))
    if saved != path:
        store.delete(saved)
        raise OSError(f"the store named it {saved}")


__all__ = ["CHUNK", "SuspiciousOperation", "check_pattern", "chunks", "filled", "place", "put", "send"]
