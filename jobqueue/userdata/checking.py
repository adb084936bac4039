"""Checks a whole file before one row is written."""
from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from gs2admin.errors import Invalid
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue.models import Namespace
from jobqueue.services.jobs import check_args
from jobqueue.states import JobState
from jobqueue.userdata.archive import Archive
from jobqueue.userdata.format import (
    GIVEN_UP,
    JOBS,
    MANIFEST,
    RESULTS,
    VERSION,
    GivenUpLine,
    JobLine,
    Manifest,
    Refused,
    ResultLine,
    parse,
)
from jobqueue.userdata.runs import RunLease

MAX_JOBS = 200_000
MAX_RESULTS = 2_000_000


@dataclass
class Content:
    """What a valid file holds. namespaces: of its jobs, by name; all of this project."""

    manifest: Manifest
    namespaces: dict[str, Namespace]


def check(lease: RunLease, archive: Archive) -> Content:
    """Check every line, and the lines against each other and the manifest. Raises Refused, LeaseLost."""
    manifest = _manifest(archive.manifest())
    if manifest.counts.jobs + manifest.counts.given_up > MAX_JOBS or manifest.counts.results > MAX_RESULTS:
        raise Refused(f"The file holds more than {MAX_JOBS:,} jobs or {MAX_RESULTS:,} results.")
    tries: dict[str, int] = {}
    used: set[str] = set()
    found = {JOBS: 0, GIVEN_UP: 0, RESULTS: 0}
    for name, kind in ((JOBS, JobLine), (GIVEN_UP, GivenUpLine)):
        for number, data in archive.lines(name):
            where = f"{name} line {number}"
            _count(found, name, manifest)
            line = parse(kind, data, where)
            _check_job(line, where)
            if line.name in tries:
                raise Refused(f"{where} has the name of another job.")
            tries[line.name] = line.try_count
            used.add(line.namespace)
            lease.tick()
    seen: dict[str, int] = {}
    for number, data in archive.lines(RESULTS):
        where = f"{RESULTS} line {number}"
        _count(found, RESULTS, manifest)
        line = parse(ResultLine, data, where)
        if line.job not in tries:
            raise Refused(f"{where} belongs to no job of this file.")
        if line.try_number >= tries[line.job]:
            raise Refused(f"{where} is of an attempt that its job has not made.")
        bit = 1 << line.try_number
        if seen.get(line.job, 0) & bit:
            raise Refused(f"{where} is of an attempt that has a result already.")
        seen[line.job] = seen.get(line.job, 0) | bit
        lease.tick()
    counts = manifest.counts
    if (found[JOBS], found[GIVEN_UP], found[RESULTS]) != (counts.jobs, counts.given_up, counts.results):
        raise Refused("The file holds fewer lines than its manifest says.")
    return Content(manifest, _namespaces(lease, used))


def look(file: BinaryIO, size: int) -> Manifest:
    """The manifest of a file, without a check of the rest. size: of the file, in bytes. Raises Refused."""
    return _manifest(Archive(file, size).manifest())


def _manifest(data: bytes) -> Manifest:
    manifest = parse(Manifest, data, MANIFEST)
    if manifest.version != VERSION:
        raise Refused(f"The file has version {manifest.version} of the format; this server reads version {VERSION}.")
    return manifest


def _count(found: dict[str, int], name: str, manifest: Manifest) -> None:
    """Count one line. Raises Refused as soon as there are more than the manifest says."""
    found[name] += 1
    expected = {JOBS: manifest.counts.jobs, GIVEN_UP: manifest.counts.given_up, RESULTS: manifest.counts.results}[name]
    if found[name] > expected:
        raise Refused(f"{name} holds more lines than the manifest says.")


def _check_job(line: JobLine, where: str) -> None:
    if line.try_count > line.max_try_count or line.state == JobState.WAITING and line.try_count == line.max_try_count:
        raise Refused(f"{where} is of a job with more attempts than it may have.")
    try:
        check_args(line.args)
    except Invalid:
        raise Refused(f"{where} has arguments that are not JSON.") from None


def _namespaces(lease: RunLease, used: set[str]) -> dict[str, Namespace]:
    rows = Namespace.objects.filter(project=lease.run.project, name__in=used, status=NamespaceStatus.ACTIVE)
    found = {row.name: row for row in rows}
    if missing := sorted(used - set(found)):
        raise Refused(f"There is no queue namespace {missing[0]} in this project; create it first.")
    return found
