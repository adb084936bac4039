"""Two hosts, one an hour slow and one an hour fast, judge the same windows, tokens, sessions, links, sheets and leases alike.

SQLite's clock is the host's, and there is one host.
"""
from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone

from bench.place import clean_environment
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential
from gs2admin.identity.services.stamp_keys import create_stamp_key
from jobqueue.models import Queue
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace
from jobqueue.userdata.services import start_dump
from locks.services.namespaces import create_namespace as create_lock_namespace
from stages.auto_promotion.services import save_auto_promotion
from stages.models import Rollout
from stages.models.governance import FreezeWindow
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from stages.worker.tasks import run_rollout
from tests.engine.conftest import database_url

pytestmark = [
    pytest.mark.processes, pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(settings.ON_SQLITE, reason="one host, one clock"),
]
ROOT = Path(__file__).resolve().parents[2]
HOUR = 3600


class Host:
    """tests/clocks/host.py; behind libfaketime where that is installed."""

    def __init__(self, off_s: int, environ: dict[str, str]) -> None:
        faketime = shutil.which("faketime")
        front = [faketime, "-f", f"{off_s:+d}s"] if faketime else []
        self.popen = subprocess.Popen(
            [*front, sys.executable, "-m", "tests.clocks.host", str(off_s)], cwd=ROOT, env=environ, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )

    def __call__(self, order: str, **given):
        self.popen.stdin.write(json.dumps([order, given]) + "\n")
        self.popen.stdin.flush()
        for line in self.popen.stdout:
            if line.startswith("="):
                return json.loads(line[1:])
        raise AssertionError(f"{order}: the host died")

    def close(self) -> None:
        """End it."""
        self.popen.kill()
        self.popen.communicate()


@pytest.fixture
def hosts(project, tmp_path):
    environ = clean_environment() | {
        "DATABASE_URL": database_url(), "GS2ADMIN_DATA_DIR": str(tmp_path), "SECRET_KEY": settings.SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "gs2admin.settings", "LOG_LEVEL": "ERROR", "PATH": os.environ["PATH"], "DONT_FAKE_MONOTONIC": "1",
    }  # fmt: skip
    found = [Host(-HOUR, environ), Host(HOUR, environ)]
    yield found
    for host in found:
        host.close()


def window(project, stage, begins_s: int, ends_s: int) -> None:
    now = timezone.now()
    FreezeWindow.objects.create(project=project, stage=stage, name=stage.name, weekly=False, time_zone="UTC", created_by="t",
                                starts_at=now + timedelta(seconds=begins_s), ends_at=now + timedelta(seconds=ends_s))


def test_hosts_an_hour_off_to_either_side_agree(project, hosts):
    slow, fast = hosts
    for host, off in ((slow, -HOUR), (fast, HOUR)):
        here = timezone.now().timestamp()
        assert abs(host("date") - here - off) < 60 and abs(host("clock") - here) < 30

    register_version(actor=SYSTEM, project=project, microservice="battle", version="1.0")
    cases = {"on": (-60, 1800), "over": (-1800, -1), "later": (1800, 5400)}
    for name, (begins_s, ends_s) in cases.items():
        for host in ("slow", "fast"):
            window(project, create_stage(actor=SYSTEM, project=project, name=f"{name}-{host}"), begins_s, ends_s)
    for name in cases:
        answer = "freeze.stage.frozen" if name == "on" else "begun"
        assert slow("promote", stage=f"{name}-slow") == fast("promote", stage=f"{name}-fast") == answer, name

    source = create_stage(actor=SYSTEM, project=project, name="source")
    followers = [create_stage(actor=SYSTEM, project=project, name=f"follows-{host}", source=source) for host in ("slow", "fast")]
    for follower in followers:
        save_auto_promotion(actor=SYSTEM, stage=follower, enabled=True, soak_s=1800)
    run_rollout(promote_stage(actor=SYSTEM, stage=source).pk)
    waits = [host("follow", stage=follower.name) for host, follower in zip(hosts, followers, strict=True)]
    assert all("has to stay Active" in each for each in waits), waits
    Rollout.objects.filter(stage=source).update(ended_at=timezone.now() - timedelta(seconds=1900))
    assert [host("follow", stage=follower.name) for host, follower in zip(hosts, followers, strict=True)] == ["begun"] * 2


def test_what_one_gives_out_the_other_takes_for_as_long(project, hosts):
    slow, fast = hosts
    create_credential(actor=SYSTEM, project=project, name="game")
    run = start_dump(actor=SYSTEM, project=project, user_id="u")
    key, secret = create_stamp_key(actor=SYSTEM, project=project, namespace="k", name="k")
    grn = f"grn:gs2:{project.region}:{project.owner_id}:key:k:key:k"
    space = create_namespace(actor=SYSTEM, project=project, name="q")
    for giver, taker in ((slow, fast), (fast, slow)):
        assert taker("accepted", **dict(zip(("project", "access", "offset"), giver("tokens"), strict=True))) == ["good"] * 3
        assert taker("signed_in", key=giver("sign_in", age_s=600))
        assert not taker("signed_in", key=giver("sign_in", age_s=-5))
        assert taker("link_leads", token=giver("link", run=run.pk))
        assert taker("sheet", grn=grn, secret=secret, ends_s=600) == "taken"
        for ends_s in (-5, HOUR):
            assert taker("sheet", grn=grn, secret=secret, ends_s=ends_s) == "jobQueue.stampSheet.expiresAt.error.invalid"

    (job,), _ = push_jobs(actor=SYSTEM, namespace=space, user_id="v", entries=[Entry("s")])
    create_lock_namespace(actor=SYSTEM, project=project, name="l")
    assert slow("take", queue=job.queue_id, lease_s=600) and not fast("take", queue=job.queue_id, lease_s=600)
    Queue.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert fast("take", queue=job.queue_id, lease_s=600) and not slow("take", queue=job.queue_id, lease_s=600)
    assert slow("lock", transaction="slow", ttl_s=600) and not fast("lock", transaction="fast", ttl_s=600)
