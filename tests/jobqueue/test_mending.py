"""What the chore's statements find: each number that is wrong, of each queue that nobody holds, and nothing else."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now

from gs2admin.identity.actors import SYSTEM
from jobqueue import sql
from jobqueue.models import GivenUp, Job, JobResult, Namespace, Queue
from jobqueue.services.namespaces import create_namespace
from jobqueue.states import NOBODY

pytestmark = pytest.mark.django_db
EVERY = (0, 2**60)


@pytest.fixture
def queue(manual, push):
    """queue(user) is a right one, in which a job failed once and another waits."""

    def act(user: str, namespace=manual) -> Queue:
        first, _ = push(namespace, user=user), push(namespace, user=user)
        Job.objects.filter(pk=first.pk).update(try_count=1)
        Queue.objects.filter(pk=first.queue_id).update(head_tries=1, draining=False)
        return Queue.objects.get(pk=first.queue_id)

    return act


def change(queue: Queue, **numbers) -> None:
    Queue.objects.filter(pk=queue.pk).update(**numbers)


@pytest.fixture
def closing(project) -> Namespace:
    """A namespace that is being deleted."""
    return create_namespace(actor=SYSTEM, project=project, name="closing")


WRONG = {
    "too many wait": {"waiting": F("waiting") + 1}, "too few wait": {"waiting": F("waiting") - 1},
    "more tries of the first": {"head_tries": 2}, "no tries of the first": {"head_tries": 0},
    "another first": {"head_at": F("head_at") - timedelta(seconds=1)}, "no first": {"head_at": None},
}


@pytest.mark.parametrize("wrong", sorted(WRONG))
def test_each_number_that_is_wrong_is_found_alone(manual, push, queue, wrong):
    queue("before")
    found, empty = queue("wrong"), queue("empty")
    queue("after")
    Job.objects.filter(queue=empty).update(state="done")
    change(empty, waiting=0, head_at=None, head_tries=0)
    held = queue("held")
    Job.objects.filter(pk=held.jobs.first().pk).update(state="running")
    change(held, lease_until=Now() + timedelta(minutes=1))
    assert sql.drifted(*EVERY) == [], "all are right, or held"
    change(found, **WRONG[wrong])
    assert sql.drifted(*EVERY) == [(found.pk, False)]


@pytest.mark.parametrize(("lease", "seen"), [(None, True), (timedelta(seconds=-5), True), (timedelta(minutes=1), False)])
def test_a_job_that_runs_although_nobody_holds_its_queue_is_found(queue, lease, seen):
    mine, beside = queue("mine"), queue("beside")
    Job.objects.filter(pk=mine.jobs.first().pk).update(state="running", try_count=1)
    change(mine, head_tries=0, head_at=mine.jobs.last().created_at, lease_until=None if lease is None else Now() + lease)
    assert sql.drifted(*EVERY) == ([(mine.pk, True)] if seen else [])
    change(beside, waiting=9)
    assert sql.drifted(*EVERY) == ([(mine.pk, True)] if seen else []) + [(beside.pk, False)]


def test_a_look_is_at_the_queues_between_two_ids_in_their_order(queue, closing):
    rows = [queue(f"u{n}") for n in range(5)]
    aside, gone = queue("aside"), queue("gone", closing)
    Queue.objects.update(waiting=9)
    change(aside, user_id=f"{NOBODY}import")
    Namespace.objects.filter(pk=closing.pk).update(status="DELETING")
    assert [row.queue_id for row in sql.drifted(*EVERY)] == [row.pk for row in rows], "none that is set aside or goes"
    assert [row.queue_id for row in sql.drifted(rows[1].pk, rows[3].pk)] == [rows[2].pk, rows[3].pk]
    assert aside.pk > rows[4].pk and gone.pk > rows[4].pk


@pytest.fixture
def gave_up(push):
    """gave_up(namespace, user, *statuses): a job that was given up after attempts with these statuses, without its line."""

    def act(namespace, user: str, *statuses: int) -> Job:
        job = push(namespace, user=user, script="x" * 201, tries=3)
        Job.objects.filter(pk=job.pk).update(state="given_up", try_count=len(statuses))
        for number, status in enumerate(statuses):
            JobResult.objects.create(job=job, try_number=number, status_code=status, result="{}", output="", tried_at=Now(), took_ms=1)
        return job

    return act


def lines() -> list[tuple]:
    return list(GivenUp.objects.order_by("id").values_list("job", "namespace", "user_id", "script", "status_code"))


def test_each_given_up_job_without_a_line_gets_one_with_its_own_last_status(manual, auto, gave_up, push):
    statuses = {"a": (404, 500), "b": (500, 404, 503), "c": (), "d": (504,)}
    jobs = {user: gave_up(manual if user < "c" else auto, user, *of) for user, of in statuses.items()}
    push(manual, user="waits")
    kept = GivenUp.objects.create(job=jobs["b"], namespace=manual, user_id="b", script="told", status_code=1, at=Now())
    assert sql.note_missing_given_up(*EVERY) == 3 and sql.note_missing_given_up(*EVERY) == 0
    wanted = [(job.pk, job.queue.namespace_id, user, "x" * 200, [500, *statuses[user]][-1]) for user, job in jobs.items() if user != "b"]
    assert lines() == [(jobs["b"].pk, manual.pk, "b", "told", 1), *wanted] and kept.pk
    moments = dict(Job.objects.values_list("pk", "updated_at"))
    assert all(at == moments[job] for job, at in GivenUp.objects.exclude(pk=kept.pk).values_list("job", "at"))


def test_lines_are_written_for_the_queues_between_two_ids(manual, closing, gave_up):
    jobs = [gave_up(manual, f"u{n}", 500) for n in range(5)]
    change(gave_up(manual, "aside", 500).queue, user_id=f"{NOBODY}import"), gave_up(closing, "gone", 500)
    Namespace.objects.filter(pk=closing.pk).update(status="DELETING")
    assert sql.note_missing_given_up(jobs[1].queue_id, jobs[3].queue_id) == 2
    assert [line[0] for line in lines()] == [jobs[2].pk, jobs[3].pk]
    assert sql.note_missing_given_up(*EVERY) == 3, "none of those that are set aside or go"
