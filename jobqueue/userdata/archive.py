"""Opens a zip from outside. Where everything lies is checked before the first byte is unpacked (directory.py)."""
from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from jobqueue.userdata import directory
from jobqueue.userdata.directory import TORN, Entry
from jobqueue.userdata.format import MANIFEST, Refused

MAX_UNPACKED = 4 * 1024**3
# dumping.py stores without compression what would compress better than this, so its files always pass.
MAX_RATIO = 100
SMALL = 1024 * 1024
# Arguments and results have 5 MiB of characters, output 16; few of them need more than one byte.
MAX_LINE = 64 * 1024 * 1024
MAX_MANIFEST = 64 * 1024
PIECE = 256 * 1024


class Archive:
    """A checked zip: `lines(name)` are the lines of an entry, `manifest()` the bytes of the manifest."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        """file: seekable; size: of it, in bytes. Raises Refused."""
        self._file = file
        self.entries = directory.entries(file, size)
        for entry in self.entries.values():
            if entry.size > SMALL and entry.size > entry.packed * MAX_RATIO * 2:
                raise Refused(f"{entry.name} would unpack to far more than a hundred times its size; that is no dump of ours.")
        total = sum(entry.size for entry in self.entries.values())
        if total > MAX_UNPACKED:
            raise Refused(f"The file would unpack to {total:,} bytes; at most {MAX_UNPACKED:,} are read.")
        if total > SMALL and total > size * MAX_RATIO:
            raise Refused("The file would unpack to more than a hundred times its size; that is no dump of ours.")

    def manifest(self) -> bytes:
        """The text of manifest.json. Raises Refused."""
        if self.entries[MANIFEST].size > MAX_MANIFEST:
            raise Refused(f"{MANIFEST} is too long.")
        return b"".join(self._pieces(self.entries[MANIFEST]))

    def lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """(number from 1, line) of an entry; one line in memory at a time. Raises Refused."""
        number, parts, held = 0, [], 0
        for piece in self._pieces(self.entries[name]):
            *ended, rest = piece.split(b"\n")
            for line in ended:
                parts.append(line + b"\n")
                number += 1
                yield number, _whole(name, number, parts)
                parts, held = [], 0
            if rest:
                parts.append(rest)
                held += len(rest)
                if held > MAX_LINE:
                    raise Refused(f"{name} line {number + 1} is too long.")
        if parts:
            yield number + 1, _whole(name, number + 1, parts)

    def _pieces(self, entry: Entry) -> Iterator[bytes]:
        """The unpacked bytes; the last one comes only when length and checksum are those of the directory."""
        unpack = zlib.decompressobj(-15) if entry.method == directory.DEFLATED else None
        at, left, made, crc = entry.start, entry.packed, 0, 0
        while left or unpack and not unpack.eof:
            packed = unpack.unconsumed_tail if unpack else b""
            if not packed and left:
                # Anew each time: another entry may have been read meanwhile.
                self._file.seek(at)
                packed = self._file.read(min(left, PIECE))
                at, left = at + len(packed), left - len(packed)
            try:
                data = unpack.decompress(packed, PIECE) if unpack else packed
            except zlib.error:
                raise Refused(TORN) from None
            if not (packed or data):
                raise Refused(TORN)
            made, crc = made + len(data), zlib.crc32(data, crc)
            over = unpack and unpack.eof and (left or unpack.unused_data)
            if made > entry.size or over:
                raise Refused(f"{entry.name} is not as long as the file says.")
            if made == entry.size and not left and (unpack is None or unpack.eof) and crc != entry.crc:
                raise Refused(f"{entry.name} is damaged: its checksum is another one.")
            if data:
                yield data
        if made != entry.size or crc != entry.crc:
            raise Refused(f"{entry.name} is not as long as the file says.")


def _whole(name: str, number: int, parts: list[bytes]) -> bytes:
    line = b"".join(parts)
    if len(line) > MAX_LINE:
        raise Refused(f"{name} line {number} is too long.")
    if not line.strip():
        raise Refused(f"{name} line {number} is empty.")
    return line
