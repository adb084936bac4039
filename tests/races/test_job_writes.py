"""Writes of jobs that meet: a deletion and the end of an attempt, and two people who replay the same set."""
from __future__ import annotations

import threading
import time

import pytest
from django.conf import settings
from django.db import connection, transaction

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from jobqueue import sql
from jobqueue.execution import attempt, hold
from jobqueue.execution.attempt import Ended
from jobqueue.models import Job, Queue
from jobqueue.services import Entry, delete_job, push_jobs, replay_jobs, run_next
from jobqueue.services.namespaces import create_namespace
from jobqueue.states import JobState
from tests.races.conftest import together


@pytest.fixture
def manual(transactional_db, project, monkeypatch):
    monkeypatch.setattr(engine, "ring", lambda *_: None)
    monkeypatch.setattr(attempt, "perform", lambda **_: Ended(500, "[]"))
    return create_namespace(actor=SYSTEM, project=project, name="manual")


def _somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        return cursor.fetchone()[0] > 0


@pytest.mark.skipif(not settings.ON_POSTGRES, reason="on SQLite writers stand in line")
def test_a_job_that_ends_while_it_is_deleted_is_counted_out_once(manual):
    """The deletion looks at the job's state before the attempt's end is committed, and removes it after that."""
    jobs, _ = push_jobs(actor=SYSTEM, namespace=manual, user_id="u", entries=[Entry("s"), Entry("s")])
    held = hold.take(jobs[0].queue_id)
    assert sql.claim_job(jobs[0].pk)
    row = Job.objects.select_related("queue").get(pk=jobs[0].pk)
    problems: list[BaseException] = []

    def remove() -> None:
        try:
            delete_job(actor=SYSTEM, namespace=manual, job=row)
        except BaseException as problem:  # noqa: BLE001  shown by the test
            problems.append(problem)
        finally:
            connection.close()

    other = threading.Thread(target=remove, daemon=True)
    with transaction.atomic():
        settled, _ = sql.settle(
            job_id=row.pk, tries=1, to=JobState.DONE, status_code=200, result="{}", output="", took_ms=1
        )
        assert settled
        other.start()
        deadline = time.monotonic() + 20
        while not _somebody_waits_for_us():
            assert time.monotonic() < deadline and other.is_alive(), "the deletion does not wait for the attempt"
    other.join(20)
    hold.let_go(held, finished=1)
    assert not problems and not other.is_alive()
    assert Queue.objects.get(pk=row.queue_id).waiting == Job.objects.filter(state=JobState.WAITING).count() == 1


def test_of_two_who_replay_the_same_set_at_once_one_does(manual):
    push_jobs(actor=SYSTEM, namespace=manual, user_id="u", entries=[Entry("s", max_try_count=1)] * 5)
    for _ in range(5):
        run_next(actor=SYSTEM, namespace=manual, user_id="u")
    jobs = list(Job.objects.filter(state=JobState.GIVEN_UP).select_related("queue"))
    assert len(jobs) == 5

    found = together(*[lambda: replay_jobs(actor=SYSTEM, namespace=manual, jobs=jobs)] * 4)
    assert sorted(type(each).__name__ for each in found) == ["Conflict"] * 3 + ["list"], found
    assert Job.objects.filter(replay_of__isnull=False).count() == 5
