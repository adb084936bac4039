"""How many jobs may wait in a namespace, whoever pushes or replays them, and how seldom that is counted."""
from __future__ import annotations

import pytest

from gs2admin.errors import Quota
from gs2admin.identity.actors import SYSTEM
from jobqueue import sql
from jobqueue.models import Job, Queue
from jobqueue.services import Entry, push_jobs, replay_jobs, room, run_next

pytestmark = pytest.mark.django_db


def many(namespace, count: int, user: str = "u") -> None:
    push_jobs(actor=SYSTEM, namespace=namespace, user_id=user, entries=[Entry("s")] * count)


def test_beyond_the_cap_a_push_is_refused_whole(manual, settings):
    settings.JOB_WAITING = 24
    many(manual, 10), many(manual, 10, "v")
    with pytest.raises(Quota, match="nothing was pushed"):
        many(manual, 5)
    assert Job.objects.count() == 20 == sum(Queue.objects.values_list("waiting", flat=True))
    many(manual, 4)
    with pytest.raises(Quota):
        many(manual, 1, "w")
    assert Job.objects.count() == 24 and not Queue.objects.filter(user_id="w").exists()


def test_room_comes_back_when_jobs_have_run(manual, settings, scripts, monkeypatch):
    settings.JOB_WAITING = 10
    monkeypatch.setattr(room, "REFUSED_S", 0.0)
    many(manual, 10)
    with pytest.raises(Quota):
        many(manual, 1)
    run_next(actor=SYSTEM, namespace=manual, user_id="u")
    many(manual, 1)


def test_replays_need_room_too(manual, settings, scripts):
    settings.JOB_WAITING = 10
    scripts.on["s"] = lambda _: 500
    push_jobs(actor=SYSTEM, namespace=manual, user_id="u", entries=[Entry("s", max_try_count=1)])
    dead = run_next(actor=SYSTEM, namespace=manual, user_id="u").job
    many(manual, 10)
    with pytest.raises(Quota):
        replay_jobs(actor=SYSTEM, namespace=manual, jobs=[dead])
    assert Job.objects.count() == 11


def test_far_from_the_cap_pushes_are_not_counted(manual, django_assert_num_queries, monkeypatch):
    counted = []
    real = sql.waiting_in
    monkeypatch.setattr(room._rooms, "ttl_s", 3600)  # whatever else the machine does
    monkeypatch.setattr(sql, "waiting_in", lambda pk: counted.append(pk) or real(pk))
    for number in range(50):
        many(manual, 10, f"u{number}")
    assert len(counted) == 1
    room.forget()


def test_a_process_adds_no_more_than_its_share_of_the_room_before_it_counts_again(manual, settings, monkeypatch):
    """Sixteen processes that counted at the same moment may together add what was free, and no more."""
    settings.JOB_WAITING = 160
    monkeypatch.setattr(room._rooms, "ttl_s", 3600)
    counted, real = [], sql.waiting_in
    monkeypatch.setattr(sql, "waiting_in", lambda pk: counted.append(real(pk)) or counted[-1])
    for _ in range(32):
        many(manual, 1)
    assert counted[0] == 0
    assert all(later - earlier <= (settings.JOB_WAITING - earlier) // room.SHARE for earlier, later in zip(counted, counted[1:], strict=False))
    assert 4 <= len(counted) <= 8


def test_a_client_that_goes_on_pushing_to_a_full_namespace_is_refused_without_a_count(manual, settings, monkeypatch):
    settings.JOB_WAITING = 10
    many(manual, 10)
    counted = []
    real = sql.waiting_in
    monkeypatch.setattr(room, "REFUSED_S", 0.9)
    monkeypatch.setattr(sql, "waiting_in", lambda pk: counted.append(pk) or real(pk))
    for _ in range(20):
        with pytest.raises(Quota):
            many(manual, 1)
    assert len(counted) <= 2
