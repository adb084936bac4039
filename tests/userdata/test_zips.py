"""Every byte of an uploaded zip belongs to one entry, to the directory or to the end: each way of bending that is refused."""

from __future__ import annotations

import io
import random
import struct
import time
import zipfile
import zlib

import pytest

from jobqueue.userdata import checking, inspecting
from jobqueue.userdata.archive import PIECE, Archive
from jobqueue.userdata.format import ENTRIES, JOBS, MANIFEST, RESULTS, Counts, Manifest, Refused
from jobqueue.userdata.tasks import examine, perform
from tests.userdata.conftest import pack

TEXT = b'{"a": "line of some length that is packed"}\n'
FILES = {MANIFEST: b"{}", "jobs.jsonl": TEXT * 30, "given_up.jsonl": b"", "results.jsonl": TEXT * 3}
MANIFEST_TEXT = Manifest(
    format="gs2admin.job-queue.user-data", version=1, user_id="u", owner_id="o", created_at=1, counts=Counts(jobs=0, given_up=0, results=0)
).text().encode()  # fmt: skip


def build(
    *, late: str = "", comment: bytes = b"", zip64: bool = False, before: bytes = b"", between: bytes = b"", in_front_of_end: bytes = b"",
    extra: bytes = b"", local_extra: bytes = b"", entry_comment: bytes = b"", files: dict[str, bytes] = FILES, order: int = 1,
    end: dict[str, int] | None = None, central: dict[str, int] | None = None, local: dict[str, int] | None = None, tail: bytes = b"",
) -> bytes:  # fmt: skip
    """A zip by hand. late: struct format of data descriptors; end, central, local: header values that lie (of jobs.jsonl)."""
    out, directory = bytearray(before), []
    for name, data in list(files.items())[::order]:
        pack_ = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = pack_.compress(data) + pack_.flush()
        crc, at = zlib.crc32(data), len(out)
        head = {"flags": 8 if late else 0, "method": 8, "crc": crc, "packed": len(packed), "size": len(data), "at": at, "mode": 0o100600 << 16, "made": 0x31E, "disk": 0}
        said = head | ({"crc": 0, "packed": 0, "size": 0} if late else {})
        if name == JOBS:
            said, head = said | (local or {}), head | (central or {})
        out += struct.pack("<4s5H3L2H", b"PK\3\4", 20, said["flags"], said["method"], 0, 33, said["crc"], said["packed"], said["size"],
                           len(name), len(local_extra)) + name.encode() + local_extra + packed  # fmt: skip
        if late:
            values = [crc, len(packed), len(data)]
            out += struct.pack(late, *([b"PK\7\10"] if "s" in late else []), *values)
        out += between
        directory.append(struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", head["made"], 20, head["flags"], head["method"], 0, 33, head["crc"], head["packed"], head["size"],
            len(name), len(extra), len(entry_comment), head["disk"], 0, head["mode"], head["at"],
        ) + name.encode() + extra + entry_comment)  # fmt: skip
    start, listed = len(out), b"".join(directory)
    out += listed + in_front_of_end
    e = {"disk": 0, "first": 0, "here": len(files), "count": len(files), "length": len(listed), "start": start} | (end or {})
    if zip64:
        at = len(out)
        out += struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, len(files), len(files), len(listed), start)
        out += struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    out += struct.pack("<4s4H2LH", b"PK\5\6", *e.values(), len(comment)) + comment
    return bytes(out) + tail


def opened(data: bytes) -> Archive:
    return Archive(io.BytesIO(data), len(data))


def read(data: bytes) -> dict[str, bytes]:
    archive = opened(data)
    return {name: b"".join(line for _, line in archive.lines(name)) for name in ENTRIES}


TIMES = struct.pack("<2HBL", 0x5455, 5, 3, 1_700_000_000)
ZIP64_HEAD = struct.pack("<2H2Q", 1, 16, len(FILES[JOBS]), 99)
GOOD = {
    "plain": {}, "other order": {"order": -1}, "late sizes": {"late": "<4s3L"}, "late sizes without a mark": {"late": "<3L"},
    "late large sizes": {"late": "<4sL2Q"}, "times": {"extra": TIMES, "local_extra": TIMES}, "times in one place": {"local_extra": TIMES},
    "large end": {"zip64": True}, "large end with full values": {"zip64": True, "end": {"count": 0xFFFF, "here": 0xFFFF, "length": 0xFFFFFFFF, "start": 0xFFFFFFFF}},
    "made by DOS": {"central": {"made": 20, "mode": 0x20}},
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_common_tools_write_is_read(name):
    assert read(build(**GOOD[name])) == FILES


def test_what_zipfile_writes_is_read():
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert read(pack(FILES, method)) == FILES
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as entry:
                entry.write(data)
    assert read(out.getvalue()) == FILES

    class Stream(io.RawIOBase):
        """As a pipe: sizes can only come late."""

        def writable(self) -> bool:
            return True

        def write(self, data) -> int:
            out.write(data)
            return len(data)

    out = io.BytesIO()
    with zipfile.ZipFile(Stream(), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    assert read(out.getvalue()) == FILES


def test_long_and_odd_texts_come_out_as_they_went_in():
    for size in (0, 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE):
        for body in (b"x" * min(size, 1_000_000), random.Random(size).randbytes(size).replace(b"\n", b"n")):
            for end in (b"", b"\n"):
                data = {name: (b"a\n" + body + b"y" + end if name == JOBS else b"") for name in ENTRIES}
                assert read(build(files=data)) == data


WHOLE = build()
BAD = {
    "trailing byte": (build(tail=b"\0"), "follows"), "trailing text": (build(tail=b"hello" * 99), "follows"),
    "trailing megabyte": (build(tail=b"\0" * 1_000_000), "zip"), "a second archive behind": (WHOLE + WHOLE, "before"),
    "another archive behind": (WHOLE + build(files=FILES | {JOBS: b""}), "before"), "an archive in front of garbage": (WHOLE + b"PK\5\6", "follows"),
    "leading byte": (b"\0" + WHOLE, "before"), "leading program": (b"#!/bin/sh\nexit\n" + WHOLE, "before"),
    "leading byte with offsets that fit": (build(before=b"\0"), "outside"), "leading archive with offsets that fit": (build(before=WHOLE), "outside"),
    "bytes between": (build(between=b"x"), "outside"), "bytes between late entries": (build(late="<4s3L", between=b"x"), "outside"),
    "bytes before the end": (build(in_front_of_end=b"x"), "before"), "an entry more than it says": (build(end={"count": 3, "here": 3}), "3 entries"),
    "a directory that is longer": (build(end={"length": 9_000_000}), "bytes"), "a directory that is longer by one": (build(end={"length": len(WHOLE)}), ""),
    "comment": (build(comment=b"hello"), "comment"), "comment that looks like an end": (build(comment=WHOLE[-22:]), "before"),
    "comment that is a zip": (build(comment=WHOLE), "before"), "comment that is cut off": (build(comment=b"hello")[:-1], "comment"),
    "end that says a comment": (WHOLE[:-2] + b"\5\0", "comment"), "entry comment": (build(entry_comment=b"x"), "comment"),
    "more entries than there are": (build(end={"count": 5, "here": 5}), "entries"), "65,535 entries": (build(end={"count": 65535, "here": 65535}), "entries"),
    "no entries": (build(end={"count": 0, "here": 0}), "entries"), "counts that differ": (build(end={"here": 3}), "split"), "another disk": (build(end={"disk": 1}), "split"),
    "directory on another disk": (build(end={"first": 1}), "split"), "entry on another disk": (build(central={"disk": 1}), "another file"),
    "directory further in front": (build(end={"start": 0}), "before"), "directory behind the end": (build(end={"start": 2**31}), "cut off"),
    "directory at 4 GiB": (build(end={"start": 2**32 - 1}), ""), "large end that lies": (build(zip64=True, end={"count": 3, "here": 3}), "different"),
    "large end with another directory": (build(zip64=True, end={"start": 5}), "different"), "large end without its record": (build(in_front_of_end=struct.pack("<4sLQL", b"PK\6\7", 0, 9, 1)), ""),
    "large sizes nobody gives": (build(central={"size": 2**32 - 1}), "differently"), "large sizes that nobody needs": (build(extra=ZIP64_HEAD), "differently"),
    "large sizes twice": (build(extra=ZIP64_HEAD * 2, central={"size": 2**32 - 1}), ""), "large sizes that are cut off": (build(extra=ZIP64_HEAD[:9], central={"size": 2**32 - 1}), ""),
    "another name in an extra field": (build(extra=struct.pack("<2H", 0x7075, 9) + b"\1abcdjobs"), "extra"), "unknown extra field": (build(local_extra=struct.pack("<2H", 0xBEEF, 0)), "extra"),
    "extra field that is cut off": (build(extra=b"\1\0\1"), ""), "much extra": (build(local_extra=struct.pack("<2H", 0x5455, 60_000) + b"x" * 60_000), ""),
    "much extra in the directory": (build(extra=struct.pack("<2H", 0x5455, 1500) + b"x" * 1500), "bytes"),
    "encrypted": (build(central={"flags": 1}, local={"flags": 1}), "encrypted"), "strongly encrypted": (build(central={"flags": 0x41}), "encrypted"),
    "hidden directory": (build(central={"flags": 0x2000}), "encrypted"), "AES": (build(extra=struct.pack("<2H7s", 0x9901, 7, b"\2\0AE\3\0\0")), "encrypted"),
    "patch": (build(central={"flags": 0x20}), "compressed"), "other compression": (build(central={"method": 12}), "compressed"), "no such compression": (build(central={"method": 99}), "compressed"),
    "link": (build(central={"mode": 0o120777 << 16}), "link"), "directory": (build(central={"mode": 0o040755 << 16}), "link"), "DOS directory": (build(central={"mode": 0x10}), "link"),
    "disk's name": (build(central={"mode": 0x08}), "link"), "device": (build(central={"mode": 0o060600 << 16}), "link"),
    "another method in front": (build(local={"method": 0}), "differently"), "other flags in front": (build(local={"flags": 2}), "differently"),
    "another size in front": (build(local={"size": 5}), "differently"), "another length in front": (build(local={"packed": 5}), "differently"),
    "another checksum in front": (build(local={"crc": 5}), "differently"), "no sizes in front, and none late": (build(local={"crc": 0, "packed": 0, "size": 0}), "differently"),
    "late sizes that were said": (build(late="<4s3L", local={"crc": 1, "packed": 2, "size": 3}), "differently"),
    "longer than it is": (build(central={"size": 2000}, local={"size": 2000}), "not as long"), "shorter than it is": (build(central={"size": 20}, local={"size": 20}), "not as long"),
    "longer packed": (build(central={"packed": 100}, local={"packed": 100}), ""), "shorter packed": (build(central={"packed": 9}, local={"packed": 9}), "outside"),
    "another checksum": (build(central={"crc": 5}, local={"crc": 5}), "checksum"), "header somewhere else": (build(central={"at": 5}), ""),
    "header behind the directory": (build(central={"at": 2**31}), "differently"), "header of another": (build(central={"at": 0}), "overlap"),
    "bomb": (build(files=FILES | {JOBS: b" " * 40_000_000}), "hundred"), "bomb that hides its size": (build(files=FILES | {JOBS: b" " * 40_000_000}, central={"size": 1000}, local={"size": 1000}), "not as long"),
    "5 TiB": (build(extra=struct.pack("<2HQ", 1, 8, 5 * 2**40), central={"size": 2**32 - 1}), ""), "split archive": (b"PK\7\10" + WHOLE, "before"), "nothing": (b"", "cut off"),
    "an end and no more": (WHOLE[-22:], ""), "zeros": (b"\0" * 9000, "cut off"), "gzip": (zlib.compress(WHOLE, wbits=31), "cut off"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_bent_is_refused(name):
    data, word = BAD[name]
    with pytest.raises(Refused, match=".") as refusal:
        read(data)
    assert word in str(refusal.value) and str(refusal.value).endswith("."), str(refusal.value)


@pytest.mark.parametrize("late", ["<4s3L", "<3L", "<4sL2Q", "<L2Q"])
def test_late_sizes_that_disagree(late):
    whole = build(late=late)
    assert read(whole) == FILES
    crc = struct.pack("<L", zlib.crc32(FILES[JOBS]))
    at = whole.index(crc)
    for offset in range(struct.calcsize(late) - 4 * ("s" in late)):
        bent = bytearray(whole)
        bent[at + offset] ^= 1
        with pytest.raises(Refused):
            read(bytes(bent))


def test_a_stored_entry_has_one_length():
    data = bytearray(pack(FILES, zipfile.ZIP_STORED))
    at = data.index(b"jobs.jsonl", data.index(b"PK\1\2")) - 46
    struct.pack_into("<L", data, at + 20, 7)
    with pytest.raises(Refused, match="differently"):
        read(bytes(data))


@pytest.mark.parametrize("kind", ["cut", "bit"])
def test_no_bent_byte_breaks_anything_else_than_the_file(kind):
    for at in range(len(WHOLE)):
        data = WHOLE[:at] if kind == "cut" else WHOLE[:at] + bytes([WHOLE[at] ^ 0x40]) + WHOLE[at + 1 :]
        try:
            got = read(data)
        except Refused:
            continue
        assert kind == "bit" and got == FILES, at


class Counting(io.BytesIO):
    """Counts the bytes that are read of it."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.taken += len(data)
        return data


def many(count: int) -> bytes:
    """A zip of so many empty entries."""
    entry = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, 1, 0) + b"x"
    listed = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    start, length = len(entry), len(listed) * count
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start) + struct.pack("<4sLQL", b"PK\6\7", 0, start + length, 1)
    return entry + listed * count + end + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, length, start, 0)


def test_a_million_entries_cost_a_hundred_bytes():
    data = many(1_000_000)
    assert len(data) > 46_000_000
    file, began = Counting(data), time.process_time()
    with pytest.raises(Refused, match="1,000,000 entries"):
        Archive(file, len(data))
    assert file.taken < 200 and time.process_time() - began < 0.1


# ── in a process of its own ─────────────────────────────────────────────────────────────────────────────────
def stored(tmp_path, data: bytes):
    path = tmp_path / "x.zip"
    path.write_bytes(data)
    return path.open("rb"), len(data)


def test_the_process_says_what_the_function_says(tmp_path):
    good = build(files=FILES | {MANIFEST: MANIFEST_TEXT, JOBS: b"", RESULTS: b""})
    ticks = []
    file, size = stored(tmp_path, good)
    with file:
        assert inspecting.look(file, size, lambda: ticks.append(1)) == checking.look(opened(good))
        assert inspecting.check(file, size, lambda: None) == checking.check(opened(good))
    assert ticks
    file, size = stored(tmp_path, BAD["bytes between"][0])
    with file, pytest.raises(Refused, match="outside"):
        inspecting.check(file, size, lambda: None)


def test_time_and_memory_of_the_process_are_limited(tmp_path, monkeypatch, settings):
    long = build(files=FILES | {MANIFEST: MANIFEST_TEXT, JOBS: random.Random(1).randbytes(15_000_000).hex().encode()})
    file, size = stored(tmp_path, long)
    with file:
        monkeypatch.setattr(inspecting, "MEMORY", 24 * 1024 * 1024)
        with pytest.raises(Refused, match="memory"):
            inspecting.check(file, size, lambda: None)
    program = tmp_path / "inspector.py"
    program.write_text("import sys, resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 2))\nwhile True: pass\n")
    monkeypatch.setattr(inspecting, "PROGRAM", program)
    file, size = stored(tmp_path, long)
    with file, pytest.raises(Refused, match="more time or memory"):
        inspecting.look(file, size, lambda: None)


def test_a_process_that_ends_or_goes_on_without_an_answer(tmp_path, monkeypatch, caplog):
    program = tmp_path / "inspector.py"
    monkeypatch.setattr(inspecting, "PROGRAM", program)
    for text in ("", "print('{')", "import os\nos.kill(os.getpid(), 11)"):
        program.write_text(text)
        file, size = stored(tmp_path, WHOLE)
        with file, pytest.raises(Refused, match="was ended"):
            inspecting.look(file, size, lambda: None)
        assert caplog.records.pop().levelname == "ERROR"

    class Lost(Exception):
        pass

    def tick():
        raise Lost

    program.write_text("import time\ntime.sleep(60)")
    file, size = stored(tmp_path, WHOLE)
    with file, pytest.raises(Lost):
        inspecting.look(file, size, tick)


@pytest.mark.django_db
def test_an_import_in_its_own_process(own_process, project, player, dump, upload, rings):
    run = upload(player, dump(player))
    perform(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == ("done", "")
    run = upload(player, many(1000))
    perform(run.pk)
    run.refresh_from_db()
    assert run.state == "failed" and "1,000 entries" in run.error


@pytest.mark.django_db
def test_a_look_is_rung_for_taken_once_and_repeated_by_the_sweep(project, player, dump, rings):
    from datetime import timedelta

    from django.utils import timezone

    from gs2admin.identity.actors import SYSTEM
    from jobqueue.chores.userdata import wake_runs
    from jobqueue.models import UserDataRun
    from jobqueue.userdata import services
    from jobqueue.userdata.runs import EXAMINE

    run = services.prepare_import(actor=SYSTEM, project=project, user_id="u-7")
    data = dump(player)
    services.receive_upload(run=run, stream=io.BytesIO(data), length=len(data))
    assert rings[-1] == (EXAMINE, run.pk)
    assert wake_runs() == 0
    rows = UserDataRun.objects.filter(pk=run.pk)
    rows.update(updated_at=timezone.now() - timedelta(seconds=100))
    assert wake_runs() == 1 and rings[-1] == (EXAMINE, run.pk)
    examine(run.pk)
    said = Manifest.model_validate_json(rows.get().said)
    assert said.user_id == player and rows.get().error == "" and rows.get().state == "uploaded"
    rows.update(updated_at=timezone.now() - timedelta(seconds=100))
    assert wake_runs() == 0
    services.receive_upload(run=run, stream=io.BytesIO(b"other"), length=5)
    assert rows.get().said == ""
    examine(run.pk)
    assert "not a zip file" in rows.get().error and rows.get().said == ""
