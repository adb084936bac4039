"""Whatever a job can do is undone when another has its queue by the time of the commit: every writing method, every way to it."""
from __future__ import annotations

import threading

import pytest
from django.conf import settings
from django.db import connection, transaction

from bench.frozen import tables
from bench.frozen.cases import METHODS, Place, cases
from gs2admin.db import fences
from gs2admin.db.raw import raw_cursor
from gs2admin.identity.models import Project
from gs2admin.lease import LeaseLost
from jobqueue import sql
from jobqueue.execution import attempt
from jobqueue.execution.calls import _by_name
from jobqueue.execution.lease import QueueLease
from jobqueue.models import Job, Namespace, Queue
from tests.conditions import until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(project):
    return Place(project)


@pytest.fixture
def perform(place):
    """perform(case, number) runs the job of that case as a drain does, without its book-keeping; returns how it ended."""

    def act(name: str, number: int = 0, lost: bool = False):
        asked = cases()[name](place, number)
        job = place.push(f"worker-{number}", asked, place.auto)
        lease = QueueLease.take(job.queue_id)
        act.before = tables.rows()
        if lost:
            Queue.objects.filter(pk=job.queue_id).update(fence=lease.fence + 1)
        with lease.effects():
            return attempt.perform(project=place.project, user_id=f"worker-{number}", script_id=asked.script_id, args=asked.args,
                                   tick=lambda: None)

    return act


def test_every_writing_method_has_its_case():
    writing = {key for key, method in _by_name().items() if method.writes}
    assert set(METHODS) == writing


@pytest.mark.parametrize("service", ["freeze", "job_queue", "lock", "script"])
def test_an_effect_of_a_holder_stays_and_one_of_a_lost_holder_does_not(perform, service):
    for number, name in enumerate(name for name in cases() if name.split(".")[0].removeprefix("built-in ") == service):
        ended = perform(name, 2 * number)
        assert ended.status_code == 200, (name, ended)
        assert tables.changed(perform.before, tables.rows()), name
        with pytest.raises(LeaseLost):
            pytest.fail(f"{name}: {perform(name, 2 * number + 1, lost=True)}")
        assert not tables.changed(perform.before, tables.rows()), name


def test_a_script_may_remove_the_namespace_whose_job_it_is(place):
    asked = cases()["job_queue.push_by_user_id"](place, 1)
    job = place.push("worker", asked, place.auto)
    lease = QueueLease.take(job.queue_id)
    with lease.effects():
        ended = attempt.perform(project=place.project, user_id="worker", script_id="execute_job_queue_delete_namespace",
                                args='{"namespaceName": "auto"}', tick=lambda: None)
        assert ended.status_code == 200 and not Namespace.objects.filter(pk=place.auto.pk).exists()
        with pytest.raises(LeaseLost):
            attempt.perform(project=place.project, user_id="worker", script_id="call", args=asked.args, tick=lambda: None)
    assert not Job.objects.filter(queue__namespace=place.queues).exists()


def test_a_lost_holder_removes_no_namespace(place):
    job = place.push("worker", None, place.auto)
    lease = QueueLease.take(job.queue_id)
    Queue.objects.update(fence=lease.fence + 1)
    with lease.effects(), pytest.raises(LeaseLost):
        attempt.perform(project=place.project, user_id="worker", script_id="execute_job_queue_delete_namespace",
                        args='{"namespaceName": "auto"}', tick=lambda: None)
    assert Namespace.objects.filter(pk=place.auto.pk, status="ACTIVE").exists()


def test_what_waits_for_the_commit_does_not_happen(project):
    heard = []
    with pytest.raises(LeaseLost), fences.on_behalf(lambda: False), transaction.atomic():
        Project.objects.filter(pk=project.pk).update(name="changed")
        transaction.on_commit(lambda: heard.append(1))
    with transaction.atomic():
        pass
    assert heard == [] and Project.objects.get(pk=project.pk).name == "isles" and connection.get_autocommit()


def test_all_who_are_written_for_must_hold_and_what_is_apart_needs_none(project):
    rows = Project.objects.filter(pk=project.pk)
    with fences.on_behalf(lambda: False), fences.on_behalf(lambda: True):
        with pytest.raises(LeaseLost), transaction.atomic():
            rows.update(name="changed")
        with fences.apart():
            rows.update(region="apart")
    assert rows.values_list("name", "region").get() == ("isles", "apart")
    with pytest.raises(LeaseLost), fences.on_behalf(lambda: True), fences.on_behalf(lambda: False), transaction.atomic():
        rows.update(name="changed")
    rows.update(name="changed")
    assert rows.get().name == "changed"


def test_what_was_asked_early_is_asked_again_after_its_savepoint_was_undone(project):
    answers = [True, False]
    with pytest.raises(LeaseLost), fences.on_behalf(lambda: answers.pop(0)), transaction.atomic(), transaction.atomic():
        fences.keep()
        fences.keep()
        transaction.set_rollback(True)
    assert answers == []
    with fences.on_behalf(lambda: True), transaction.atomic():
        fences.keep()
    with pytest.raises(LeaseLost), fences.on_behalf(lambda: False), transaction.atomic():
        pass


def test_a_write_outside_a_transaction_gets_one_or_is_refused(project):
    rows = Project.objects.filter(pk=project.pk)
    text = "UPDATE identity_project SET name = 'raw'"
    with fences.on_behalf(lambda: False):
        for act in (lambda: rows.update(name="x"), lambda: Project.objects.create(name="n", owner_id="n")):
            with pytest.raises(RuntimeError, match="transaction"):
                act()
        with pytest.raises(LeaseLost):
            rows.delete()  # Django opens a transaction for it
        with pytest.raises(LeaseLost), raw_cursor() as cursor:
            cursor.execute(text)
    assert rows.get().name == "isles"
    with fences.on_behalf(lambda: True), raw_cursor() as cursor:
        cursor.execute(text)
    rows.update(region="free again")
    assert rows.values_list("name", "region").get() == ("raw", "free again")


@pytest.mark.skipif(settings.ON_SQLITE, reason="on SQLite the whole transaction excludes every other")
def test_a_take_over_waits_for_a_commit_that_was_promised_and_a_push_does_not(place, forget_holder):
    job = place.push("worker", None, place.auto)
    lease = QueueLease.take(job.queue_id)
    forget_holder(job.queue)
    found: list[object] = []

    def elsewhere(act) -> threading.Thread:
        def run() -> None:
            found.append(act())
            connection.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread

    with transaction.atomic():
        assert sql.keep(job.queue_id, lease.fence)
        elsewhere(lambda: place.push("worker", None, place.auto) and None).join(20)
        assert found == [None]
        taker = elsewhere(lambda: QueueLease.take(job.queue_id))
        with connection.cursor() as cursor:
            until(lambda: cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted") or cursor.fetchone(), 20, "a wait")
        assert found == [None]
        # And who asks while somebody is about to raise the fence does not wait, but is told no.
    taker.join(20)
    assert found[1].fence == lease.fence + 1 and not sql.keep(job.queue_id, lease.fence)


@pytest.mark.skipif(settings.ON_SQLITE, reason="on SQLite the whole transaction excludes every other")
def test_who_asks_during_a_take_over_does_not_wait(place, forget_holder):
    job = place.push("worker", None, place.auto)
    lease = QueueLease.take(job.queue_id)
    forget_holder(job.queue)
    found: list[bool] = []

    def run() -> None:
        with transaction.atomic():
            found.append(sql.keep(job.queue_id, lease.fence))
        connection.close()

    with transaction.atomic():
        assert QueueLease.take(job.queue_id)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(20)
    assert found == [False]
