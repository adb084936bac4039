"""When a cluster is replaced, and when a replaced one may be killed: the rules, as a table."""
import pytest

from gs2admin.processes.backoff import Backoff
from gs2admin.processes.faults import Beats, Facts, fault, may_kill

LATE = 20.0


def facts(**changes) -> Facts:
    """A healthy cluster of two workers, a minute old, last judged fairly half a minute ago."""
    usual = {"now": 100.0, "started": 40.0, "fair_since": 70.0, "complete": True, "workers": 2,
             "beats": Beats(at=99.0, heartbeat_age=2.0)}
    return Facts(**{**usual, **changes})


def beats(heartbeat_age=2.0, at=99.0, **workers) -> Beats:
    return Beats(at=at, heartbeat_age=heartbeat_age, workers={int(pid[1:]): age for pid, age in workers.items()})


@pytest.mark.parametrize("found, why", [
    (facts(), ""),
    (facts(exit_code=0), "its main process ended with code 0"),
    (facts(exit_code=-9), "its main process ended with code -9"),
    (facts(lost=("worker 12",)), "died: worker 12"),
    (facts(frozen={"pusher 9": 19.0}), ""),
    (facts(frozen={"pusher 9": 21.0}), "frozen: pusher 9"),
    (facts(complete=False, started=50.0, beats=None), ""),
    (facts(complete=False, started=39.0, beats=None), "it did not start"),
    (facts(beats=beats(heartbeat_age=21.0)), "no heartbeat for 21 s"),
    (facts(beats=beats(heartbeat_age=None)), "no heartbeat"),
    # It became fair to expect one only a moment ago.
    (facts(beats=beats(heartbeat_age=21.0), fair_since=90.0), ""),
    # The database has not answered for a while: nobody is judged.
    (facts(beats=beats(heartbeat_age=21.0, at=84.0)), ""),
    (facts(beats=None), ""),
    # All workers are busy and say so: no heartbeat can get through.
    (facts(beats=beats(heartbeat_age=500.0, p1=1.0, p2=2.0), busy=frozenset({1, 2})), ""),
    # One of them is free: then it should have.
    (facts(beats=beats(heartbeat_age=500.0, p1=1.0), busy=frozenset({1})), "no heartbeat for 500 s"),
    # A busy one is silent, though heartbeats get through by the other.
    (facts(beats=beats(p1=21.0), busy=frozenset({1})), "worker 1 is busy and does not beat"),
    # It said so long ago, and is not busy any more.
    (facts(beats=beats(p1=21.0)), ""),
])
def test_why_a_cluster_is_replaced(found, why):
    assert fault(found, LATE) == why


@pytest.mark.parametrize("found, draining_for, allowed", [
    (facts(), 0.0, True),
    (facts(busy=frozenset({1}), beats=beats(p1=1.0)), 299.0, False),
    (facts(busy=frozenset({1}), beats=beats(p1=1.0)), 301.0, True),
    # Frozen, or stuck.
    (facts(busy=frozenset({1}), beats=beats(p1=21.0)), 0.0, True),
    # A short task that never beats.
    (facts(busy=frozenset({1}), beats=beats()), 19.0, False),
    (facts(busy=frozenset({1}), beats=beats()), 21.0, True),
    # The database is away: whoever is busy is taken for innocent.
    (facts(busy=frozenset({1}), beats=beats(at=50.0, p1=21.0)), 60.0, False),
])
def test_when_a_replaced_cluster_may_be_killed(found, draining_for, allowed):
    assert may_kill(found, draining_for=draining_for, late_s=LATE, drain_s=300.0) is allowed


def test_starting_again_waits_longer_each_time_and_forgets_after_a_good_while():
    backoff = Backoff(60.0)
    assert [backoff.failed(1.0) for _ in range(7)] == [0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0]
    assert backoff.failed(61.0) == 0.0
