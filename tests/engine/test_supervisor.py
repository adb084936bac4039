"""The supervisor itself: how it ends, what survives it (nothing), and what it does not mistake for a failure."""
import os
import signal
import time
from contextlib import suppress

import pytest
from django.db import connection, transaction

from gs2admin import engine
from gs2admin.engine.models import EngineCluster
from gs2admin.processes import proc
from tests.conditions import stays, until
from tests.engine.conftest import Host, database_url
from tests.engine.proxy import Proxy

pytestmark = pytest.mark.processes
SOON = 8


def ended(host: Host, seconds: float) -> float:
    """Wait until the supervisor and everything of it is gone; how long it took."""
    began = time.monotonic()
    until(lambda: host.popen.poll() is not None and not host.left(), seconds, host.left)
    return time.monotonic() - began


def handed_over(host: Host, job: str) -> bool:
    """Nobody was stopped in the middle of it. (A second ring may have woken a second worker just before the end.)"""
    events = host.events(job)
    return bool(events) and events == ["start", "handover"] * (len(events) // 2)


def test_sigterm_ends_an_idle_host_at_once_and_removes_its_row(host):
    host.ready()
    until(lambda: EngineCluster.objects.exists(), SOON)
    host.processes()
    host.popen.terminate()
    assert ended(host, SOON) < 5
    assert host.popen.returncode == 0
    assert not EngineCluster.objects.exists()


def test_sigterm_lets_busy_workers_hand_over(host):
    host.ready()
    host.ring("job", 60)
    host.wait("job", "start", SOON)
    host.processes()
    host.popen.terminate()
    assert ended(host, SOON) < 5
    assert handed_over(host, "job"), host.events("job")


def test_sigterm_kills_deaf_work_before_ten_seconds_are_over(host):
    host.ready()
    (host.directory / "job.deaf").touch()
    host.ring("job", 60)
    host.wait("job", "start", SOON)
    host.processes()
    host.popen.terminate()
    assert 4 < ended(host, 10) < 9


def test_a_second_signal_ends_it_at_once(host):
    host.ready()
    (host.directory / "job.deaf").touch()
    host.ring("job", 60)
    host.wait("job", "start", SOON)
    host.processes()
    host.popen.send_signal(signal.SIGINT)
    stays(lambda: host.popen.poll() is None, 0.3, "it waits for the job")
    host.popen.send_signal(signal.SIGINT)
    assert ended(host, SOON) < 3


def test_when_the_supervisor_is_killed_its_cluster_ends_by_itself_frozen_parts_too(host):
    main = host.ready()
    host.ring("job", 60)
    host.wait("job", "start", SOON)
    host.processes()
    os.kill(until(lambda: host.roles("qc-idle", main), 5)[0], signal.SIGSTOP)
    host.popen.kill()
    print("seconds:", round(ended(host, SOON), 2))
    # It got the time to hand over.
    assert handed_over(host, "job"), host.events("job")


def test_a_ring_is_undone_with_its_transaction(host):
    host.ready()
    with suppress(ZeroDivisionError), transaction.atomic():
        host.ring("never", 0)
        raise ZeroDivisionError
    (host.directory / "never.todo").unlink()
    host.ring("job", 0)
    host.wait("job", "end", SOON)
    assert host.events("never") == []


def test_a_job_whose_ring_was_lost_is_found_by_the_sweep_though_another_sweeper_fails(host):
    host.ready()
    host.ring("job", 0, sweep_only=True)
    host.wait("job", "end", SOON)
    assert host.said("one broken sweeper must not stop the others")


def test_a_failing_task_is_noted_once_and_not_run_again(host):
    from django_q.models import OrmQ, Task

    host.ready()
    engine.wake("tests.engine.workapp.tasks.fail", "job")
    until(lambda: Task.objects.filter(success=False).count(), SOON)
    host.ring("job", 0)
    host.wait("job", "end", SOON)
    assert Task.objects.get().attempt_count == 1
    # The sweep of this host may have rung for the job once more meanwhile; that ring is taken too.
    until(lambda: not OrmQ.objects.exclude(key__startswith="beat:").exists(), SOON)


def test_health_counts_live_workers_and_tells_the_latency(host):
    main = host.ready()
    found = until(lambda: (found := engine.health()).latency_ms is not None and found, SOON)
    assert (found.clusters, found.workers) == (1, 2)
    assert found.latency_ms < 2000
    row = EngineCluster.objects.get()
    assert (row.pid, row.draining) == (main, False)


def test_a_cluster_that_cannot_start_is_tried_again_and_again_more_slowly(new_host):
    host = new_host(DJANGO_SETTINGS_MODULE="tests.engine.workapp.no_cluster").start()
    until(lambda: host.log.exists() and host.log.read_text().count("cluster is replaced") >= 3, 15, host.log.read_text)
    assert host.popen.poll() is None
    times = [line for line in host.log.read_text().splitlines() if "cluster started" in line]
    assert len(times) <= 5


def test_two_hosts_share_the_work_and_each_proves_its_own_cluster(new_host):
    one, two = new_host().start(), new_host().start()
    two.variables["TEST_LEDGER"] = str(one.directory)
    one.ready()
    two.ready()
    until(lambda: EngineCluster.objects.filter(beat_at__isnull=False).count() == 2, SOON)
    stays(lambda: [host.log.read_text().count("cluster started") for host in (one, two)] == [1, 1], 3.5)


@pytest.mark.skipif("connection.vendor != 'sqlite'")
def test_a_database_that_cannot_be_written_is_waited_for_on_sqlite(host):
    """Somebody holds the write lock for longer than a heartbeat may be late."""
    main = host.ready()
    until(lambda: engine.health().clusters, SOON)
    with transaction.atomic():
        EngineCluster.objects.update(host="held")
        stays(lambda: host.roles("qc-main") == [main], 4.5, every_s=0.2)
    host.ring("job", 0)
    host.wait("job", "end", SOON)
    assert host.roles("qc-main") == [main]


@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_a_database_that_is_away_is_waited_for_on_postgresql(new_host):
    port = int(connection.settings_dict["PORT"] or 5432)
    proxy = Proxy(port)
    try:
        host = new_host(DATABASE_URL=database_url().replace(f":{port}/", f":{proxy.port}/")).start()
        main = host.ready()
        until(lambda: engine.health().clusters, SOON)
        proxy.cut()
        stays(lambda: host.roles("qc-main") == [main], 4.5, every_s=0.2)
        proxy.open = True
        at = time.monotonic()
        host.ring("job", 0)
        host.wait("job", "end", SOON)
        print("seconds:", round(time.monotonic() - at, 2))
        stays(lambda: host.roles("qc-main") == [main], 3.5, host.log.read_text, every_s=0.2)
        assert proc.look(main)
    finally:
        proxy.close()
