"""Imports a file: checks all of it, inserts its rows under a made-up user, and swaps them in by one transaction.

A kill before the swap leaves the old rows, one after it the new ones; a repeat finishes either.
"""
from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue.execution.counters import head
from jobqueue.execution.drain import DRAIN
from jobqueue.models import GivenUp, Job, JobResult, Namespace, Queue
from jobqueue.sql import LABEL
from jobqueue.states import JobState, UserDataState
from jobqueue.userdata import files
from jobqueue.userdata.archive import Archive
from jobqueue.userdata.checking import Content
from jobqueue.userdata.clearing import delete_put_away, put_away, remove_rows, staged_of
from jobqueue.userdata.format import GIVEN_UP, JOBS, RESULTS, GivenUpLine, JobLine, Refused, ResultLine, from_ms, parse
from jobqueue.userdata.inspecting import check
from jobqueue.userdata.runs import RunLease

BATCH = 500
BATCH_CHARACTERS = 8 * 1024 * 1024


def import_file(lease: RunLease) -> None:
    """Import the run's file and end the run. Raises LeaseLost, and Refused when something is wrong with the file."""
    run = lease.run
    if not run.swapped:
        lease.note(f"Checking {run.size:,} bytes, attempt {run.attempts}.")
        with files.storage().open(run.file, "rb") as file:
            content = check(file, run.size, lease.tick)
            namespaces = _namespaces(lease, content)
            # Every line of it was read once, so it can be read here as well.
            archive = Archive(file, run.size)
            counts = content.manifest.counts
            lines = counts.jobs + counts.given_up + counts.results
            lease.note(f"The file is good: {lines} lines of {content.manifest.user_id}, read into place.", done=0, total=lines)
            remove_rows(lease, staged_of(run))
            _Staging(lease, archive, namespaces).run()
            with lease.step():
                kept, renamed = _swap(lease, archive)
                sentence = f"The rows are in place: {kept} jobs have their old names"
                lease.note(sentence + (f", {renamed} new ones, because theirs are in use." if renamed else "."), swapped=True)
    delete_put_away(lease)
    files.remove(run.file)
    lease.end(UserDataState.DONE, "Done.", file="", done=F("total"))


def _namespaces(lease: RunLease, content: Content) -> dict[str, Namespace]:
    """The namespaces of the file's jobs, by name; all of this project. Raises Refused."""
    rows = Namespace.objects.filter(project=lease.run.project, name__in=content.namespaces, status=NamespaceStatus.ACTIVE)
    found = {row.name: row for row in rows}
    if missing := sorted(content.namespaces - set(found)):
        raise Refused(f"There is no queue namespace {missing[0]} in this project; create it first.")
    return found


class _Staging:
    """Inserts the lines, a bounded batch per transaction; the jobs have staged names."""

    def __init__(self, lease: RunLease, archive: Archive, namespaces: dict[str, Namespace]) -> None:
        self.lease, self.archive, self.done = lease, archive, 0
        with lease.step():
            self.queues = {
                name: Queue.objects.create(namespace=namespace, user_id=staged_of(lease.run))
                for name, namespace in namespaces.items()
            }

    def run(self) -> None:
        for name, kind in ((GIVEN_UP, GivenUpLine), (JOBS, JobLine)):
            for batch in _batches(self.archive, name, kind, lambda line: len(line.args)):
                with self.lease.step():
                    self._jobs(batch)
                self._progress(batch)
        for batch in _batches(self.archive, RESULTS, ResultLine, lambda line: len(line.result) + len(line.output)):
            with self.lease.step():
                self._results(batch)
            self._progress(batch)

    def _progress(self, batch: list[Any]) -> None:
        self.done += len(batch)
        self.lease.tick(done=self.done)

    def _pks(self, names: list[str]) -> dict[str, int]:
        staged = {staged_name(self.lease, name): name for name in names}
        rows = Job.objects.filter(name__in=list(staged), queue__in=self.queues.values())
        return {staged[found]: pk for found, pk in rows.values_list("name", "pk")}

    def _jobs(self, batch: list[JobLine]) -> None:
        Job.objects.bulk_create(
            Job(
                queue=self.queues[line.namespace], name=staged_name(self.lease, line.name), script_id=line.script_id,
                args=line.args, max_try_count=line.max_try_count, try_count=line.try_count, state=JobState(line.state),
                created_at=from_ms(line.created_at), updated_at=from_ms(line.updated_at),
            )
            for line in batch
        )  # fmt: skip
        links = {line.name: line.replay_of for line in batch if line.replay_of}
        pks = self._pks([*links, *links.values()]) if links else {}
        for name, old in links.items():
            if old in pks:
                Job.objects.filter(pk=pks[name]).update(replay_of=pks[old])

    def _results(self, batch: list[ResultLine]) -> None:
        pks = self._pks(list({line.job for line in batch}))
        JobResult.objects.bulk_create(
            JobResult(
                job_id=pks[line.job], try_number=line.try_number, status_code=line.status_code, result=line.result,
                output=line.output, tried_at=from_ms(line.tried_at), took_ms=line.took_ms,
            )
            for line in batch
            if line.job in pks
        )  # fmt: skip


def _batches(archive: Archive, name: str, kind: type, size: Any) -> Iterator[list[Any]]:
    batch, characters = [], 0
    for number, data in archive.lines(name):
        line = parse(kind, data, f"{name} line {number}")
        batch.append(line)
        characters += size(line)
        if len(batch) >= BATCH or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def staged_name(lease: RunLease, name: str | uuid.UUID) -> uuid.UUID:
    """The name of a job while it is staged; of a staged name, the job's own name."""
    return uuid.UUID(int=uuid.UUID(str(name)).int ^ lease.run.token.int)


def _swap(lease: RunLease, archive: Archive) -> tuple[int, int]:
    """Replace the player's rows by the staged ones. Returns (jobs with their old names, jobs with new ones)."""
    run = lease.run
    put_away(run)
    staged = Queue.objects.filter(namespace__project=run.project, user_id=staged_of(run)).select_related("namespace")
    queues = list(staged.order_by("pk"))
    _list_given_up(lease, archive, queues)
    kept, renamed = _give_names_back(lease, queues)
    for queue in queues:
        waiting = Job.objects.filter(queue=queue, state=JobState.WAITING).count()
        begins = waiting > 0 and queue.namespace.enable_auto_run
        Queue.objects.filter(pk=queue.pk).update(
            user_id=run.user_id, waiting=waiting, draining=begins, woken_at=Now() if begins else None, **head()
        )
        if begins:
            engine.wake(DRAIN, queue.pk)
    return kept, renamed


def _list_given_up(lease: RunLease, archive: Archive, queues: list[Queue]) -> None:
    namespaces: dict[str, Namespace] = {queue.namespace.name: queue.namespace for queue in queues}
    for batch in _batches(archive, GIVEN_UP, GivenUpLine, lambda line: 0):
        rows = Job.objects.filter(name__in=[staged_name(lease, line.name) for line in batch], queue__in=queues)
        pks = dict(rows.values_list("name", "pk"))
        tried = JobResult.objects.filter(job__in=list(pks.values())).order_by("try_number").values_list("job_id", "status_code")
        last = dict(tried)
        GivenUp.objects.bulk_create(
            GivenUp(
                job_id=pk, namespace=namespaces[line.namespace], user_id=lease.run.user_id, script=line.script_id[:LABEL],
                status_code=last.get(pk, 500), at=from_ms(line.given_up_at),
                replayed_at=from_ms(line.replayed_at) if line.replayed_at is not None else None,
            )
            for line in batch
            if (pk := pks.get(staged_name(lease, line.name)))
        )  # fmt: skip


def _give_names_back(lease: RunLease, queues: list[Queue]) -> tuple[int, int]:
    kept = renamed = after = 0
    while rows := list(Job.objects.filter(queue__in=queues, id__gt=after).order_by("id").only("id", "name")[:BATCH]):
        after = rows[-1].pk
        wanted = {row.pk: staged_name(lease, row.name) for row in rows}
        taken = set(Job.objects.filter(name__in=list(wanted.values())).values_list("name", flat=True))
        free = [row for row in rows if wanted[row.pk] not in taken]
        for row in free:
            row.name = wanted[row.pk]
        Job.objects.bulk_update(free, ["name"])
        kept, renamed = kept + len(free), renamed + len(rows) - len(free)
    return kept, renamed
