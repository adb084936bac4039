"""Workers that are killed for real between the end of a job and letting its queue go: whoever comes next puts it right."""
from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from jobqueue.chores.drift import mend_queues
from jobqueue.chores.queues import start_left_queues, wake_lost_queues
from jobqueue.execution.drain import drain
from jobqueue.models import Job, JobResult, Queue, Tally
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace
from jobqueue.states import JobState

pytestmark = pytest.mark.processes
# A process that kills itself where a drain, or a run by hand, lets the queue go: its last job is settled and committed.
WORKER = """
import os, signal, sys
import django
django.setup()
from gs2admin.identity.actors import SYSTEM
from jobqueue.execution import attempt, drain
from jobqueue.execution.lease import QueueLease
from jobqueue.models import Queue
from jobqueue.services import run_next
attempt.perform = lambda **given: attempt.Ended(200, "{}")
QueueLease.release = lambda *given, **more: os.kill(os.getpid(), signal.SIGKILL)
queue = Queue.objects.select_related("namespace__project").get()
if queue.namespace.enable_auto_run:
    drain.drain(queue.pk)
else:
    run_next(actor=SYSTEM, namespace=queue.namespace, user_id=queue.user_id)
"""


@pytest.mark.parametrize("auto", [True, False], ids=["drain", "run by hand"])
def test_a_worker_killed_between_its_last_job_and_letting_the_queue_go(auto, environ, project, monkeypatch):
    rings: list[int] = []
    monkeypatch.setattr(engine, "wake", lambda task, pk: rings.append(pk))
    namespace = create_namespace(actor=SYSTEM, project=project, name="n", enable_auto_run=auto)
    push_jobs(actor=SYSTEM, namespace=namespace, user_id="u", entries=[Entry("s")])
    ended = subprocess.run([sys.executable, "-c", WORKER], cwd=settings.BASE_DIR, env=environ, timeout=60, check=False)
    assert ended.returncode == -signal.SIGKILL
    queue = Queue.objects.get()
    assert Job.objects.get().state == JobState.DONE and queue.lease_until is not None and queue.waiting == 1
    assert mend_queues() == 0, "it may be alive"
    Queue.objects.update(lease_until=Now() - timedelta(seconds=1))
    if auto:
        drain(queue.pk)
    else:
        assert mend_queues() == 1
    queue.refresh_from_db()
    assert (queue.waiting, queue.head_at, queue.head_tries, queue.draining, queue.lease_until) == (0, None, 0, False, None)
    assert [(row.ok, row.failed) for row in Tally.objects.all()] == [(JobResult.objects.count(), 0)] == [(1, 0)]
    rings.clear()
    assert start_left_queues() == wake_lost_queues() == mend_queues() == 0 and rings == []
