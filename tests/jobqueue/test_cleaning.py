"""What is old is removed, in batches, and nothing else."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from gs2admin.identity.actors import SYSTEM
from jobqueue.chores import queues as sweep
from jobqueue.execution.attempt import Ended
from jobqueue.models import GivenUp, Job, JobResult, Notification
from jobqueue.services import run_next
from jobqueue.services.namespaces import update_namespace

pytestmark = pytest.mark.django_db


def days_ago(job, days: float) -> None:
    at = timezone.now() - timedelta(days=days)
    Job.objects.filter(pk=job.pk).update(created_at=at, updated_at=at)


@pytest.fixture
def ended(manual, push, scripts):
    """ended(script, days) is a job that ended so long ago."""
    scripts.on["bad"] = lambda args: Ended(500, "[]", may_retry=False)

    def make(script: str, days: float):
        job = push(manual, script, user=f"u{days}")
        run_next(actor=SYSTEM, namespace=manual, user_id=f"u{days}")
        days_ago(job, days)
        return job

    return make


@pytest.mark.parametrize("batch", [1, 2, 1000])
def test_jobs_go_with_their_results_when_their_days_are_over(ended, manual, push, settings, monkeypatch, batch):
    monkeypatch.setattr(sweep, "BATCH", batch)
    settings.JOB_RESULT_KEEP_DAYS, settings.JOB_GIVEN_UP_KEEP_DAYS = 10, 20
    waiting = push(manual, user="patient")
    days_ago(waiting, 400)
    gone = [ended("good", 30), ended("good", 11), ended("bad", 21)]
    kept = [waiting, ended("bad", 19), ended("good", 9), ended("good", 1)]
    assert sweep.remove_old_jobs() > 0
    assert set(Job.objects.values_list("pk", flat=True)) == {job.pk for job in kept}
    assert not JobResult.objects.filter(job__in=[job.pk for job in gone]).exists()
    assert JobResult.objects.count() == 3 and GivenUp.objects.get().job_id == kept[1].pk
    assert sweep.remove_old_jobs() == 0


@pytest.mark.parametrize("batch", [1, 1000])
def test_notifications_of_yesterday_are_removed(manual, push, monkeypatch, batch):
    monkeypatch.setattr(sweep, "BATCH", batch)
    update_namespace(actor=SYSTEM, namespace=manual, push_notification={"gatewayNamespaceId": "grn:x"})
    manual.refresh_from_db()
    for _ in range(3):
        push(manual)
    old = Notification.objects.order_by("id")[:2].values_list("pk", flat=True)
    Notification.objects.filter(pk__in=list(old)).update(created_at=Now() - timedelta(days=2))
    assert sweep.remove_old_notifications() == 2 and Notification.objects.count() == 1
