"""Reads where the entries of a zip lie. The end record is judged first, then a directory of four entries; nothing else is read.

Every byte of the file belongs to one entry, to the directory or to the end: so nothing can hide before, between or behind, and
no two readers see different archives in it. Considered Python's zipfile: it reads a directory of any size into memory before
anything can be judged, takes what stands before and behind an archive, and accepts entries that overlap.
"""
from __future__ import annotations

import stat
import struct
from dataclasses import dataclass
from typing import BinaryIO

from jobqueue.userdata.format import ENTRIES, Refused

STORED, DEFLATED = 0, 8
TORN = "This is not a zip file that can be read; it may be cut off."
_END, _END64, _LOCATOR = struct.Struct("<4s4H2LH"), struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_CENTRAL, _LOCAL = struct.Struct("<4s6H3L5H2L"), struct.Struct("<4s5H3L2H")
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED, _LATE = 0x1 | 0x40 | 0x2000, 0x8
# Late sizes, how hard it was compressed, names in UTF-8: they change nothing that is read here.
_HARMLESS = _LATE | 0x2 | 0x4 | 0x800
# Longer than any directory of four entries that a common tool writes.
MAX_DIRECTORY, MAX_EXTRA = 4096, 512
_ZIP64, _AES = 0x0001, 0x9901
# Times and owners, as zip, 7-Zip, macOS and Windows write them; everything else may say another name or size.
_EXTRAS = {_ZIP64, 0x5455, 0x7875, 0x5855, 0x000A}
_TWICE = "{} is described twice, and differently."


@dataclass(frozen=True)
class Entry:
    """One file: start: of its bytes; packed, size: bytes in the file and unpacked; crc: of the unpacked ones."""

    name: str
    method: int
    start: int
    packed: int
    size: int
    crc: int


@dataclass(frozen=True)
class _Listed:
    """What the directory says of an entry. at: where its header begins."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    at: int


def entries(file: BinaryIO, size: int) -> dict[str, Entry]:
    """The entries by name: exactly ENTRIES. file: seekable; size: of it, in bytes. Raises Refused."""
    start, length, end = _end(file, size)
    listed = _directory(_at(file, start, length), start)
    if end != start + length:
        raise Refused(TORN)
    found, behind = {}, 0
    for one in sorted(listed, key=lambda one: one.at):
        if one.at < behind:
            raise Refused("The file has entries that overlap.")
        if one.at > behind:
            raise Refused("The file holds something outside its entries; a dump holds nothing else.")
        following = min([other.at for other in listed if other.at > one.at], default=start)
        found[one.name], behind = _entry(file, one, following)
    if behind != start:
        raise Refused("The file has entries that overlap." if behind > start else "The file holds something outside its entries.")
    return found


def _at(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    data = file.read(length)
    if len(data) != length:
        raise Refused(TORN)
    return data


def _end(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """(where the directory begins, its length, where what ends the file begins)."""
    if size < _END.size:
        raise Refused(TORN)
    at = size - _END.size
    sign, disk, first, here, count, length, start, comment = _END.unpack(_at(file, at, _END.size))
    if sign != b"PK\5\6":
        tail = _at(file, max(0, size - 65_557), min(size, 65_557))
        raise Refused(
            "Something follows the end of the zip file, or it has a comment; a dump has neither." if b"PK\5\6" in tail else TORN
        )
    if comment:
        raise Refused("The zip file has a comment, or is cut off behind its end; a dump has none.")
    whole = (disk, first, here, count, length, start)
    if size >= _END.size + _LOCATOR.size and _at(file, at - _LOCATOR.size, 4) == b"PK\6\7":
        whole, at = _end64(file, at - _LOCATOR.size, whole)
    disk, first, here, count, length, start = whole
    if disk or first or here != count:
        raise Refused("This is one part of a zip file that was split; upload the whole.")
    if count != len(ENTRIES):
        many = f"The file has {count:,} entries; a dump has {len(ENTRIES)}."
        raise Refused(many if count >= len(ENTRIES) else f"The file has {count} entries, and so not {' and '.join(ENTRIES)}.")
    if length > MAX_DIRECTORY:
        raise Refused(f"The file's directory has {length:,} bytes; that of {len(ENTRIES)} entries is far shorter.")
    if start + length < at:
        raise Refused("Something stands before the zip file, or inside it; a dump holds its entries and nothing else.")
    if start + length > at:
        raise Refused(TORN)
    return start, length, at


def _end64(file: BinaryIO, locator: int, small: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """The values of a large archive's end, and where it begins; what the small one says besides must be the same."""
    _, disk, at, disks = _LOCATOR.unpack(_at(file, locator, _LOCATOR.size))
    if disk or disks != 1 or at != locator - _END64.size:
        raise Refused(TORN)
    sign, length, _, _, *large = _END64.unpack(_at(file, at, _END64.size))
    if sign != b"PK\6\6" or length != _END64.size - 12:
        raise Refused(TORN)
    full = (_FULL16, _FULL16, _FULL16, _FULL16, _FULL32, _FULL32)
    if any(value not in (most, other) for value, most, other in zip(small, full, large, strict=True)):
        raise Refused("The file's two end records say different things.")
    return tuple(large), at


def _directory(data: bytes, start: int) -> list[_Listed]:
    """All that the directory lists, and nothing may be left of it."""
    found, at = [], 0
    for _ in ENTRIES:
        if at + _CENTRAL.size > len(data):
            raise Refused("The file has fewer entries than it says.")
        head = _CENTRAL.unpack_from(data, at)
        sign, made, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment, disk, _, mode, where = head
        at += _CENTRAL.size
        name, extra = data[at : at + name_size], data[at + name_size : at + name_size + extra_size]
        at += name_size + extra_size + comment
        if sign != b"PK\1\2" or at > len(data):
            raise Refused(TORN)
        shown = _name(name)
        if shown in {one.name for one in found}:
            raise Refused("The file has the same entry twice.")
        _check_kind(shown, flags, method, made, mode)
        if comment or disk:
            raise Refused(f"{shown} has a comment or lies in another file; in a dump none does.")
        size, packed, where = _large(shown, extra, size, packed, where)
        if where > start or packed > start or method == STORED and packed != size:
            raise Refused(_TWICE.format(shown))
        found.append(_Listed(shown, flags, method, crc, packed, size, where))
    if at != len(data):
        raise Refused("The file has more entries than it says.")
    return found


def _name(name: bytes) -> str:
    """The entry's name, one of ENTRIES."""
    shown = name.decode("ascii", "replace")
    if shown.startswith(("/", "\\")) or ":" in shown or ".." in shown.replace("\\", "/").split("/"):
        raise Refused("The file has an entry whose path leads out of it.")
    if shown not in ENTRIES:
        raise Refused(f"The file has an entry that no dump has: {shown[:80]!r}.")
    return shown


def _check_kind(name: str, flags: int, method: int, made: int, mode: int) -> None:
    kind = stat.S_IFMT(mode >> 16)
    # The low byte is DOS's: a directory, the name of a disk.
    if kind not in (0, stat.S_IFREG) or mode & 0x18:
        raise Refused(f"{name} is a link or something else that is not a file.")
    if flags & _ENCRYPTED:
        raise Refused(f"{name} is encrypted.")
    if method not in (STORED, DEFLATED) or flags & ~_HARMLESS:
        raise Refused(f"{name} is compressed in a way that is not read here; deflate is.")


def _fields(name: str, extra: bytes) -> dict[int, bytes]:
    """What stands in an extra field, by its kind."""
    found: dict[int, bytes] = {}
    if len(extra) > MAX_EXTRA:
        raise Refused(f"{name} has {len(extra):,} bytes of extra fields; a dump has next to none.")
    while extra:
        if len(extra) < 4:
            raise Refused(TORN)
        kind, length = struct.unpack_from("<2H", extra)
        value, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _AES:
            raise Refused(f"{name} is encrypted.")
        if kind not in _EXTRAS or kind in found or len(value) != length:
            raise Refused(f"{name} has an extra field that is not read here; repack the file without it.")
        found[kind] = value
    return found


def _large(name: str, extra: bytes, *values: int) -> list[int]:
    """Values of 4 bytes each, where one is full from the extra field of large archives; that holds them and no more."""
    fields = _fields(name, extra)
    wanted = sum(value == _FULL32 for value in values)
    held = fields.get(_ZIP64)
    if wanted and (held is None or len(held) != 8 * wanted) or not wanted and held:
        raise Refused(_TWICE.format(name))
    numbers = iter(struct.unpack(f"<{wanted}Q", held or b""))
    return [next(numbers) if value == _FULL32 else value for value in values]


def _entry(file: BinaryIO, one: _Listed, following: int) -> tuple[Entry, int]:
    """The entry, and where it ends. following: where the next thing of the file begins."""
    head = _LOCAL.unpack(_at(file, one.at, _LOCAL.size))
    sign, _, flags, method, _, _, crc, packed, size, name_size, extra_size = head
    if sign != b"PK\3\4" or name_size > 64 or extra_size > MAX_EXTRA:
        raise Refused(TORN)
    rest = _at(file, one.at + _LOCAL.size, name_size + extra_size)
    start = one.at + _LOCAL.size + name_size + extra_size
    large = _FULL32 in (size, packed)
    size, packed = _large(one.name, rest[name_size:], size, packed) if large else (size, packed)
    if not large:
        _fields(one.name, rest[name_size:])
    said, listed = (crc, packed, size), (one.crc, one.packed, one.size)
    late = flags & _LATE
    same = rest[:name_size] == one.name.encode() and (method, flags) == (one.method, one.flags)
    if not same or said != listed and not (late and not any(said)):
        raise Refused(_TWICE.format(one.name))
    end = start + one.packed
    if end > following:
        raise Refused("The file has entries that overlap.")
    found = Entry(one.name, one.method, start, one.packed, one.size, one.crc)
    return found, end + (_late(file, one, end, following) if late else 0)


def _late(file: BinaryIO, one: _Listed, at: int, following: int) -> int:
    """The length of what follows the bytes of an entry whose sizes came after them: they must be those of the directory."""
    length = following - at
    forms = {12: "<3L", 16: "<4s3L", 20: "<L2Q", 24: "<4sL2Q"}
    if length not in forms:
        raise Refused("The file holds something outside its entries; a dump holds nothing else.")
    *sign, crc, packed, size = struct.unpack(forms[length], _at(file, at, length))
    if sign not in ([], [b"PK\7\10"]) or (crc, packed, size) != (one.crc, one.packed, one.size):
        raise Refused(_TWICE.format(one.name))
    return length
