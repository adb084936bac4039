"""A worker dies at any moment: what the player has is the old state or the new one, and a repeat finishes it."""

from __future__ import annotations

import pytest

from gs2admin.identity.actors import SYSTEM
from gs2admin.lease import LeaseLost
from jobqueue.chores.userdata import wake_runs
from jobqueue.models import GivenUp, Job, Queue, UserDataRun
from jobqueue.services import Entry, push_jobs
from jobqueue.userdata import clearing, importing, runs
from jobqueue.userdata import services as user_data
from jobqueue.userdata.tasks import perform
from tests.userdata.conftest import picture

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(importing, "BATCH", 2)
    monkeypatch.setattr(clearing, "BATCH", 2)


@pytest.fixture
def kill_at(monkeypatch):
    """kill_at(n): the worker dies at its n-th write, before it or, with late=True, after it but before its commit."""
    write = runs.RunLease.write

    def act(number: int, late: bool = False) -> list[int]:
        calls: list[int] = []

        def dying(self, **values):
            calls.append(1)
            if late:
                write(self, **values)
            if len(calls) == number:
                raise Killed
            if not late:
                write(self, **values)

        monkeypatch.setattr(runs.RunLease, "write", dying)
        return calls

    yield act
    monkeypatch.setattr(runs.RunLease, "write", write)


def work(run: UserDataRun) -> bool:
    """One worker's turn; False when it was killed. Whoever held the run before is gone."""
    UserDataRun.objects.filter(pk=run.pk).update(lease_until=None)
    try:
        perform(run.pk)
    except Killed:
        return False
    return True


@pytest.mark.parametrize("late", [False, True])
def test_an_import_killed_at_every_write(project, player, namespaces, dump, upload, kill_at, late):
    data, new = dump(player), picture(project, player)
    killed = 0
    for number in range(1, 200):
        # The old state is another one each time.
        push_jobs(actor=SYSTEM, namespace=namespaces[0], user_id=player, entries=[Entry(f"later-{number}")])
        old = picture(project, player)
        run = upload(player, data)
        kill_at(number, late)
        if work(run):
            break
        killed += 1
        assert picture(project, player) in (old, new), number
        kill_at(0)
        assert work(run)
        run.refresh_from_db()
        assert run.state == "done" and picture(project, player) == new, number
        assert Queue.objects.count() == 3 and GivenUp.objects.count() == 2, "nothing is left over"
    assert killed > 10


@pytest.mark.parametrize("late", [False, True])
def test_a_clean_killed_at_every_write(project, player, namespaces, kill_at, late):
    hers = picture(project, "user-0002")
    killed = 0
    for number in range(1, 50):
        push_jobs(
            actor=SYSTEM, namespace=namespaces[0], user_id=player, entries=[Entry(f"later-{n}") for n in range(8)]
        )
        old = picture(project, player)
        jobs = Job.objects.filter(queue__user_id=player).count()
        run = user_data.start_clean(actor=SYSTEM, project=project, user_id=player)
        kill_at(number, late)
        if work(run):
            break
        killed += 1
        assert picture(project, player) in (old, {"given up": []})
        kill_at(0)
        assert work(run)
        assert picture(project, player) == {"given up": []} and Job.objects.count() == 1
        run.refresh_from_db()
        assert (run.done, run.total) == (jobs, jobs) and f"Done: {jobs} jobs removed." in run.log
        assert picture(project, "user-0002") == hers
    assert killed > 3


def test_a_dump_killed_at_every_write_is_made_at_last(project, player, kill_at):
    for number in range(1, 10):
        run = user_data.start_dump(actor=SYSTEM, project=project, user_id=player)
        kill_at(number)
        if work(run):
            return
        kill_at(0)
        assert work(run)
        run.refresh_from_db()
        assert run.state == "done" and run.file
    raise AssertionError("it was killed each time")


def test_a_worker_that_was_frozen_writes_nothing_more(project, player, dump, upload, namespaces):
    data, new = dump(player), picture(project, player)
    run = upload(player, data)
    first = runs.take(run.pk)
    assert runs.take(run.pk) is None
    UserDataRun.objects.filter(pk=run.pk).update(lease_until=None)
    perform(run.pk)
    for act in (first.write, lambda: first.note("late"), lambda: importing.import_file(first)):
        with pytest.raises(LeaseLost):
            act()
    assert picture(project, player) == new


def test_lost_runs_are_woken_and_hopeless_ones_end(project, player, rings):
    run = user_data.start_dump(actor=SYSTEM, project=project, user_id=player)
    rings.clear()
    assert wake_runs() == 0
    from datetime import timedelta

    from django.db.models.functions import Now

    UserDataRun.objects.update(updated_at=Now() - timedelta(minutes=1))
    assert wake_runs() == 1 and rings == [(runs.PERFORM, run.pk)]
    UserDataRun.objects.update(attempts=runs.MAX_ATTEMPTS)
    perform(run.pk)
    run.refresh_from_db()
    assert run.state == "failed" and "broke down" in run.error
