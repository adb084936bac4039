"""The duplication avoider at its own function: what is the same call, what is stored, for how long, and who waits."""
from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.db.models import F
from django.utils import timezone

from gs2admin.engine.registry import CLEANERS
from gs2admin.errors import Conflict, Invalid, Unavailable
from gs2admin.identity.actors import Actor
from gs2admin.wire import idempotency
from gs2admin.wire.call import Call, CallContext
from gs2admin.wire.failures import Failure, Problem
from gs2admin.wire.models import DuplicateRecord
from gs2admin.wire.shapes import Shape
from gs2admin.wire.table import Method

pytestmark = pytest.mark.django_db
EACH_WAY = pytest.mark.parametrize("scripts", [False, True])


class Asked(Shape):
    user_id: str | None = None
    what: str = "x"


class Handler:
    """Counts its calls and answers with their number. does: run in each call, with the call."""

    count = 0

    def __init__(self, does=lambda call: None) -> None:
        self.does = does

    def __call__(self, call: Call, request: Asked) -> dict[str, int]:
        self.count += 1
        self.does(call)
        return {"n": self.count}


def refuse(error: BaseException):
    def does(call: Call) -> None:
        raise error

    return does


def method(handler: Handler, scripts: bool, **other) -> Method:
    facts = {"service": "job-queue", "component": "job", "function": "push", "verb": "POST", "path": "/x", "summary": ""}
    return Method(**(facts | other), request=Asked, result=Asked, handler=handler, runs_scripts=scripts)


@pytest.fixture
def call(project) -> Call:
    actor = Actor("credential", "1", "pipeline", {project.pk: "service"})
    return Call(CallContext("gs2"), actor, project, duplication_avoider="a")


def says(refusal) -> tuple[str, str]:
    return refusal.value.component, refusal.value.message


@EACH_WAY
def test_the_same_call_has_one_effect_and_one_answer(call, project, scripts):
    handler = Handler()
    asked = method(handler, scripts)
    assert [idempotency.once(asked, call, Asked()) for _ in range(3)] == [{"n": 1}] * 3 and handler.count == 1
    row = DuplicateRecord.objects.get()
    assert (row.project, row.method, row.user_id, row.lease_until) == (project, "job-queue.job.push", "", None)
    assert json.loads(row.answer) == {"n": 1} and len(row.key) == len(row.request_digest) == 64


@EACH_WAY
def test_another_project_method_user_or_avoider_is_another_call(call, other_project, scripts):
    handler = Handler()
    asked = method(handler, scripts)
    calls = [
        (asked, call, Asked()), (asked, replace(call, project=other_project), Asked()), (asked, replace(call, user_id="u"), Asked()),
        (asked, call, Asked(userId="v")), (asked, replace(call, duplication_avoider="b"), Asked()),
        (method(handler, scripts, service="script"), call, Asked()), (method(handler, scripts, function="run"), call, Asked()),
    ]  # fmt: skip
    for _ in range(2):
        assert [idempotency.once(*one)["n"] for one in calls] == [1, 2, 3, 4, 5, 6, 7]
    assert sorted(DuplicateRecord.objects.values_list("user_id", flat=True)) == [""] * 5 + ["u", "v"]


@EACH_WAY
def test_another_request_or_role_under_the_same_avoider_is_refused(call, project, scripts):
    asked = method(Handler(), scripts)
    idempotency.once(asked, call, Asked())
    viewer = replace(call, actor=replace(call.actor, roles={project.pk: "viewer"}))
    for other, request in ((call, Asked(what="y")), (viewer, Asked())):
        with pytest.raises(Conflict) as refusal:
            idempotency.once(asked, other, request)
        assert says(refusal) == ("job", "jobQueue.job.duplicationAvoider.error.duplicate")


@EACH_WAY
@pytest.mark.parametrize("error", [Invalid("no"), Failure(404, Problem("c", "m"))], ids=["sentence", "status"])
def test_a_refusal_is_raised_and_not_stored(call, scripts, error):
    handler = Handler(refuse(error))
    with pytest.raises(type(error)):
        idempotency.once(method(handler, scripts), call, Asked())
    assert not DuplicateRecord.objects.exists()
    handler.does = lambda call: None
    assert idempotency.once(method(handler, scripts), call, Asked()) == {"n": 2}


def test_a_script_call_that_breaks_off_is_not_repeated(call):
    handler = Handler(refuse(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        idempotency.once(method(handler, True), call, Asked())
    assert DuplicateRecord.objects.get().answer is None
    # SQLite's clock counts milliseconds, and a lease that ends in this one has not run out.
    DuplicateRecord.objects.update(lease_until=F("lease_until") - timedelta(milliseconds=5))
    with pytest.raises(Conflict) as refusal:
        idempotency.once(method(handler, True), call, Asked())
    assert says(refusal) == ("job", "jobQueue.job.duplicationAvoider.error.lost") and handler.count == 1


def test_a_call_in_one_transaction_that_breaks_off_leaves_nothing(call):
    handler = Handler(refuse(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        idempotency.once(method(handler, False), call, Asked())
    assert not DuplicateRecord.objects.exists()


def test_a_row_that_was_deleted_meanwhile_is_a_conflict(call):
    with pytest.raises(Conflict) as refusal:
        idempotency.once(method(Handler(refuse(IntegrityError())), False), call, Asked())
    assert says(refusal) == ("job", "jobQueue.job.duplicationAvoider.error.conflict")


@EACH_WAY
@pytest.mark.parametrize(("age_s", "n"), [(3590, 1), (3601, 2)])
def test_an_answer_is_kept_for_an_hour(call, scripts, age_s, n):
    asked = method(Handler(), scripts)
    other = replace(call, duplication_avoider="b")
    idempotency.once(asked, other, Asked())
    idempotency.once(method(Handler(), scripts), call, Asked())
    DuplicateRecord.objects.update(created_at=timezone.now() - timedelta(seconds=age_s))
    keys = set(DuplicateRecord.objects.values_list("key", flat=True))
    assert idempotency.once(asked, other, Asked()) == {"n": n}
    assert set(DuplicateRecord.objects.values_list("key", flat=True)) == keys, "that of the other call stays"


@EACH_WAY
def test_long_names_are_cut_for_the_columns_alone(call, scripts):
    handler = Handler()
    asked = method(handler, scripts, function="f" * 200)
    for user_id in ("u" * 128 + "1", "u" * 128 + "2"):
        idempotency.once(asked, replace(call, user_id=user_id), Asked())
    rows = list(DuplicateRecord.objects.values_list("method", "user_id"))
    assert rows == [(asked.name[:128], "u" * 128)] * 2 and handler.count == 2


class Clock:
    """Stands for the module time: sleeping takes no time, and is noted."""

    def __init__(self) -> None:
        self.now, self.pauses, self.then = 0.0, [], lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, pause: float) -> None:
        self.now += pause
        self.pauses.append(pause)
        self.then()


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(idempotency, "time", found)
    return found


@pytest.fixture
def under_way(call) -> Method:
    """A method whose first call goes on in another process."""
    asked = method(Handler(), True)
    idempotency.once(asked, call, Asked())
    DuplicateRecord.objects.update(answer=None, lease_until=timezone.now() + timedelta(seconds=30))
    return asked


def test_others_wait_twenty_seconds_for_a_call_under_way(call, clock, under_way):
    with pytest.raises(Unavailable) as refusal:
        idempotency.once(under_way, call, Asked())
    assert says(refusal) == ("job", "jobQueue.job.duplicationAvoider.error.busy")
    assert 20 < clock.now < 20.2 and clock.pauses[:3] == pytest.approx([0.01, 0.015, 0.0225]) and max(clock.pauses) == 0.1


def test_they_get_its_answer_when_it_comes(call, clock, under_way):
    clock.then = lambda: DuplicateRecord.objects.update(answer='{"n": 9}') if len(clock.pauses) == 3 else None
    assert idempotency.once(under_way, call, Asked()) == {"n": 9} and len(clock.pauses) == 3


def test_a_script_call_has_a_lease_of_a_minute_while_it_runs(call):
    leases = []
    handler = Handler(lambda call: leases.append(DuplicateRecord.objects.get().lease_until))
    before = timezone.now()
    idempotency.once(method(handler, True), call, Asked())
    # SQLite's clock counts milliseconds.
    assert before + timedelta(seconds=59.9) < leases[0] <= timezone.now() + timedelta(seconds=60)


def test_calls_under_way_or_broken_off_under_other_avoiders_change_nothing(call, clock, under_way):
    broken = replace(call, duplication_avoider="b")
    idempotency.once(under_way, broken, Asked())
    DuplicateRecord.objects.filter(lease_until=None).update(answer=None, lease_until=timezone.now() - timedelta(seconds=5))
    with pytest.raises(Unavailable):
        idempotency.once(under_way, call, Asked())
    with pytest.raises(Conflict):
        idempotency.once(under_way, broken, Asked())
    assert idempotency.once(under_way, replace(call, duplication_avoider="c"), Asked()) == {"n": 3}
    assert DuplicateRecord.objects.filter(answer=None).count() == 2


def test_a_handler_may_seal_its_answer_with_its_effect(call):
    def does(call: Call) -> None:
        call.seal({"sealed": True})
        row = DuplicateRecord.objects.get()
        assert (row.answer, row.lease_until) == ('{"sealed": true}', None)

    asked = method(Handler(does), True)
    assert idempotency.once(asked, call, Asked()) == {"n": 1}
    assert idempotency.once(asked, call, Asked()) == {"sealed": True}, "the end of the call does not overwrite it"


def test_what_breaks_after_the_seal_is_stored_all_the_same(call):
    def does(call: Call) -> None:
        call.seal({"sealed": True})
        raise Invalid("too late")

    asked = method(Handler(does), True)
    with pytest.raises(Invalid):
        idempotency.once(asked, call, Asked())
    assert idempotency.once(asked, call, Asked()) == {"sealed": True}


def test_records_are_removed_after_their_hour_in_batches(call, monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(idempotency, "BATCH", 2)
    for avoider in "abcdef":
        idempotency.once(method(Handler(), True), replace(call, duplication_avoider=avoider), Asked())
    young = DuplicateRecord.objects.first().pk
    DuplicateRecord.objects.filter(pk=young).update(created_at=timezone.now() - timedelta(seconds=3595))
    DuplicateRecord.objects.exclude(pk=young).update(created_at=timezone.now() - timedelta(seconds=3601))
    with django_assert_num_queries(7):  # three batches, and a look at what is left
        assert idempotency.forget_old_calls() == 5
    assert DuplicateRecord.objects.get().pk == young
    assert idempotency.forget_old_calls() == 0
    assert CLEANERS["gs2admin.wire.idempotency.forget_old_calls"].every_s == 300
