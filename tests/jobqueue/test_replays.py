"""Replays: what was given up is pushed again as often as somebody means it, and not once more."""
from __future__ import annotations

import pytest

from gs2admin.errors import Conflict, NotFound
from gs2admin.identity.actors import SYSTEM
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue.models import GivenUp, Job, Namespace
from jobqueue.services import replay_job, replay_jobs, run_next

pytestmark = pytest.mark.django_db


@pytest.fixture
def given_up(manual, push, scripts):
    """given_up(2) are two jobs of the namespace `manual` that failed for good."""
    scripts.on["bad"] = lambda args: 500

    def make(count: int) -> list[Job]:
        jobs = [push(manual, "bad", tries=1) for _ in range(count)]
        for _ in jobs:
            run_next(actor=SYSTEM, namespace=manual, user_id="u")
        return list(Job.objects.filter(pk__in=[job.pk for job in jobs]).select_related("queue"))

    return make


def test_a_job_is_replayed_once_more_only_by_somebody_who_knows_that_it_was(manual, given_up):
    first, second = given_up(2)
    replay_job(actor=SYSTEM, namespace=manual, job=first)
    with pytest.raises(Conflict, match="replayed already"):
        replay_job(actor=SYSTEM, namespace=manual, job=first)
    with pytest.raises(Conflict, match="replayed already"):
        replay_jobs(actor=SYSTEM, namespace=manual, jobs=[second, first])
    assert first.replays.count() == 1 and second.replays.count() == 0, "all or none"
    seen = GivenUp.objects.get(job=first).replayed_at
    replay_job(actor=SYSTEM, namespace=manual, job=first, replayed_at=seen)
    assert first.replays.count() == 2


def test_a_namespace_on_its_way_out_takes_no_replays(manual, given_up):
    (job,) = given_up(1)
    Namespace.objects.filter(pk=manual.pk).update(status=NamespaceStatus.DELETING)
    manual.refresh_from_db()
    with pytest.raises(Conflict, match="is being deleted"):
        replay_job(actor=SYSTEM, namespace=manual, job=job)
    assert not job.replays.exists()


def test_jobs_of_a_namespace_that_is_gone_cannot_be_replayed(manual, given_up):
    (job,) = given_up(1)
    Job.objects.all().delete()
    with pytest.raises((NotFound, Conflict)):
        replay_job(actor=SYSTEM, namespace=manual, job=job)
