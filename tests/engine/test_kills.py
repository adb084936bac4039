"""Whatever part of a cluster is killed, the work goes on, running work is not harmed, and nothing is left behind."""
import os
import signal
import time

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from gs2admin import engine
from gs2admin.engine.models import EngineChore
from gs2admin.processes import proc
from tests.conditions import stays, until
from tests.engine.conftest import Host

pytestmark = pytest.mark.processes
# A new cluster starts in about a second; the machine may be busy.
SOON = 8


def killed(host: Host, pid: int, number: int = signal.SIGKILL) -> float:
    """Signal it; the time of it."""
    os.kill(pid, number)
    return time.monotonic()


def replaced(host: Host, old: int, seconds: float) -> int:
    """Wait until another cluster is whole and the old one is gone with all its parts; the new main pid."""
    new = until(lambda: next((pid for pid in host.roles("qc-main") if pid != old), 0), seconds, "a new cluster")
    until(lambda: not [look for look in host.processes() if look.group == old], seconds, "the old cluster's end")
    return new


@pytest.mark.parametrize("part", ["qc-idle", "qc-pusher", "qc-main"])
def test_killing_a_part_replaces_the_cluster_and_harms_no_running_work(host, part):
    """qc-idle is the worker that holds the queue's read lock: the only idle one. Stock, each of these ends in silence."""
    main = host.ready()
    host.ring("innocent", 60)
    host.wait("innocent", "start", SOON)
    until(lambda: host.roles("qc-busy", main), 2)
    at = killed(host, until(lambda: host.roles(part, main), 5)[0])
    host.ring("next", 0)
    host.wait("next", "end", SOON)
    print("seconds:", round(time.monotonic() - at, 2))
    replaced(host, main, SOON)
    # It was not killed in the middle: it was asked, it handed over, and another worker goes on with it.
    until(lambda: host.events("innocent")[:3] == ["start", "handover", "start"], SOON, lambda: host.events("innocent"))


def test_killing_a_busy_worker_hands_its_work_to_another_as_soon_as_the_lease_ends(host):
    main = host.ready()
    host.ring("job", 60)
    host.wait("job", "start", SOON)
    at = killed(host, host.pid_of("job"))
    until(lambda: host.events("job")[:2] == ["start", "start"], SOON, lambda: host.events("job"))
    print("seconds:", round(time.monotonic() - at, 2))
    replaced(host, main, SOON)


@pytest.mark.parametrize("number, seconds", [(signal.SIGKILL, SOON), (signal.SIGSTOP, 3 + SOON)])
def test_killing_or_freezing_the_process_that_sweeps_starts_another_and_touches_no_cluster(host, number, seconds):
    main = host.ready()
    old = host.roles("gs-chores")[0]
    at = killed(host, old, number)
    until(lambda: host.roles("gs-chores") not in ([], [old]), seconds)
    host.ring("lost", 0, sweep_only=True)
    host.wait("lost", "end", SOON)
    print("seconds:", round(time.monotonic() - at, 2))
    # Nobody was judged by what was not asked meanwhile; and the cluster is known to the new one.
    until(lambda: engine.health().clusters == 1, SOON)
    assert host.roles("qc-main") == [main]


def test_a_dead_workers_label_is_given_to_the_undertakers(host):
    main = host.ready()
    host.ring("job", 60)
    host.wait("job", "start", SOON)
    pid = host.pid_of("job")
    killed(host, pid)
    until(lambda: [line for line in (host.directory / "events").read_text().splitlines()
                   if line.split()[0].endswith(f":{pid}") and line.split()[1] == "buried"], SOON)
    replaced(host, main, SOON)


def test_sigterm_to_the_whole_group_while_idle_ends_it_and_a_new_one_serves(host):
    """systemd's default. Stock, the main process hangs in 17 of 18 cases."""
    main = host.ready()
    os.killpg(main, signal.SIGTERM)
    at = time.monotonic()
    host.ring("next", 0)
    host.wait("next", "end", SOON)
    print("seconds:", round(time.monotonic() - at, 2))
    replaced(host, main, SOON)


def test_sigterm_to_the_whole_group_lets_busy_workers_hand_over(host):
    main = host.ready()
    host.ring("innocent", 60)
    host.wait("innocent", "start", SOON)
    os.killpg(main, signal.SIGTERM)
    new = replaced(host, main, SOON)
    # A worker that the old cluster forks after the signal knows nothing of it; it too hands over, once the supervisor asks.
    until(lambda: host.events("innocent")[-1] == "start" and os.getpgid(host.pid_of("innocent")) == new, SOON,
          lambda: host.events("innocent"))  # fmt: skip
    events = host.events("innocent")
    assert events == (["start", "handover"] * len(events))[: len(events)] and 3 <= len(events) <= 5


@pytest.mark.parametrize("part", ["qc-busy", "qc-idle", "qc-pusher", "qc-main"])
def test_freezing_a_part_counts_as_its_death_after_the_lateness(host, part):
    main = host.ready()
    host.ring("frozen" if part == "qc-busy" else "innocent", 60)
    until(lambda: host.roles("qc-busy", main), SOON)
    at = killed(host, until(lambda: host.roles(part, main), 5)[0], signal.SIGSTOP)
    new = replaced(host, main, 3 + SOON)
    host.ring("next", 0)
    host.wait("next", "end", SOON)
    print("seconds:", round(time.monotonic() - at, 2))
    assert host.roles("qc-main") == [new]


def test_a_worker_frozen_in_a_transaction_keeps_its_locks_no_longer_than_the_lateness(host):
    """On SQLite nobody can write then: not the innocent worker beside it, not the supervisor, which must need no database."""
    main = host.ready()
    host.ring("innocent", 60)
    host.wait("innocent", "start", SOON)
    EngineChore.objects.create(name="held", ran_at=timezone.now())
    engine.wake("tests.engine.workapp.tasks.freeze", "held")
    host.wait("held", "frozen", SOON)
    at = time.monotonic()
    EngineChore.objects.filter(name="held").update(ran_at=Now())
    took = time.monotonic() - at
    print("seconds without writes:", round(took, 2))
    assert took < 3 + 5
    replaced(host, main, SOON)
    host.ring("next", 0)
    host.wait("next", "end", SOON)
    assert host.events("held") == ["frozen"]


def test_a_busy_cluster_is_not_dead(host):
    """With every worker at work no heartbeat gets through, for longer than the lateness."""
    main = host.ready()
    host.ring("one", 60)
    host.ring("two", 60)
    host.wait("one", "start", SOON)
    host.wait("two", "start", SOON)
    stays(lambda: host.roles("qc-main") == [main], 4.5, every_s=0.2)
    (host.directory / "one.stop").touch()
    host.wait("one", "end", SOON)
    # Idle again, it has its full time for the next heartbeat.
    stays(lambda: host.roles("qc-main") == [main], 3.5, every_s=0.2)
    assert host.events("two") == ["start"]


def test_work_that_does_not_hand_over_is_killed_after_the_drain_time(new_host):
    host = new_host(GS2ADMIN_DRAIN_S="2", GS2ADMIN_LATE_S="3").start()
    main = host.ready()
    host.ring("stubborn", 60)
    (host.directory / "stubborn.deaf").touch()
    host.wait("stubborn", "start", SOON)
    killed(host, host.roles("qc-pusher", main)[0])
    at = time.monotonic()
    replaced(host, main, SOON)
    assert time.monotonic() - at >= 1.5
    assert "handover" not in host.events("stubborn")[:2]


def test_what_a_dead_worker_had_started_dies_with_it(host):
    """Its row goes on elsewhere: nothing may act for it twice."""
    main = host.ready()
    host.ring("parent", 60)
    (host.directory / "parent.child").touch()
    child = until(lambda: [line for line in (host.directory / "events").read_text().splitlines() if " child:" in line], SOON)
    pid = int(child[0].split()[1].removeprefix("child:"))
    until(lambda: proc.look(pid), 2)
    killed(host, host.pid_of("parent"))
    until(lambda: proc.look(pid) is None, SOON, "the child's end")
    replaced(host, main, SOON)
