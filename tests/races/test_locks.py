"""Mutexes between real processes: a small version of bench/locks_check.py, and crowds at one door."""
from __future__ import annotations

import json
import threading
import time

import pytest

from bench.locks_check import Plan, play
from gs2admin.errors import Conflict, Unavailable
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential
from locks import sql, stats
from locks.models import Holding, Mutex
from locks.services import lock, unlock
from locks.services.namespaces import create_namespace
from tests.races.conftest import together

pytestmark = pytest.mark.processes
SETTINGS = {"WORKERS": "1", "JOB_WORKERS": "0"}


def test_no_history_contradicts_one_mutex_while_web_workers_are_killed(serve, project, record_property):
    create_namespace(actor=SYSTEM, project=project, name="checked")
    row, secret = create_credential(actor=SYSTEM, project=project, name="game")
    server = serve(**SETTINGS)
    plan = Plan(clients=12, calls=900, properties=4, ttl_s=(1, 1), kill_every_s=1.0, think_s=0.1)
    outcome = play(server, "checked", server.project_token(row.client_id, secret), plan)
    record_property("kills", outcome.kills)
    # Whole, not as pytest shortens it: which answers contradict each other is what matters.
    assert outcome.verdict.ok, "\n".join(map(str, [outcome.verdict.mutex, outcome.verdict.explained, *outcome.verdict.stuck]))
    assert outcome.kills and outcome.lost and outcome.acquires > 20
    assert not [problem for problem in outcome.problems if " 503 " not in problem], outcome.problems
    # The database's own account: one holding per token, none missing below the newest.
    for mutex in Mutex.objects.all():
        told = list(Holding.objects.filter(mutex=mutex).order_by("revision").values_list("revision", flat=True))
        assert told == list(range(1, mutex.revision + (mutex.counter == 0)))


def test_of_many_processes_one_holds_at_a_time(in_processes, project, transactional_db):
    """Each does its work in the block and writes what it saw; two at once would see each other."""
    code = f"""
from locks.services import locked
from locks.models import LockNamespace
from gs2admin.identity.models import Project
for _ in range(10):
    with locked("work", ttl_s=20, wait_s=50) as lease:
        Project.objects.filter(pk={project.pk}).update(region="busy-" + str(lease.fence))
        seen = {{Project.objects.values_list("region", flat=True).get(pk={project.pk}) for _ in range(5)}}
        print(lease.fence, int(seen == {{"busy-" + str(lease.fence)}}))
"""
    lines = [line.split() for text in in_processes(code, count=4) for line in text.split("\n") if line]
    assert len(lines) == 40 and {alone for _, alone in lines} == {"1"}, json.dumps(lines)[:2000]
    assert sorted(int(fence) for fence, _ in lines) == list(range(1, 41))


def test_a_new_mutex_that_all_want_at_once_has_one_holder(in_processes, project, transactional_db):
    create_namespace(actor=SYSTEM, project=project, name="rush")
    code = """
import os
from gs2admin.errors import Conflict, Unavailable
from gs2admin.identity.actors import SYSTEM
from locks.models import LockNamespace
from locks.services import lock
space = LockNamespace.objects.get(name="rush")
for number in range(30):
    try:
        lock(actor=SYSTEM, namespace=space, user_id="u", property_id=str(number), transaction_id=str(os.getpid()), ttl_s=60)
        print(number)
    except Conflict:
        pass
"""
    won = [int(line) for text in in_processes(code, count=4) for line in text.split("\n") if line]
    assert sorted(won) == list(range(30))
    assert set(Mutex.objects.values_list("counter", "revision")) == {(1, 1)}


def test_tokens_rise_while_rows_are_removed_under_the_lockers(transactional_db, project, monkeypatch):
    """The cleaner takes the free row away again and again; whoever locks next makes it anew, above all before."""
    monkeypatch.setattr(stats._counts, "_see_to_writing", lambda: None)
    namespace = create_namespace(actor=SYSTEM, project=project, name="swept")
    more = {"actor": SYSTEM, "namespace": namespace, "user_id": "u", "property_id": "p"}
    tokens, removed, ended = [], [], threading.Event()

    def work(who: str) -> None:
        mine, deadline = 0, time.monotonic() + 60
        while (mine < 25 or sum(removed) <= 5) and time.monotonic() < deadline:
            try:
                state = lock(**more, transaction_id=who, ttl_s=60)
            except (Conflict, Unavailable):
                continue
            tokens.append(state.revision)  # while it is held, so the order is that of the holdings
            unlock(**more, transaction_id=who)
            mine += 1
            ended.wait(0.002)  # the cleaner is to get its turn

    def sweep() -> None:
        while not ended.is_set():
            ids = list(Mutex.objects.values_list("pk", flat=True))
            removed.append(sql.remove(namespace.pk, ids, idle_since_ms=10**15))

    def crew() -> list[Exception]:
        try:
            return [problem for problem in together(*(lambda who=who: work(who) for who in "abc")) if problem]
        finally:
            ended.set()

    problems = [problem for problem in together(crew, sweep) if problem]
    assert not problems and len(tokens) >= 75
    assert tokens == sorted(set(tokens)), "each is higher than all before"
    assert sum(removed) > 5, "nothing was removed under them"
