"""Opens a zip from outside. Everything is checked before the first byte is unpacked.

CPython 3.11's zipfile accepts entries that overlap (the same bytes counted many times), so this module reads their places
from the local headers.
"""
from __future__ import annotations

import contextlib
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from gs2admin.text import shortened
from jobqueue.userdata.format import ENTRIES, MANIFEST, Refused

MAX_UNPACKED = 4 * 1024**3
# dumping.py stores without compression what would compress better than this, so its files always pass.
MAX_RATIO = 100
SMALL = 1024 * 1024
# Arguments and results have 5 MiB of characters, output 16; few of them need more than one byte.
MAX_LINE = 64 * 1024 * 1024
MAX_MANIFEST = 64 * 1024
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED, _METHODS = 0x1 | 0x40 | 0x2000, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_TORN = "This is not a zip file that can be read; it may be cut off."
_BROKEN = (
    zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError, ValueError, OverflowError, OSError,
)  # fmt: skip


class Archive:
    """A checked zip: `lines(name)` are the lines of an entry, `manifest()` the bytes of the manifest."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        """file: seekable. Raises Refused."""
        with _readable():
            self._zip = zipfile.ZipFile(file)
            infos = self._zip.infolist()
        _check_names(infos)
        for info in infos:
            _check_entry(info)
        total = sum(info.file_size for info in infos)
        if total > MAX_UNPACKED:
            raise Refused(f"The file would unpack to {total:,} bytes; at most {MAX_UNPACKED:,} are read.")
        if total > SMALL and total > size * MAX_RATIO:
            raise Refused("The file would unpack to more than a hundred times its size; that is no dump of ours.")
        with _readable():
            _check_places(file, infos, self._zip.start_dir)

    def manifest(self) -> bytes:
        """The text of manifest.json."""
        with _readable(), self._zip.open(MANIFEST) as entry:
            data = entry.read(MAX_MANIFEST + 1)
        if len(data) > MAX_MANIFEST:
            raise Refused(f"{MANIFEST} is too long.")
        return data

    def lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """(number from 1, line) of an entry; one line in memory at a time. Raises Refused."""
        number, empty = 0, False
        with _readable():
            entry = self._zip.open(name)
        with entry:
            while True:
                with _readable():
                    line = entry.readline(MAX_LINE + 1)
                if not line:
                    return
                number += 1
                if len(line) > MAX_LINE:
                    raise Refused(f"{name} line {number} is too long.")
                if empty or not line.strip():
                    raise Refused(f"{name} line {number} is empty.")
                yield number, line


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except _BROKEN:
        raise Refused(_TORN) from None


def _check_names(infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > len(ENTRIES):
        raise Refused(f"The file has {len(infos):,} entries; a dump has {len(ENTRIES)}.")
    names = [info.orig_filename for info in infos]
    for name in names:
        if name.startswith(("/", "\\")) or ":" in name or ".." in name.replace("\\", "/").split("/"):
            raise Refused("The file has an entry whose path leads out of it.")
        if name not in ENTRIES:
            raise Refused(f"The file has an entry that no dump has: {shortened(name, 80)!r}.")
    if len(set(names)) != len(names):
        raise Refused("The file has the same entry twice.")
    if missing := [name for name in ENTRIES if name not in names]:
        raise Refused(f"The file has no {missing[0]}.")


def _check_entry(info: zipfile.ZipInfo) -> None:
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG) or info.is_dir():
        raise Refused(f"{info.filename} is a link or something else that is not a file.")
    if info.flag_bits & _ENCRYPTED:
        raise Refused(f"{info.filename} is encrypted.")
    if info.compress_type not in _METHODS:
        raise Refused(f"{info.filename} is compressed in a way that is not read here; deflate is.")
    if info.file_size > SMALL and info.file_size > info.compress_size * MAX_RATIO * 2:
        raise Refused(f"{info.filename} would unpack to far more than a hundred times its size; that is no dump of ours.")


def _check_places(file: BinaryIO, infos: list[zipfile.ZipInfo], directory: int) -> None:
    """Each entry's bytes are its own, and its local header says what the directory says."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise Refused("The file has entries that overlap.")
        file.seek(info.header_offset)
        signature, _, flags, method, _, _, _, packed, size, name_size, extra_size = _LOCAL.unpack(file.read(_LOCAL.size))
        name = file.read(name_size)
        if signature != b"PK\3\4":
            raise Refused(_TORN)
        late = flags & 0x8 or 0xFFFFFFFF in (packed, size)
        same = name == info.orig_filename.encode() and method == info.compress_type and flags == info.flag_bits
        if not same or not late and (packed, size) != (info.compress_size, info.file_size):
            raise Refused(f"{info.filename} is described twice, and differently.")
        end = info.header_offset + _LOCAL.size + name_size + extra_size + info.compress_size
    if end > directory:
        raise Refused("The file has entries that overlap.")
