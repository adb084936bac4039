"""A turn of several queues: what was run ahead is written for those who hold the queue, in order, once; the rest is claimed first."""
from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import transaction

from jobqueue import sql
from jobqueue.execution import ahead, attempt, calls, together, turns
from jobqueue.models import Job, JobResult, Namespace, Queue, Script, ScriptNamespace, Tally
from jobqueue.scripting import pool
from jobqueue.sql import Done, Held, Over

pytestmark = pytest.mark.django_db
OLD = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _quick(auto, monkeypatch):
    """No job of the namespace takes long, and nothing is remembered of other tests."""
    Namespace.objects.update(slow_until=OLD)
    ahead._apart.clear(), together._counts.clear()
    monkeypatch.setattr(turns, "LOOKS", 0)


@pytest.fixture(scope="module", autouse=True)
def _runner():
    yield
    pool.runner().close()


@pytest.fixture
def take(auto):
    def act(count: int = 10) -> dict[str, Held]:
        with transaction.atomic():
            return {one.user_id: one for one in sql.take_ready(auto.pk, count, 60, "w")}

    return act


@pytest.fixture
def script(project):
    """script(name, source) is a script of the namespace default."""
    place = ScriptNamespace.objects.create(project=project, name="default")
    return lambda name, source: Script.objects.create(namespace=place, name=name, source=source)


def done_of(job, **other) -> Done:
    return Done(job.pk, job.queue_id, 0, f'{{"job":{job.pk}}}', "", 7, None, job.script_id)._replace(**other)


def write(namespace, held, *done) -> dict[int, int]:
    with transaction.atomic():
        return dict(sql.write_done(namespace.pk, list(held), list(done)))


def states(*jobs) -> list[tuple[str, int]]:
    return [(row.state, row.try_count) for row in (Job.objects.get(pk=job.pk) for job in jobs)]


# ── statements ──────────────────────────────────────────────────────────────────────────────────────────────


def test_queues_are_taken_that_wait_longest_and_their_first_jobs_are_read_in_order(auto, manual, push, take):
    jobs = {user: [push(auto, f"s{number}", user=user) for number in range(3)] for user in "abc"}
    push(manual, user="a")
    Queue.objects.filter(user_id="c").update(woken_at=OLD)
    Queue.objects.filter(user_id="b").update(next_at=OLD)
    held = take()
    assert list(held) == ["c", "a"] and [one.last_was_lost for one in held.values()] == [False, False]
    assert take() == {}, "they have a holder"
    Job.objects.filter(pk=jobs["c"][1].pk).update(state="done")
    found = sql.first_jobs([one.queue_id for one in held.values()], 2)
    assert {queue: [job.id for job in some] for queue, some in found.items()} == {
        held["a"].queue_id: [job.pk for job in jobs["a"][:2]], held["c"].queue_id: [jobs["c"][0].pk, jobs["c"][2].pk]}


def test_what_ran_well_is_done_with_a_try_a_result_and_a_count(auto, push, take):
    jobs = [push(auto, script, user=user) for user in "ab" for script in ("s", "s", "t")]
    beside = push(auto, user="beside")
    Job.objects.update(updated_at=OLD)
    held = take()
    found = write(auto, held.values(), *map(done_of, jobs))
    assert found == {held["a"].queue_id: 3, held["b"].queue_id: 3}
    assert set(states(*jobs)) == {("done", 1)} and states(beside) == [("waiting", 0)]
    assert not Job.objects.filter(pk__in=[job.pk for job in jobs], updated_at=OLD).exists()
    rows = JobResult.objects.order_by("id").values_list("job", "try_number", "status_code", "result", "took_ms")
    assert list(rows) == [(job.pk, 0, 200, f'{{"job":{job.pk}}}', 7) for job in jobs], "in the order of the jobs"
    assert list(Tally.objects.order_by("script").values_list("script", "ok", "failed", "given_up", "took_ms")) == [
        ("s", 4, 0, 0, 28), ("t", 2, 0, 0, 14)]


@pytest.mark.parametrize("given", [
    {"state": "running", "try_count": 1}, {"state": "done"}, {"try_count": 1}, {"try_count": 3}, None,
])  # fmt: skip
def test_a_job_that_does_not_wait_any_more_is_left_out_and_those_beside_it_are_not(auto, push, take, given):
    first, changed, last = (push(auto) for _ in range(3))
    held = take()
    rows = Job.objects.filter(pk=changed.pk)
    rows.update(**given) if given else rows.delete()
    before = list(rows.values())
    tries = 3 if given == {"try_count": 3} else 0
    assert write(auto, held.values(), done_of(first), done_of(changed, tries=tries), done_of(last)) == {held["u"].queue_id: 2}
    assert list(rows.values()) == before and JobResult.objects.count() == 2 and Tally.objects.get().ok == 2


HOLDS_BACK = {
    "auto-run is off": {"enable_auto_run": False}, "its namespace closes": {"status": "DELETING"}, "it is paused": {"paused_at": OLD},
}  # fmt: skip


@pytest.mark.parametrize("why", [*HOLDS_BACK, "another holds one of them"])
def test_nothing_is_written_for_who_does_not_hold_the_queue_or_while_the_server_runs_no_jobs(auto, push, take, why):
    mine, theirs = push(auto, user="mine"), push(auto, user="theirs")
    held = take()
    if why in HOLDS_BACK:
        Namespace.objects.filter(pk=auto.pk).update(**HOLDS_BACK[why])
        assert write(auto, held.values(), done_of(mine), done_of(theirs)) == {}
    else:
        Queue.objects.filter(user_id="theirs").update(fence=2)
        assert write(auto, held.values(), done_of(mine), done_of(theirs)) == {mine.queue_id: 1}
    assert states(theirs) == [("waiting", 0)] and JobResult.objects.count() == Tally.objects.count() == int(why not in HOLDS_BACK)
    assert not JobResult.objects.filter(job=theirs).exists()


def test_leases_end_with_what_was_done_subtracted_and_others_do_not(auto, push, take):
    jobs = {user: [push(auto, user=user), push(auto, user=user)] for user in "abcd"}
    held = take()
    Queue.objects.update(woken_at=OLD)
    Queue.objects.filter(user_id="d").update(fence=9)
    Job.objects.filter(pk__in=[jobs["a"][0].pk, *(job.pk for job in jobs["b"])]).update(state="done")
    ends = [Over(held["a"].queue_id, 1, 1, True), Over(held["b"].queue_id, 1, 2, True), Over(held["d"].queue_id, 1, 2, True)]
    before = Queue.objects.filter(user_id__in="cd").order_by("pk").values()
    kept = list(before)
    with transaction.atomic():
        locked, left = sql.release_all(ends)
    assert left and [one.queue_id for one in locked] in ([], [held["d"].queue_id]) and list(before.all()) == kept
    a, b = Queue.objects.get(user_id="a"), Queue.objects.get(user_id="b")
    assert (a.waiting, a.draining, a.head_at, a.lease_until, a.let_go_fence) == (1, True, jobs["a"][1].created_at, None, 1)
    assert (b.waiting, b.draining, b.head_at, b.lease_until, b.let_go_fence) == (0, False, None, None, 1)
    assert a.woken_at > OLD < b.woken_at
    with transaction.atomic():
        sql.release_all([Over(held["c"].queue_id, 1, 0, False)])
    assert Queue.objects.get(user_id="c").woken_at == OLD, "it had no turn, and keeps its place"


# ── turns ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_jobs_of_several_players_are_run_in_their_order_and_each_queue_is_let_go(auto, push, script, monkeypatch):
    script("s", "result = { n = args.n }")
    monkeypatch.setattr(attempt, "perform", lambda **_: pytest.fail("none has to be claimed first"))
    jobs = [push(auto, user=f"u{number % 3}", args=f'{{"n": {number}}}') for number in range(12)]
    turns.drain(0)
    assert states(*jobs) == [("done", 1)] * 12
    assert [JobResult.objects.get(job=job).result for job in jobs] == [f'{{"n":{number}}}' for number in range(12)]
    for queue in Queue.objects.all():
        assert (queue.waiting, queue.draining, queue.lease_until, queue.fence) == (0, False, None, 1)
        ids = list(JobResult.objects.filter(job__queue=queue).order_by("id").values_list("job", flat=True))
        assert ids == sorted(ids)


@pytest.mark.parametrize("source", ["gs2('lock').get_mutex({ propertyId = 'p' }) result = { n = 1 }", "fail(500, 'no')"])
def test_a_job_that_calls_or_fails_is_claimed_before_it_is_run_for_good(auto, push, script, monkeypatch, source):
    script("good", ""), script("s", source)
    first, mine, behind = push(auto, "good"), push(auto, "s"), push(auto, "good")
    seen, perform = [], attempt.perform
    monkeypatch.setattr(attempt, "perform", lambda **how: seen.append(states(first, mine, behind)) or perform(**how))
    called = []
    monkeypatch.setattr(calls, "call", lambda *given: called.append(states(mine)) or (200, "{}"))
    turns.drain(0)
    assert seen[0] == [("done", 1), ("running", 1), ("waiting", 0)]
    fails = source.startswith("fail")
    assert called == ([] if fails else [[("running", 1)]]), "the call is carried out once"
    assert states(first, mine, behind) == [("done", 1), *([("waiting", 1), ("waiting", 0)] if fails else [("done", 1)] * 2)]


def test_a_queue_whose_holder_was_lost_is_served_with_claims(auto, push, script, take, forget_holder, monkeypatch):
    script("s", "")
    lost, sound = push(auto, user="lost"), push(auto, user="sound")
    held = take(1)["lost"]
    sql.claim_first(held.queue_id, held.fence)
    forget_holder(lost.queue)
    asked, real, seen = [], ahead.run, []
    monkeypatch.setattr(ahead, "run", lambda project, users, jobs: asked.append(sorted(users.values())) or real(project, users, jobs))
    perform = attempt.perform
    monkeypatch.setattr(attempt, "perform", lambda **how: seen.append(how["user_id"]) or perform(**how))
    turns.drain(0)
    assert asked == [["sound"]] and states(sound) == [("done", 1)]
    assert states(lost) == [("waiting", 1)] or seen == ["lost"], "the lost attempt counts, and the next one is claimed"


@pytest.mark.parametrize("lost", [False, True])
def test_what_was_run_ahead_is_dropped_when_the_queue_was_taken_over_meanwhile(auto, push, script, monkeypatch, lost):
    script("s", "")
    job, real = push(auto), ahead.run

    def frozen(*given):
        found = real(*given)
        assert [one.job_id for one in found.done] == [job.pk]
        if lost:
            Queue.objects.update(fence=7, leased_by="another")
        return found

    monkeypatch.setattr(ahead, "run", frozen)
    together.turn(sql.ready()[0])
    assert states(job) == ([("waiting", 0)] if lost else [("done", 1)]) and JobResult.objects.count() == int(not lost)
    assert (Queue.objects.get().lease_until is not None) is lost, "the lease of the other stays"
