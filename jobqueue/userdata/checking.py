"""Checks a whole file before one row is written. Knows no database: it runs in a process of its own (inspector.py)."""
from __future__ import annotations

import json
from dataclasses import dataclass

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

MAX_JOBS = 200_000
MAX_RESULTS = 2_000_000


@dataclass
class Content:
    """What a valid file holds. namespaces: the names of those of its jobs."""

    manifest: Manifest
    namespaces: frozenset[str]


def check(archive: Archive) -> Content:
    """Check every line, and the lines against each other and the manifest. Raises Refused."""
    manifest = look(archive)
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
    counts = manifest.counts
    if (found[JOBS], found[GIVEN_UP], found[RESULTS]) != (counts.jobs, counts.given_up, counts.results):
        raise Refused("The file holds fewer lines than its manifest says.")
    return Content(manifest, frozenset(used))


def look(archive: Archive) -> Manifest:
    """The manifest of a file, without a check of the rest. Raises Refused."""
    manifest = parse(Manifest, archive.manifest(), MANIFEST)
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
        json.loads(line.args, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused(f"{where} has arguments that are not JSON.") from None


def _no_constant(word: str) -> None:
    # NaN and Infinity are Python's, not JSON's.
    raise ValueError(word)
