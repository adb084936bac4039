"""A file that nobody vouches for: each way of being bad is refused with a sentence, and no row changes."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib

import pytest

from jobqueue.models import Job, JobResult, Queue
from jobqueue.userdata import archive as archives
from jobqueue.userdata.format import Refused
from jobqueue.userdata.tasks import perform
from tests.userdata.conftest import pack, picture

pytestmark = pytest.mark.django_db


@pytest.fixture
def good(player, dump, entries) -> dict[str, bytes]:
    """The entries of a good dump."""
    return entries(dump(player))


@pytest.fixture
def refuse(project, player, upload):
    """refuse(zip bytes, word): the import fails with a sentence that has the word, and nothing changed."""

    def act(data: bytes, word: str) -> None:
        before, rows = picture(project, player), (Job.objects.count(), JobResult.objects.count(), Queue.objects.count())
        run = upload(player, data)
        perform(run.pk)
        run.refresh_from_db()
        assert run.state == "failed" and word in run.error and run.error.endswith("."), run.error
        assert run.error in run.log and "Traceback" not in run.log
        assert picture(project, player) == before
        assert (Job.objects.count(), JobResult.objects.count(), Queue.objects.count()) == rows

    return act


def raw(entries: list[tuple[zipfile.ZipInfo | str, bytes]]) -> bytes:
    """A zip of entries as they are told, doubled names too."""
    out = io.BytesIO()
    with pytest.warns() if len({str(getattr(e, "filename", e)) for e, _ in entries}) < len(entries) else _silent(), \
            zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:  # fmt: skip
        for entry, data in entries:
            archive.writestr(entry, data)
    return out.getvalue()


class _silent:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False


def named(good: dict[str, bytes], name: str, mode: int = 0o100600) -> list:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return [*good.items(), (info, b"x")]


@pytest.mark.parametrize(
    "data", [b"hello", b"PK\3\4", b"PK\5\6" + b"\0" * 18, b"\0" * 5000], ids=["text", "start", "empty", "zeros"]
)
def test_no_zip(refuse, data):
    refuse(data, "zip" if not data.startswith(b"PK\5\6") else "manifest.json")


def test_a_zip_that_is_cut_off_or_bent_anywhere(refuse, good, project, player, upload):
    data = pack(good)
    before = picture(project, player)
    for cut in range(1, len(data), max(1, len(data) // 25)):
        run = upload(player, data[:cut])
        perform(run.pk)
        run.refresh_from_db()
        assert run.state == "failed" and picture(project, player) == before
    for at in range(0, len(data), max(1, len(data) // 60)):
        bent = bytearray(data)
        bent[at] ^= 0xFF
        run = upload("user-0003", bytes(bent))
        perform(run.pk)
        run.refresh_from_db()
        # A bent byte in a date changes nothing that is read.
        assert run.state in {"failed", "done"} and (run.state == "done" or run.error.endswith("."))
    assert picture(project, player) == before


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("/etc/passwd", "path"), ("../jobs.jsonl", "path"), ("a/../../b", "path"), ("..\\x", "path"), ("C:\\x", "path"),
        ("\\x", "path"), ("more.txt", "entry"), ("jobs.jsonl/", "entry"), ("JOBS.JSONL", "entry"), ("jobs.jsonl\0.txt", "entry"),
    ],
)  # fmt: skip
def test_entries_that_no_dump_has(refuse, good, name, word):
    entries = good.copy()
    entries.pop("given_up.jsonl")
    refuse(raw(named(entries, name)), word)


def test_links_and_directories(refuse, good):
    for mode in (0o120777, 0o040755, 0o020600, 0o010600):
        entries = good.copy()
        entries.pop("results.jsonl")
        refuse(raw(named(entries, "results.jsonl", mode)), "not a file")


def test_repeated_missing_and_many_entries(refuse, good):
    entries = list(good.items())
    refuse(raw([*entries[:3], entries[1]]), "twice")
    refuse(raw(entries[:3]), "results.jsonl")
    refuse(raw([(f"{n}.txt", b"") for n in range(5000)]), "entries")


def test_encrypted_entries(refuse, good):
    data = bytearray(pack(good))
    at = data.index(b"PK\1\2")
    data[at + 8] |= 1
    data[6] |= 1
    refuse(bytes(data), "encrypted")


def test_other_compressions(refuse, good):
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        refuse(pack(good, method), "compressed")


def test_a_bomb_is_refused_before_it_is_unpacked(refuse, good, monkeypatch):
    data = pack(good | {"jobs.jsonl": b" " * 300_000_000})
    with pytest.raises(Refused, match="hundred times"):
        archives.Archive(io.BytesIO(data), len(data))
    refuse(pack(good | {"jobs.jsonl": b" " * 300_000_000}), "hundred times")


def test_sizes_that_lie(refuse, good):
    packed = pack(good | {"jobs.jsonl": b" " * 3_000_000})
    data = bytearray(packed)
    size = struct.pack("<L", 3_000_000)
    while size in data:
        data[data.index(size) : data.index(size) + 4] = struct.pack("<L", 500)
    refuse(bytes(data), "")


def test_more_than_is_ever_read(refuse, good, monkeypatch):
    monkeypatch.setattr(archives, "MAX_UNPACKED", 1000)
    refuse(pack(good), "unpack to")


def test_overlapping_entries(refuse, good):
    """The directory sends two names to one run of bytes; zipfile of Python 3.11.7 takes it."""
    plain = pack(good, zipfile.ZIP_STORED)
    start = plain.index(b"PK\1\2")
    data, directory = bytearray(plain), []
    at = start
    while plain[at : at + 4] == b"PK\1\2":
        name, extra, comment = struct.unpack_from("<3H", plain, at + 28)
        directory.append((at, struct.unpack_from("<L", plain, at + 42)[0]))
        at += 46 + name + extra + comment
    # The second entry's bytes reach over the third one, by its sizes in both headers.
    second, third = directory[1], directory[2]
    end_of_third = directory[3][1]
    name = struct.unpack_from("<H", plain, second[1] + 26)[0]
    size = end_of_third - second[1] - 30 - name
    body = plain[second[1] + 30 + name : end_of_third]
    for where, offsets in ((second[0], (16, 20, 24)), (second[1], (14, 18, 22))):
        for offset, value in zip(offsets, (zlib.crc32(body), size, size), strict=True):
            struct.pack_into("<L", data, where + offset, value)
    assert third[1] < second[1] + 30 + name + size
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        assert archive.read("jobs.jsonl")
    refuse(bytes(data), "overlap")
    # Two names for the same header.
    data = bytearray(plain)
    struct.pack_into("<L", data, directory[2][0] + 42, second[1])
    refuse(bytes(data), "")


def test_headers_that_disagree(refuse, good):
    data = bytearray(pack(good, zipfile.ZIP_STORED))
    at = bytes(data).index(b"jobs.jsonl")
    data[at : at + 10] = b"jobs.jsonX"
    refuse(bytes(data), "")


def line(good: dict[str, bytes], file: str, number: int, /, **changes) -> bytes:
    """The file with members of one line changed."""
    lines = good[file].splitlines(keepends=True)
    lines[number] = json.dumps(json.loads(lines[number]) | changes).encode() + b"\n"
    return b"".join(lines)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2}, {"version": 0}, {"version": "1"}, {"format": "other"}, {"userId": ""}, {"more": 1}, {"counts": {}},
        {"counts": {"jobs": 0, "givenUp": 2, "results": 5}}, {"counts": {"jobs": 99, "givenUp": 2, "results": 5}},
        {"counts": {"jobs": -1, "givenUp": 2, "results": 5}}, {"counts": {"jobs": 10**9, "givenUp": 0, "results": 0}},
    ],
    ids=str,
)  # fmt: skip
def test_manifests(refuse, good, changes):
    manifest = json.loads(good["manifest.json"]) | changes
    word = f"version {changes['version']}" if type(changes.get("version")) is int else ""
    refuse(pack(good | {"manifest.json": json.dumps(manifest).encode()}), word)


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", b"null", b"{", b'{"a":1,"a":2}', b"\xff", b"[" * 100_000, b"NaN", b"{}"],
    ids=lambda t: t[:10].hex() or "none",
)
def test_lines_and_manifests_that_are_no_objects(refuse, good, text):
    refuse(pack(good | {"manifest.json": text}), "manifest.json")
    lines = good["jobs.jsonl"].splitlines(keepends=True)
    refuse(pack(good | {"jobs.jsonl": b"".join([lines[0], text + b"\n", *lines[2:]])}), "jobs.jsonl line 2")


@pytest.mark.parametrize(
    "changes",
    [
        {"namespace": "nowhere"}, {"namespace": "../x"}, {"namespace": 5}, {"name": "x"}, {"name": None}, {"scriptId": ""},
        {"scriptId": "x" * 1025}, {"args": "{nope"}, {"args": {}}, {"args": "\0"}, {"args": "\ud800"},
        {"maxTryCount": 0}, {"maxTryCount": 101}, {"tryCount": -1}, {"tryCount": 99},
        {"tryCount": 2, "maxTryCount": 2}, {"tryCount": True},
        {"state": "running"}, {"state": "given_up"}, {"state": "gone"}, {"createdAt": -1},
        {"createdAt": 10**18}, {"createdAt": "now"},
        {"replayOf": "x"}, {"id": 1}, {"queueId": 1},
    ],
    ids=str,
)  # fmt: skip
def test_jobs(refuse, good, changes):
    refuse(
        pack(good | {"jobs.jsonl": line(good, "jobs.jsonl", 0, **changes)}),
        "" if "namespace" in changes else "jobs.jsonl line 1",
    )


def test_jobs_of_one_name(refuse, good):
    first = json.loads(good["jobs.jsonl"].splitlines()[0])["name"]
    refuse(pack(good | {"jobs.jsonl": line(good, "jobs.jsonl", 1, name=first)}), "name of another job")
    refuse(pack(good | {"given_up.jsonl": line(good, "given_up.jsonl", 0, name=first)}), "given_up.jsonl line 1")


@pytest.mark.parametrize(
    "changes",
    [
        {"job": "11111111-1111-4111-8111-111111111111"}, {"tryNumber": 50}, {"tryNumber": 101},
        {"statusCode": 1001}, {"statusCode": -1},
        {"result": None}, {"result": "x" * 5_242_881}, {"tookMs": -1}, {"tookMs": 2**40}, {"jobId": 1},
    ],
    ids=lambda c: str(c)[:40],
)  # fmt: skip
def test_results(refuse, good, changes):
    refuse(
        pack(good | {"results.jsonl": line(good, "results.jsonl", 0, **changes)}, zipfile.ZIP_STORED),
        "results.jsonl line 1",
    )


def test_two_results_of_one_attempt(refuse, good):
    lines = good["results.jsonl"].splitlines(keepends=True)
    refuse(pack(good | {"results.jsonl": b"".join([*lines[:-1], lines[0]])}), "result already")


def test_a_namespace_of_another_project(refuse, good, other_project):
    from gs2admin.identity.actors import SYSTEM
    from jobqueue.services.namespaces import create_namespace

    create_namespace(actor=SYSTEM, project=other_project, name="theirs")
    refuse(pack(good | {"jobs.jsonl": line(good, "jobs.jsonl", 0, namespace="theirs")}), "no queue namespace theirs")
