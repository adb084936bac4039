"""Whose turn it is: by project, namespace and player, whatever anybody floods; and what keeps a flood small."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django_q.models import OrmQ

from gs2admin import engine
from gs2admin.db.raw import raw_cursor
from gs2admin.engine import waking
from jobqueue import sql
from jobqueue.execution import drain as drains
from jobqueue.execution import together, turns
from jobqueue.execution.shares import KEPT, Level, Shares
from jobqueue.models import Namespace
from jobqueue.sql import Ready
from jobqueue.sql.ready import _READY
from jobqueue.sql.text import raw_text

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.setattr(turns, "_shares", Shares())


@pytest.fixture
def one_turn(monkeypatch):
    """one_turn() is what a worker does that is woken once, for a single turn."""
    monkeypatch.setattr(turns, "TURNS_S", 0.0)
    monkeypatch.setattr(turns, "BRIEF_S", 0.0)
    monkeypatch.setattr(drains, "SLICE_S", 0.0)
    return lambda: turns.drain(0)


# ── The choice ──────────────────────────────────────────────────────────────────────────────────────────────


def served(ready: list[Ready], turns_s: dict[int, float], count: int) -> dict[int, float]:
    """The time that each namespace had after so many turns, each of the namespace's length."""
    shares, found = Shares(), dict.fromkeys(turns_s, 0.0)
    for _ in range(count):
        chosen = shares.choose(ready)
        shares.charge(chosen, turns_s[chosen.namespace_id])
        found[chosen.namespace_id] += turns_s[chosen.namespace_id]
    return found


@pytest.mark.parametrize("lengths", [(1, 1, 1), (1, 5, 0.2), (0.2, 3, 9)])
def test_projects_have_the_same_time_and_so_have_the_namespaces_of_one(lengths):
    ready = [Ready(1, 11, False, 1), Ready(1, 12, False, 2), Ready(2, 21, False, 3)]
    time = served(ready, dict(zip((11, 12, 21), lengths, strict=True)), 3000)
    longest = 2 * max(lengths)
    assert abs(time[11] - time[12]) <= longest and abs(time[11] + time[12] - time[21]) <= 2 * longest, time


def test_a_thousand_namespaces_of_one_project_have_no_more_than_one_of_another():
    ready = [Ready(1, number, False, number) for number in range(1000)] + [Ready(2, 5000, False, 5000)]
    time = served(ready, {one.namespace_id: 1.0 for one in ready}, 400)
    assert 199 <= time[5000] <= 201


def test_what_is_remembered_of_projects_and_namespaces_is_bounded():
    level = Level()
    for key in range(KEPT):
        level.charge(key, 1.0)
    level.charge(KEPT, 100.0)
    assert level.least([KEPT]) == KEPT
    level.charge(KEPT, 1.0)
    assert len(level._used) == 1, "who rested is forgotten: they begin where the others are anyway"
    shares = Shares()
    for project in range(KEPT + 50):
        shares.charge(Ready(project, project, False, project), 1.0)
    assert len(shares._namespaces) <= KEPT + 1


def test_who_rested_saves_no_time_up():
    shares, flood, other = Shares(), Ready(1, 1, False, 1), Ready(2, 2, False, 2)
    for _ in range(100):
        shares.charge(shares.choose([flood]), 1.0)
    assert shares.choose([flood, other]) == other
    turns_of_other = 0
    for _ in range(20):
        chosen = shares.choose([flood, other])
        turns_of_other += chosen == other
        shares.charge(chosen, 1.0)
    assert 9 <= turns_of_other <= 11


# ── The rows ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_flood_of_many_players_stands_in_nobodys_way(namespaces, push, scripts, one_turn):
    flood, near, far = namespaces
    for number in range(40):
        push(flood, user=f"p{number}")
    push(near, "near"), push(far, "far")
    for _ in range(4):
        one_turn()
    assert {"near", "far"} <= {script for _, script, _ in scripts.ran}, scripts.ran


def test_one_wake_gives_many_turns_and_wakes_again_for_what_is_left(namespaces, push, scripts, rings, monkeypatch):
    for number in range(5):
        push(namespaces[0], user=f"p{number}")
    rings.clear()
    turns.drain(0)
    assert len(scripts.ran) == 5 and len(rings) <= 1, "one for the others, while this worker is at the first queue"
    monkeypatch.setattr(turns, "TURNS_S", 0.0)
    push(namespaces[0], user="a"), push(namespaces[0], user="b")
    rings.clear()
    turns.drain(0)
    assert len(scripts.ran) == 6 and [task for task, _ in rings] == [drains.DRAIN]


def test_a_worker_whose_cluster_wants_to_end_gives_no_further_turn_and_wakes_another(namespaces, push, scripts, rings, monkeypatch):
    push(namespaces[0], user="a"), push(namespaces[0], user="b")
    rings.clear()
    monkeypatch.setattr(engine, "beat", lambda *_: True)
    turns.drain(0)
    assert len(scripts.ran) == 1 and [task for task, _ in rings] == [drains.DRAIN]


def test_the_place_for_long_work_is_given_back_whatever_the_turn_does(namespaces, push, scripts, one_turn, monkeypatch):
    places: list[int] = []
    monkeypatch.setattr(engine, "begin_long", lambda: places.append(1) or True)
    monkeypatch.setattr(engine, "end_long", lambda: places.pop())
    push(namespaces[0]), push(namespaces[0])
    one_turn()
    assert scripts.ran and places == []

    def broken(*_) -> bool:
        raise RuntimeError("the worker is lost")

    monkeypatch.setattr(drains, "drain", broken)
    monkeypatch.setattr(together, "turn", broken)
    with pytest.raises(RuntimeError):
        one_turn()
    assert places == []


def test_who_comes_too_late_for_a_queue_pays_a_little_and_looks_further_on(namespaces, push, monkeypatch):
    """Two workers that look at the same moment would else meet at every queue."""
    for number in range(9):
        push(namespaces[0], user=f"p{number}")
    charged, skips, ready = [], [], sql.ready
    Namespace.objects.update(slow_until=Now() - timedelta(seconds=1))
    monkeypatch.setattr(turns.sql, "ready", lambda skip=0: skips.append(skip) or ready(skip))
    monkeypatch.setattr(together, "turn", lambda chosen: None)
    monkeypatch.setattr(turns._shares, "charge", lambda chosen, seconds: charged.append(seconds))
    turns.drain(0)
    assert len(charged) > 3 and min(charged) >= turns.LEAST_S
    assert skips[0] == 0 and set(skips[1 : len(charged)]) <= set(range(1, turns.APART + 1))


def test_players_take_turns(namespaces, push, scripts, one_turn):
    for _ in range(3):
        push(namespaces[0], user="heavy")
    push(namespaces[0], user="light")
    for _ in range(4):
        one_turn()
    assert [user for user, *_ in scripts.ran] == ["heavy", "light", "heavy", "heavy"]


def test_one_worker_stays_free_of_jobs_that_take_long(namespaces, push, scripts, one_turn, monkeypatch):
    """flood is slow; the only place for long work is taken by another worker."""
    flood, near, _ = namespaces
    Namespace.objects.filter(pk=flood.pk).update(slow_until=Now() + timedelta(seconds=60))
    Namespace.objects.filter(pk=near.pk).update(slow_until=Now() - timedelta(seconds=1))
    monkeypatch.setattr(engine, "begin_long", lambda: False)
    push(flood, "slow"), push(near, "quick")
    for _ in range(3):
        one_turn()
    assert [script for _, script, _ in scripts.ran] == ["quick"]
    monkeypatch.setattr(engine, "begin_long", lambda: True)
    one_turn()
    assert [script for _, script, _ in scripts.ran] == ["quick", "slow"]


def test_a_long_job_is_noted_while_it_runs_and_a_quick_one_clears_a_new_namespace(namespaces, push, scripts, one_turn, monkeypatch):
    flood, near, _ = namespaces
    slow = lambda: {one.namespace_id: one.slow for one in sql.ready()}  # noqa: E731
    push(flood, "long"), push(near, "quick")
    assert slow() == {flood.pk: True, near.pk: True}, "nobody knows yet"
    monkeypatch.setattr(drains, "LONG_S", 5.0)
    one_turn(), one_turn()
    push(flood, "long")
    assert slow() == {flood.pk: False}

    def long(_) -> int:
        scripts.tick()
        assert Namespace.objects.filter(pk=flood.pk, slow_until__gt=Now()).exists()
        return 200

    scripts.on["long"] = long
    monkeypatch.setattr(drains, "LONG_S", 0.0)
    one_turn()
    assert len(scripts.ran) == 3


def test_which_queues_wait_is_read_from_one_index(namespaces, push):
    push(namespaces[0])
    explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
    with raw_cursor() as cursor:
        plan = " / ".join(str(row[-1]) for row in cursor.execute(explain + raw_text(_READY), (0,)).fetchall())
    assert plan.count("queue_ready") >= 2 and "queue_draining" not in plan and "Seq Scan on jobqueue_queue" not in plan, plan


# ── Wakes ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_drains_only_a_few_wait_in_the_queue_of_tasks_and_of_other_tasks_all(db, settings):
    for number in range(40):
        waking.push("jobqueue.tasks.drain", number)
        waking.push("jobqueue.chores.namespaces.finish_queue_namespace", number)
    assert OrmQ.objects.filter(key="jobs").count() == settings.TASK_BOUNDS["jobqueue.tasks.drain"]
    assert OrmQ.objects.filter(key="gs2admin").count() == 40
