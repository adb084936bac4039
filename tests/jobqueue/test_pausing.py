"""A paused namespace takes jobs and begins none, by whomever, until it is resumed."""
from __future__ import annotations

import pytest

from gs2admin.errors import Conflict, Denied, NotFound
from gs2admin.identity.actors import SYSTEM
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue.execution import drain as drains
from jobqueue.execution import turns
from jobqueue.execution.shares import Shares
from jobqueue.models import Job, JobResult, Namespace, Queue
from jobqueue.services import run_next, runs
from jobqueue.services.pausing import pause_namespace, resume_namespace
from jobqueue.states import JobState

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(turns, "_shares", Shares())


def test_a_paused_namespace_takes_jobs_and_runs_none_and_goes_on_when_it_is_resumed(namespaces, push, scripts, rings):
    flood, near, _ = namespaces
    push(flood, "before")
    pause_namespace(actor=SYSTEM, namespace=flood, reason="flood")
    flood.refresh_from_db()
    push(flood, "after", user="v"), push(near, "near")
    turns.drain(0)
    assert [script for _, script, _ in scripts.ran] == ["near"]
    drains.drain(Queue.objects.get(user_id="v").pk)
    assert len(scripts.ran) == 1, "whoever drains it"
    rings.clear()
    resume_namespace(actor=SYSTEM, namespace=flood)
    assert rings
    turns.drain(0)
    assert sorted(script for _, script, _ in scripts.ran) == ["after", "before", "near"]
    assert set(Job.objects.values_list("state", flat=True)) == {JobState.DONE}


def test_who_may_not_pause_is_refused_by_the_service_itself(namespaces, viewer, stranger, support, actor_of):
    flood = namespaces[0]
    for act in (pause_namespace, resume_namespace):
        with pytest.raises(Denied):
            act(actor=actor_of(viewer), namespace=flood)
        with pytest.raises(NotFound):
            act(actor=actor_of(stranger), namespace=flood)
    assert pause_namespace(actor=actor_of(support), namespace=flood).paused_by == "sora"
    assert resume_namespace(actor=actor_of(support), namespace=flood).paused_by is None
    Namespace.objects.filter(pk=flood.pk).update(status=NamespaceStatus.DELETING)
    with pytest.raises(Conflict):
        pause_namespace(actor=SYSTEM, namespace=flood)
    flood.delete()
    with pytest.raises(NotFound):
        pause_namespace(actor=SYSTEM, namespace=namespaces[0])


def test_a_pause_counts_from_the_next_job_of_a_running_queue_on(namespaces, push, scripts):
    flood = namespaces[0]
    scripts.on["s"] = lambda _: pause_namespace(actor=SYSTEM, namespace=flood) and 200
    push(flood), push(flood)
    turns.drain(0)
    assert len(scripts.ran) == 1
    scripts.on.clear()
    resume_namespace(actor=SYSTEM, namespace=flood)
    turns.drain(0)
    assert len(scripts.ran) == 2


def test_by_hand_a_paused_namespace_runs_nothing_either(manual, push, scripts):
    push(manual)
    pause_namespace(actor=SYSTEM, namespace=manual)
    for act in (run_next, runs.run_one, runs.run_many):
        with pytest.raises(Conflict, match="paused"):
            act(actor=SYSTEM, namespace=manual, user_id="u")
    assert scripts.ran == [] and not JobResult.objects.exists()
    with pytest.raises(Conflict, match="paused already"):
        pause_namespace(actor=SYSTEM, namespace=manual)
    resume_namespace(actor=SYSTEM, namespace=manual)
    with pytest.raises(Conflict, match="not paused"):
        resume_namespace(actor=SYSTEM, namespace=manual)
