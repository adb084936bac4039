"""Writes of jobs that meet: deletions and the end of an attempt, and people who replay the same set."""
from __future__ import annotations

import threading
import time

import pytest
from django.conf import settings
from django.db import connection, transaction

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from jobqueue import sql
from jobqueue.execution import attempt
from jobqueue.execution.attempt import Ended
from jobqueue.execution.lease import QueueLease
from jobqueue.models import Job, Namespace, Queue
from jobqueue.services import Entry, delete_job, push_jobs, replay_jobs, run_next
from jobqueue.services.namespaces import create_namespace, delete_namespace, finish_delete
from jobqueue.states import JobState
from tests.races.conftest import together


@pytest.fixture
def manual(transactional_db, project, monkeypatch):
    monkeypatch.setattr(engine, "wake", lambda *_: None)
    monkeypatch.setattr(attempt, "perform", lambda **_: Ended(500, "[]"))
    return create_namespace(actor=SYSTEM, project=project, name="manual")


def _somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))")
        return cursor.fetchone()[0] > 0


def _while_an_attempt_ends(namespace, act) -> Job:
    """act(job) in another thread, which looks before the end of that job's attempt is committed, and writes after it.

    Returns the job; its queue is released. Raises what `act` raised.
    """
    (first, *_), _ = push_jobs(actor=SYSTEM, namespace=namespace, user_id="u", entries=[Entry("s"), Entry("s")])
    lease = QueueLease.take(first.queue_id)
    assert sql.claim_job(first.pk)
    row = Job.objects.select_related("queue").get(pk=first.pk)
    problems: list[BaseException] = []

    def run() -> None:
        try:
            act(row)
        except BaseException as problem:  # noqa: BLE001  raised below
            problems.append(problem)
        finally:
            connection.close()

    other = threading.Thread(target=run, daemon=True)
    with transaction.atomic():
        settled, _ = sql.settle(job_id=row.pk, tries=1, to=JobState.DONE, status_code=200, result="{}", output="", took_ms=1,
                                 namespace_id=namespace.pk, script="s")
        assert settled
        other.start()
        deadline = time.monotonic() + 20
        while not _somebody_waits_for_us():
            assert time.monotonic() < deadline and other.is_alive(), "it does not wait for the attempt"
    other.join(20)
    assert not other.is_alive()
    lease.release(finished=1)
    if problems:
        raise problems[0]
    return row


@pytest.mark.skipif(not settings.ON_POSTGRES, reason="on SQLite writers stand in line")
def test_a_job_that_ends_while_it_is_deleted_is_counted_out_once(manual):
    row = _while_an_attempt_ends(manual, lambda job: delete_job(actor=SYSTEM, namespace=manual, job=job))
    assert Queue.objects.get(pk=row.queue_id).waiting == Job.objects.filter(state=JobState.WAITING).count() == 1


@pytest.mark.skipif(not settings.ON_POSTGRES, reason="on SQLite writers stand in line")
def test_a_namespace_is_deleted_while_one_of_its_jobs_ends(manual):
    """The result that slips in keeps the removal from its end; whoever goes on with it comes to the end."""
    _while_an_attempt_ends(manual, lambda job: delete_namespace(actor=SYSTEM, namespace=manual))
    assert finish_delete(manual)
    assert not Namespace.objects.exists() and not Job.objects.exists()


def test_of_two_who_replay_the_same_set_at_once_one_does(manual):
    push_jobs(actor=SYSTEM, namespace=manual, user_id="u", entries=[Entry("s", max_try_count=1)] * 5)
    for _ in range(5):
        run_next(actor=SYSTEM, namespace=manual, user_id="u")
    jobs = list(Job.objects.filter(state=JobState.GIVEN_UP).select_related("queue"))
    assert len(jobs) == 5

    found = together(*[lambda: replay_jobs(actor=SYSTEM, namespace=manual, jobs=jobs)] * 4)
    assert sorted(type(each).__name__ for each in found) == ["Conflict"] * 3 + ["list"], found
    assert Job.objects.filter(replay_of__isnull=False).count() == 5
