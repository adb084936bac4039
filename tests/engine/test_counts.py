"""What the engine and the sign-in keep beside rows, when a process dies between two writes."""
from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.engine import presence, registry, status, sweep, tasks
from gs2admin.engine.models import EngineChore, EngineCluster, EngineWorker

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """The process is gone."""


def cluster() -> EngineCluster:
    return EngineCluster.objects.create(id=uuid.uuid4(), queue="q", host="h", pid=1, workers=2)


def test_a_chore_whose_host_dies_in_it_is_due_again_after_its_interval(monkeypatch):
    monkeypatch.setattr(sweep, "CLEANERS", {}), monkeypatch.setattr(registry, "CLEANERS", sweep.CLEANERS)
    ran = []

    def chore():
        ran.append(1)
        if len(ran) == 1:
            raise Killed
        return 3

    engine.cleaner(every_s=60)(chore)
    with pytest.raises(Killed):
        sweep.clean_once()
    assert sweep.clean_once() == 0, "another host has no way to know: it waits for the interval"
    EngineChore.objects.update(ran_at=Now() - timedelta(seconds=61))
    assert sweep.clean_once() == 3


def test_a_worker_that_died_busy_does_not_count_as_one_that_is(settings):
    row = cluster()
    EngineWorker.objects.create(cluster=row, pid=7, doing="rollout 5")
    assert status.health().clusters == 1
    EngineWorker.objects.update(busy_at=Now() - timedelta(seconds=settings.LATE_S + 1))
    assert status.health().clusters == 0


def test_a_worker_that_beats_while_its_cluster_is_forgotten_leaves_no_row_for_ever(monkeypatch):
    row, living = cluster(), cluster()
    real = EngineWorker.objects._queryset_class.update

    def late(rows, **values):
        found = real(rows, **values)
        EngineCluster.objects.filter(pk=row.pk).delete()  # with its workers' rows, between the two writes of the beat
        return found

    with monkeypatch.context() as patch:
        patch.setattr(EngineWorker.objects._queryset_class, "update", late)
        presence._write(row.pk.hex, "rollout 5")
    presence._write(living.pk.hex, "rollout 6")
    assert EngineWorker.objects.count() == 2 and tasks.clean_clusters() == 0
    EngineWorker.objects.update(busy_at=Now() - tasks.KEEP_CLUSTERS - timedelta(seconds=1))
    assert tasks.clean_clusters() == 1
    assert EngineWorker.objects.get().cluster_id == living.pk
