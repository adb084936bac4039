"""/healthz and /readyz, and the words for the dot in the header."""
import uuid
from datetime import timedelta

import pytest
from django.db import DatabaseError, connection, connections
from django.db.models.functions import Now
from django.test import Client

from gs2admin import engine, health
from gs2admin.engine.models import EngineCluster, EngineWorker
from gs2admin.env import Env, SettingsError


@pytest.fixture
def cluster(db):
    """A cluster whose heartbeat got through just now."""
    EngineCluster.objects.create(id=uuid.uuid4(), queue="q", host="h", pid=1, workers=4, beat_at=Now(), latency_ms=12)
    return EngineCluster.objects.all()


def test_healthz_needs_no_database_and_no_host_name(monkeypatch):
    def away(*_, **__):
        raise DatabaseError("away")

    monkeypatch.setattr(connection, "ensure_connection", away)
    assert Client().get("/healthz", HTTP_HOST="10.1.2.3").json() == {"ok": True}


def test_readyz_says_which_check_fails(db):
    answer = Client().get("/readyz", HTTP_HOST="10.1.2.3")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "checks": {"database": True, "migrations": True, "worker": False, "disk": True}}


@pytest.mark.parametrize("peer, headers, setting, told", [
    ("127.0.0.1", {}, "127.0.0.0/8,::1", True),
    ("127.8.0.1", {}, "127.0.0.0/8,::1", True),
    ("::1", {}, "127.0.0.0/8,::1", True),
    ("::ffff:127.0.0.1", {}, "127.0.0.0/8,::1", True),
    ("10.0.0.7", {}, "127.0.0.0/8,::1", False),
    ("10.0.0.7", {}, "10.0.0.0/8", True),
    ("127.0.0.1", {}, "10.0.0.0/8", False),
    ("127.0.0.1", {}, "none", False),
    ("", {}, "127.0.0.0/8,::1", False),
    ("127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}, "127.0.0.0/8,::1", False),
    ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, "127.0.0.0/8,::1", False),
    ("127.0.0.1", {"Forwarded": "for=10.0.0.7"}, "127.0.0.0/8,::1", False),
    ("127.0.0.1", {"X-Forwarded-Proto": "https"}, "127.0.0.0/8,::1", False),
    ("127.0.0.1", {"X-Real-IP": "10.0.0.7"}, "127.0.0.0/8,::1", False),
    ("127.0.0.1", {"Via": "1.1 proxy"}, "127.0.0.0/8,::1", False),
])  # fmt: skip
def test_what_is_missing_is_for_peers_of_the_setting_that_come_without_a_proxy(db, settings, peer, headers, setting, told):
    settings.READYZ_DETAILS = Env({"N": setting}).networks("N", "none")
    answer = Client().get("/readyz", REMOTE_ADDR=peer, headers=headers)
    assert answer.status_code == 503 and answer.json()["ready"] is False
    assert set(answer.json()) == ({"ready", "checks"} if told else {"ready"})


def test_readyz_is_200_with_a_live_worker(cluster):
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_network_that_cannot_be_read_stops_the_start():
    env = Env({"N": "10.0.0.0/8,proxy"})
    env.networks("N", "none")
    with pytest.raises(SettingsError, match="'proxy'"):
        env.check()


def test_readyz_without_database_is_a_short_no(monkeypatch, db):
    def away(*_, **__):
        raise DatabaseError("password=hush")

    with monkeypatch.context() as gone:
        gone.setattr(connections["default"], "cursor", away)
        answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": False, "migrations": False, "worker": False, "disk": True}
    assert b"hush" not in answer.content


def test_probes_cannot_be_posted_to(db):
    assert Client().post("/readyz").status_code == 405


@pytest.mark.parametrize("change, live", [
    ({}, 1),
    ({"beat_at": None}, 0),
    ({"beat_at": Now() - timedelta(seconds=21)}, 0),
    ({"seen_at": Now() - timedelta(seconds=21)}, 0),
    ({"draining": True}, 0),
])
def test_which_clusters_count_as_alive(cluster, change, live):
    cluster.update(**change)
    assert engine.health().clusters == live


@pytest.mark.parametrize("age, doing, live", [(1, "rollout 415", 1), (21, "rollout 415", 0), (1, "", 0)])
def test_a_cluster_too_busy_for_heartbeats_is_alive_while_a_worker_beats(cluster, age, doing, live):
    cluster.update(beat_at=Now() - timedelta(seconds=500))
    EngineWorker.objects.create(cluster=cluster.get(), pid=7, doing=doing, busy_at=Now() - timedelta(seconds=age))
    assert engine.health().clusters == live


def test_health_is_one_query(cluster, django_assert_num_queries):
    with django_assert_num_queries(1):
        found = engine.health()
    assert (found.clusters, found.workers, found.latency_ms) == (1, 4, 12)


def test_the_dot_in_words(cluster):
    assert health.summary() == (True, "4 workers, queue 12 ms")
    cluster.update(latency_ms=None, workers=1)
    assert health.summary() == (True, "1 worker")
    cluster.delete()
    assert health.summary() == (False, "No worker is running: nothing that is started will move on.")
