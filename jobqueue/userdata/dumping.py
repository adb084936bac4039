"""Writes a player's data into a zip, while jobs go on.

Jobs are written first, then their results up to the number of tries that was written. Attempts only add results, so the file
is consistent without a lock.
"""
from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from gs2admin.db import clock
from gs2admin.lease import LeaseLost
from jobqueue.models import GivenUp, Job, JobResult, Queue, UserDataRun
from jobqueue.states import JobState, UserDataState
from jobqueue.userdata import files
from jobqueue.userdata.archive import MAX_RATIO, SMALL
from jobqueue.userdata.format import (
    FORMAT,
    GIVEN_UP,
    JOBS,
    MANIFEST,
    RESULTS,
    VERSION,
    Counts,
    GivenUpLine,
    JobLine,
    Manifest,
    ResultLine,
    to_ms,
)
from jobqueue.userdata.runs import RunLease

BATCH = 100


def dump(lease: RunLease) -> None:
    """Write the file, and end the run with it. Raises LeaseLost."""
    run = lease.run
    lease.note(f"Dumping, attempt {run.attempts}.", done=0, total=Job.objects.filter(queue__in=_queues(run)).count())
    with files.scratch() as folder:
        counts = _write_lines(lease, Path(folder))
        path = Path(folder) / "dump.zip"
        _pack(lease, Path(folder), path, counts)
        size = path.stat().st_size
        with path.open("rb") as file:
            name = files.keep(f"{run.project_id}/dump-{run.token.hex}-{run.fence}.zip", file)
    try:
        lease.end(
            UserDataState.DONE,
            f"Done: {counts.jobs} jobs, {counts.given_up} given-up jobs, {counts.results} results; {size:,} bytes.",
            file=name, size=size, done=counts.jobs + counts.given_up, total=counts.jobs + counts.given_up,
        )  # fmt: skip
    except LeaseLost:
        files.remove(name)
        raise


def _queues(run: UserDataRun):
    return Queue.objects.filter(namespace__project=run.project, user_id=run.user_id)


def _write_lines(lease: RunLease, folder: Path) -> Counts:
    written = dict.fromkeys((JOBS, GIVEN_UP, RESULTS), 0)
    with (folder / JOBS).open("wb") as jobs, (folder / GIVEN_UP).open("wb") as given_up, (folder / RESULTS).open("wb") as results:
        out = {JOBS: jobs, GIVEN_UP: given_up, RESULTS: results}

        def write(name: str, text: str) -> None:
            out[name].write(text.encode("utf-8", "replace") + b"\n")
            written[name] += 1
            lease.tick(done=written[JOBS] + written[GIVEN_UP])

        for queue in _queues(lease.run).select_related("namespace").order_by("namespace__name"):
            for batch in _batches(queue):
                tries = {}
                for name, line in _job_lines(queue, batch):
                    write(name, line.text())
                    tries[line.name] = line.try_count
                for line in _result_lines(batch, tries):
                    write(RESULTS, line.text())
    return Counts(jobs=written[JOBS], given_up=written[GIVEN_UP], results=written[RESULTS])


def _batches(queue: Queue) -> Iterator[list[Job]]:
    after = 0
    while batch := list(Job.objects.filter(queue=queue, id__gt=after).select_related("replay_of").order_by("id")[:BATCH]):
        yield batch
        after = batch[-1].pk


def _job_lines(queue: Queue, batch: Iterable[Job]) -> Iterator[tuple[str, JobLine]]:
    lines = {row.job_id: row for row in GivenUp.objects.filter(job__in=batch)}
    for job in batch:
        # A running attempt has no result yet; in the file it has not begun.
        running = job.state == JobState.RUNNING
        values = {
            "namespace": queue.namespace.name, "name": str(job.name), "script_id": job.script_id, "args": job.args,
            "max_try_count": job.max_try_count, "try_count": job.try_count - running,
            "state": str(JobState.WAITING if running else job.state),
            "created_at": to_ms(job.created_at), "updated_at": to_ms(job.updated_at),
            "replay_of": str(job.replay_of.name) if job.replay_of else None,
        }  # fmt: skip
        if job.state != JobState.GIVEN_UP:
            yield JOBS, JobLine.model_construct(**values)
            continue
        line = lines.get(job.pk)
        values["given_up_at"] = to_ms(line.at if line else job.updated_at)
        values["replayed_at"] = to_ms(line.replayed_at) if line and line.replayed_at else None
        yield GIVEN_UP, GivenUpLine.model_construct(**values)


def _result_lines(batch: list[Job], tries: dict[str, int]) -> Iterator[ResultLine]:
    names = {job.pk: str(job.name) for job in batch}
    rows = JobResult.objects.filter(job__in=batch).order_by("job_id", "try_number")
    for row in rows.iterator(chunk_size=8):
        name = names[row.job_id]
        if row.try_number < tries[name]:
            yield ResultLine.model_construct(
                job=name, try_number=row.try_number, status_code=row.status_code, result=row.result, output=row.output,
                tried_at=to_ms(row.tried_at), took_ms=row.took_ms,
            )  # fmt: skip


def _pack(lease: RunLease, folder: Path, path: Path, counts: Counts) -> None:
    run = lease.run
    manifest = Manifest(
        format=FORMAT, version=VERSION, user_id=run.user_id, owner_id=run.project.owner_id,
        created_at=to_ms(clock.now()), counts=counts,
    )  # fmt: skip
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr(MANIFEST, manifest.text())
        for name in (JOBS, GIVEN_UP, RESULTS):
            _add(lease, archive, folder / name)


def _add(lease: RunLease, archive: zipfile.ZipFile, source: Path) -> None:
    """Add a file; uncompressed where archive.py would refuse its compression ratio."""
    size = source.stat().st_size
    method = zipfile.ZIP_STORED if size > SMALL and _shrinks_too_much(lease, source) else zipfile.ZIP_DEFLATED
    info = zipfile.ZipInfo(source.name, date_time=clock.now().timetuple()[:6])
    info.compress_type, info.external_attr = method, 0o600 << 16
    with archive.open(info, "w", force_zip64=size > 2**31) as entry, source.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            entry.write(chunk)
            lease.tick()


def _shrinks_too_much(lease: RunLease, source: Path) -> bool:
    import zlib

    packer, packed = zlib.compressobj(6), 0
    with source.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            packed += len(packer.compress(chunk))
            lease.tick()
    packed += len(packer.flush())
    return source.stat().st_size > packed * MAX_RATIO // 2
