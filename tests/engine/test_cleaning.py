"""Cleaning: once per interval over all hosts, in batches, and nothing that is still wanted."""
import uuid
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.utils import timezone
from django_q.models import OrmQ, Task

from gs2admin import engine
from gs2admin.engine import registry, sweep, tasks
from gs2admin.engine.models import EngineChore, EngineCluster, EngineWorker


@pytest.fixture
def only(monkeypatch):
    """The registers, emptied for this test."""
    for name in ("CLEANERS", "SWEEPERS"):
        monkeypatch.setattr(sweep, name, {})
        monkeypatch.setattr(registry, name, getattr(sweep, name))


def test_a_cleaner_runs_once_per_interval(db, only):
    ran = []
    engine.cleaner(every_s=60)(lambda: ran.append(1) or 7)
    assert sweep.clean_once() == 7
    assert sweep.clean_once() == 0
    EngineChore.objects.update(ran_at=Now() - timedelta(seconds=61))
    assert sweep.clean_once() == 7
    assert len(ran) == 2


def test_a_cleaner_or_sweeper_that_fails_does_not_stop_the_others(db, only):
    def fails():
        raise RuntimeError("as asked")

    def works():
        return 1

    for register in (engine.cleaner(every_s=1), engine.sweeper):
        register(fails)
        register(works)
    assert sweep.clean_once() == 1
    assert sweep.sweep_once() == 1


def test_old_results_and_rings_go_and_young_ones_stay(db):
    now = timezone.now()
    for name, age in (("old", 8), ("young", 6)):
        Task.objects.create(id=name, name=name, func="a.b", started=now, stopped=now - timedelta(days=age), success=False)
    for age in (25, 1):
        OrmQ.objects.create(key=f"{age}h", payload="", lock=now - timedelta(hours=age))
    assert tasks.clean_queue() == 2
    assert [task.name for task in Task.objects.all()] == ["young"]
    assert [row.key for row in OrmQ.objects.all()] == ["1h"]


def test_removal_goes_on_over_several_batches(db, monkeypatch):
    monkeypatch.setattr(tasks, "BATCH", 2)
    for number in range(5):
        Session.objects.create(session_key=str(number), expire_date=timezone.now() - timedelta(days=1))
    Session.objects.create(session_key="lives", expire_date=timezone.now() + timedelta(days=1))
    assert tasks.clean_sessions() == 5
    assert Session.objects.get().session_key == "lives"


def test_a_cluster_that_nobody_has_seen_for_long_goes_with_its_workers_and_rings(db):
    def cluster(minutes):
        row = EngineCluster.objects.create(id=uuid.uuid4(), queue="q", host="h", pid=1, workers=2)
        EngineCluster.objects.filter(pk=row.pk).update(seen_at=Now() - timedelta(minutes=minutes))
        EngineWorker.objects.create(cluster=row, pid=minutes)
        OrmQ.objects.create(key=f"beat:{row.pk.hex}", payload="", lock=timezone.now())
        return row

    cluster(11)
    stays = cluster(9)
    assert tasks.clean_clusters() == 1
    assert EngineCluster.objects.get() == stays
    assert EngineWorker.objects.get().pid == 9
    assert OrmQ.objects.get().key == f"beat:{stays.pk.hex}"


def test_the_domains_cleaners_are_registered_when_django_starts():
    assert "gs2admin.engine.tasks.clean_queue" in registry.CLEANERS
    assert "gs2admin.identity.tokens.delete_expired_access_tokens" in registry.CLEANERS
    assert [name for name in registry.SWEEPERS if name.startswith("stages.")]
