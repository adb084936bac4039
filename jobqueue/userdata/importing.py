"""Puts a file's rows in a player's place: all of them checked first, then staged under a made-up user, then swapped in by
one transaction. A kill before the swap leaves the old rows, one after it the new; a repeat finishes either."""
from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.db.models import F
from django.db.models.functions import Now

from gs2admin import engine
from jobqueue.execution.drain import DRAIN
from jobqueue.execution.hold import head
from jobqueue.models import GivenUp, Job, JobResult, Namespace, Queue
from jobqueue.states import JobState, UserDataState
from jobqueue.userdata import files
from jobqueue.userdata.archive import Archive
from jobqueue.userdata.checking import Content, check
from jobqueue.userdata.clearing import put_away, remove_rows, remove_rubbish, staged_of
from jobqueue.userdata.format import GIVEN_UP, JOBS, RESULTS, GivenUpLine, JobLine, ResultLine, from_ms, parse
from jobqueue.userdata.runs import Hold

BATCH = 500
BATCH_CHARACTERS = 8 * 1024 * 1024


def import_file(hold: Hold) -> None:
    """Carry the import out and end the run. Raises LeaseLost, and Refused when the file is not to be imported."""
    run = hold.run
    if not run.swapped:
        hold.note(f"Checking {run.size:,} bytes, attempt {run.attempts}.")
        with files.storage().open(run.file, "rb") as file:
            archive = Archive(file, run.size)
            content = check(hold, archive)
            counts = content.manifest.counts
            lines = counts.jobs + counts.given_up + counts.results
            hold.note(f"The file is good: {lines} lines of {content.manifest.user_id}, read into place.", done=0, total=lines)
            remove_rows(hold, staged_of(run))
            _Staging(hold, archive, content).run()
            with hold.step():
                kept, renamed = _swap(hold, archive)
                sentence = f"The rows are in place: {kept} jobs have their old names"
                hold.note(sentence + (f", {renamed} new ones, because theirs are in use." if renamed else "."), swapped=True)
    remove_rubbish(hold)
    files.remove(run.file)
    hold.end(UserDataState.DONE, "Done.", file="", done=F("total"))


class _Staging:
    """Inserts the lines, a bounded batch per transaction, under names that only this run can map back."""

    def __init__(self, hold: Hold, archive: Archive, content: Content) -> None:
        self.hold, self.archive, self.done = hold, archive, 0
        with hold.step():
            self.queues = {
                name: Queue.objects.create(namespace=namespace, user_id=staged_of(hold.run))
                for name, namespace in content.namespaces.items()
            }

    def run(self) -> None:
        for name, kind in ((GIVEN_UP, GivenUpLine), (JOBS, JobLine)):
            for batch in _batches(self.archive, name, kind, lambda line: len(line.args)):
                with self.hold.step():
                    self._jobs(batch)
                self._tell(batch)
        for batch in _batches(self.archive, RESULTS, ResultLine, lambda line: len(line.result) + len(line.output)):
            with self.hold.step():
                self._results(batch)
            self._tell(batch)

    def _tell(self, batch: list[Any]) -> None:
        self.done += len(batch)
        self.hold.tick(done=self.done)

    def _pks(self, names: list[str]) -> dict[str, int]:
        staged = {staged_name(self.hold, name): name for name in names}
        rows = Job.objects.filter(name__in=list(staged), queue__in=self.queues.values())
        return {staged[found]: pk for found, pk in rows.values_list("name", "pk")}

    def _jobs(self, batch: list[JobLine]) -> None:
        Job.objects.bulk_create(
            Job(
                queue=self.queues[line.namespace], name=staged_name(self.hold, line.name), script_id=line.script_id,
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


def staged_name(hold: Hold, name: str | uuid.UUID) -> uuid.UUID:
    """A job's name while it is staged, and back again."""
    return uuid.UUID(int=uuid.UUID(str(name)).int ^ hold.run.token.int)


def _swap(hold: Hold, archive: Archive) -> tuple[int, int]:
    """The player has the staged rows instead of the old ones. Returns how many jobs kept their names, and how many not."""
    run = hold.run
    put_away(run)
    staged = Queue.objects.filter(namespace__project=run.project, user_id=staged_of(run)).select_related("namespace")
    queues = list(staged.order_by("pk"))
    _list_given_up(hold, archive, queues)
    kept, renamed = _give_names_back(hold, queues)
    for queue in queues:
        waiting = Job.objects.filter(queue=queue, state=JobState.WAITING).count()
        begins = waiting > 0 and queue.namespace.enable_auto_run
        Queue.objects.filter(pk=queue.pk).update(
            user_id=run.user_id, waiting=waiting, draining=begins, rung_at=Now() if begins else None, **head()
        )
        if begins:
            engine.wake(DRAIN, queue.pk)
    return kept, renamed


def _list_given_up(hold: Hold, archive: Archive, queues: list[Queue]) -> None:
    namespaces: dict[str, Namespace] = {queue.namespace.name: queue.namespace for queue in queues}
    for batch in _batches(archive, GIVEN_UP, GivenUpLine, lambda line: 0):
        rows = Job.objects.filter(name__in=[staged_name(hold, line.name) for line in batch], queue__in=queues)
        pks = dict(rows.values_list("name", "pk"))
        tried = JobResult.objects.filter(job__in=list(pks.values())).order_by("try_number").values_list("job_id", "status_code")
        last = dict(tried)
        GivenUp.objects.bulk_create(
            GivenUp(
                job_id=pk, namespace=namespaces[line.namespace], user_id=hold.run.user_id, script=line.script_id[:200],
                status_code=last.get(pk, 500), at=from_ms(line.given_up_at),
                replayed_at=from_ms(line.replayed_at) if line.replayed_at is not None else None,
            )
            for line in batch
            if (pk := pks.get(staged_name(hold, line.name)))
        )  # fmt: skip


def _give_names_back(hold: Hold, queues: list[Queue]) -> tuple[int, int]:
    kept = renamed = after = 0
    while rows := list(Job.objects.filter(queue__in=queues, id__gt=after).order_by("id").only("id", "name")[:BATCH]):
        after = rows[-1].pk
        wanted = {row.pk: staged_name(hold, row.name) for row in rows}
        taken = set(Job.objects.filter(name__in=list(wanted.values())).values_list("name", flat=True))
        free = [row for row in rows if wanted[row.pk] not in taken]
        for row in free:
            row.name = wanted[row.pk]
        Job.objects.bulk_update(free, ["name"])
        kept, renamed = kept + len(free), renamed + len(rows) - len(free)
    return kept, renamed
