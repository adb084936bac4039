"""A prepared read gives what the queryset says, for whatever values and on both databases, and nothing that was handed over is SQL."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import DurationField, ExpressionWrapper, F, Value

from gs2admin.db.columns import Milliseconds, UuidText, milliseconds, moment
from gs2admin.db.prepared import MOST, Prepared, PreparedRow
from gs2admin.identity.models import Project
from jobqueue.models import Job, Namespace, Queue
from stages.models import Stage

pytestmark = pytest.mark.django_db
NASTY = ["'; DROP TABLE jobqueue_job; --", "%s", "%", "100%%", "?", "a\\b", "\"", "ü\u3042", "x' OR '1'='1", ":a", "$1"]


class JobRow(NamedTuple):
    id: int
    name: UUID
    uuid: str
    user: str
    created_at: datetime
    created_ms: int
    replay_of_id: int | None


class NamespaceRow(NamedTuple):
    name: str
    enable_auto_run: bool
    log_setting: Any
    paused_at: datetime | None


@pytest.fixture
def queue(project) -> Queue:
    return Queue.objects.create(namespace=Namespace.objects.create(project=project, name="ns"), user_id="u")


def shown(rows):
    return rows.annotate(uuid=UuidText("name"), user=F("queue__user_id"), created_ms=Milliseconds("created_at"))


def test_every_kind_of_column_is_as_a_model_has_it(queue, project):
    jobs = [Job.objects.create(queue=queue, script_id="s", name=uuid4()) for _ in range(2)]
    Job.objects.filter(pk=jobs[1].pk).update(replay_of=jobs[0].pk, created_at=datetime(2024, 2, 29, 23, 59, 59, tzinfo=UTC))
    rows = Prepared(JobRow, lambda at: shown(Job.objects.filter(queue_id=at.queue).order_by("id"))).rows(queue=queue.pk)
    for row, job in zip(rows, Job.objects.order_by("id"), strict=True):
        assert row == (job.pk, job.name, str(job.name), "u", job.created_at, milliseconds(job.created_at), job.replay_of_id)
        assert row.created_at.tzinfo is not None and moment(row.created_ms) <= row.created_at
    Namespace.objects.create(project=project, name="set", enable_auto_run=True, log_setting={"a": [None, 1.5, "ü"]},
                             paused_at=datetime.now(UTC))  # fmt: skip
    read = Prepared(NamespaceRow, lambda at: Namespace.objects.filter(project_id=at.project).order_by("name"))
    columns = ("name", "enable_auto_run", "log_setting", "paused_at")
    assert read.rows(project=project.pk) == list(Namespace.objects.order_by("name").values_list(*columns))
    assert [type(row.enable_auto_run) for row in read.rows(project=project.pk)] == [bool, bool]
    assert read.of(Namespace.objects.filter(name="set")) == read.rows(project=project.pk)[1:]


def test_a_row_as_its_model_is_the_one_that_a_query_makes(queue):
    read = PreparedRow(Namespace, lambda at: Namespace.objects.filter(name=at.name).order_by())
    found, same = read.first(name="ns"), Namespace.objects.get()
    assert {f.attname: getattr(found, f.attname) for f in Namespace._meta.fields} == {
        f.attname: getattr(same, f.attname) for f in Namespace._meta.fields
    }
    assert found == same and not found._state.adding and read.first(name="other") is None


@pytest.mark.parametrize("given", NASTY)
def test_what_is_given_and_what_the_queryset_says_are_compared_letter_by_letter(queue, given):
    Queue.objects.bulk_create(Queue(namespace=queue.namespace, user_id=user) for user in NASTY)

    class Found(NamedTuple):
        user_id: str
        said: str

    rows = Queue.objects.order_by("id").annotate(said=Value(f"{given}%s"))
    by_place = Prepared(Found, lambda at: rows.filter(user_id=at.user))
    written_out = Prepared(Found, lambda at: rows.filter(user_id=given, pk__gt=at.after))
    assert by_place.rows(user=given) == written_out.rows(after=0) == [(given, f"{given}%s")]
    assert Queue.objects.count() == len(NASTY) + 1


def test_a_call_takes_as_many_rows_as_it_says_and_lists_follow_each_other(queue):
    jobs = [Job.objects.create(queue=queue, script_id="s") for _ in range(5)]
    by_id = Job.objects.order_by("id")
    some = Prepared(JobRow, lambda at: shown(by_id.filter(id__gt=at.after) if "after" in at else by_id)[:MOST])
    assert [row.id for row in some.rows(most=2)] == [job.pk for job in jobs[:2]]
    assert [row.id for row in some.rows(after=jobs[1].pk, most=2)] == [job.pk for job in jobs[2:4]]
    assert some.first(most=1).id == jobs[0].pk and some.first(after=jobs[-1].pk, most=1) is None
    both = Prepared(JobRow, lambda at: [shown(by_id.filter(id__gt=at.after))[:MOST], shown(by_id.order_by("-id"))[:MOST]])
    assert [row.id for row in both.rows(after=jobs[0].pk, most=2)] == [jobs[n].pk for n in (1, 2, 4, 3)]


def test_mistakes_are_told_when_the_statement_is_made(queue):
    with pytest.raises(AttributeError, match="gives no value for user"):
        Prepared(JobRow, lambda at: shown(Job.objects.filter(queue__user_id=at.user))).rows()
    with pytest.raises(TypeError, match="no place for project"):
        Prepared(JobRow, lambda at: shown(Job.objects.filter(queue__user_id=at.user))).rows(user="u", project=1)

    class Odd(NamedTuple):
        span: timedelta

    odd = Job.objects.annotate(span=ExpressionWrapper(F("updated_at") - F("created_at"), DurationField()))
    with pytest.raises(TypeError, match="DurationField"):
        Prepared(Odd, lambda at: odd).rows()


def test_the_queryset_is_put_into_sql_once_for_the_values_that_calls_give(queue):
    made = []
    read = Prepared(JobRow, lambda at: made.append(1) or shown(Job.objects.filter(queue_id=at.queue)))
    assert read.rows(queue=queue.pk) == read.rows(queue=0) == [] and len(made) == 1


class StageMs(NamedTuple):
    created_ms: int


@pytest.mark.parametrize("at", [
    datetime(2026, 11, 30, 12, 50, 19, 117_000, tzinfo=UTC), datetime(2026, 11, 30, 12, 50, 19, 999_999, tzinfo=UTC),
    datetime(2026, 11, 30, 12, 50, 19, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999_500, tzinfo=UTC),
    datetime(2999, 12, 31, 23, 59, 59, 1_000, tzinfo=UTC),
])  # fmt: skip
def test_milliseconds_are_exact_and_the_same_everywhere(project: Project, at):
    Stage.objects.create(project=project, name="dev", created_at=at)
    [row] = Prepared(StageMs, lambda place: Stage.objects.annotate(created_ms=Milliseconds("created_at"))).rows()
    exact = (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert row.created_ms == milliseconds(at) == exact
    assert Stage.objects.values_list(Milliseconds("created_at"), flat=True).get() == exact, connection.vendor
