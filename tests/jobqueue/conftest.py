"""A namespace, and scripts that are Python functions of the test: the queue's own behaviour, without Lua."""
from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from jobqueue.execution import attempt
from jobqueue.execution import drain as drains
from jobqueue.execution.attempt import Ended, errors
from jobqueue.models import JobResult, Queue
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace


@pytest.fixture(autouse=True)
def rings(monkeypatch):
    """What was rung for, instead of waking a worker: [(task, id)]."""
    heard: list[tuple[str, int]] = []
    monkeypatch.setattr(engine, "wake", lambda task, pk: heard.append((task, pk)))
    monkeypatch.setattr(engine, "beat", lambda *_: False)
    return heard


@pytest.fixture
def scripts(monkeypatch):
    """scripts.on[script_id] = function(args) -> status code; scripts.ran lists (user, script, args) in order.

    scripts.tick is the one that the running script's calls go past.
    """

    class Scripts:
        def __init__(self) -> None:
            self.on, self.ran, self.tick = {}, [], None

        def perform(self, *, project, user_id, script_id, args, tick) -> Ended:
            self.ran.append((user_id, script_id, args))
            self.tick = tick
            act = self.on.get(script_id)
            found = act(json.loads(args)) if act else 200
            if isinstance(found, Ended):
                return found
            return Ended(found, "{}" if found < 300 else errors("script", "it failed"))

    found = Scripts()
    monkeypatch.setattr(attempt, "perform", found.perform)
    return found


@pytest.fixture
def manual(project):
    return create_namespace(actor=SYSTEM, project=project, name="manual")


@pytest.fixture
def auto(project):
    return create_namespace(actor=SYSTEM, project=project, name="auto", enable_auto_run=True)


@pytest.fixture
def push():
    """push(namespace, "script", user="u", tries=3, args="{}") pushes one job and returns it."""

    def act(namespace, script="s", user="u", tries=3, args="{}"):
        (job,), _ = push_jobs(actor=SYSTEM, namespace=namespace, user_id=user, entries=[Entry(script, args, tries)])
        return job

    return act


@pytest.fixture
def drain():
    """drain(namespace) runs all due drains of its queues in this process, over the back-off if over=True."""

    def act(namespace, over=False):
        for queue in Queue.objects.filter(namespace=namespace, draining=True):
            if over:
                Queue.objects.filter(pk=queue.pk).update(next_at=None)
            drains.drain(queue.pk)

    return act


@pytest.fixture
def statuses():
    """statuses(job) are the status codes of its attempts."""
    return lambda job: list(JobResult.objects.filter(job=job).order_by("try_number").values_list("status_code", flat=True))


@pytest.fixture
def forget_holder():
    """The holder of a queue is gone and its lease has ended."""
    return lambda queue: Queue.objects.filter(pk=queue.pk).update(lease_until=Now() - timedelta(seconds=1))


@pytest.fixture
def namespaces(project, other_project):
    """flood and near, of one project; far, of another."""
    return [create_namespace(actor=SYSTEM, project=of, name=name, enable_auto_run=True)
            for of, name in ((project, "flood"), (project, "near"), (other_project, "far"))]  # fmt: skip
