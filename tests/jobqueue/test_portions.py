"""Lists whose filter has no index: nothing is left out or shown twice, and what is read is bounded, whatever fits."""
from __future__ import annotations

import datetime

import pytest
from django.db import connection
from django.db.models import Q

from gs2admin.audit import querysets
from gs2admin.audit.models import Activity
from gs2admin.db import portions
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import Queue
from jobqueue.reads import overview, players
from jobqueue.services.namespaces import create_namespace

pytestmark = pytest.mark.django_db


@pytest.fixture
def queues(project):
    namespace = create_namespace(actor=SYSTEM, project=project, name="rewards")
    return Queue.objects.bulk_create(
        Queue(namespace=namespace, user_id=f"u-{number:03}", waiting=int(number % 7 == 0)) for number in range(100)
    )


@pytest.fixture
def hurried(monkeypatch):
    """One portion of eight rows each time."""
    monkeypatch.setattr(portions, "READ_S", 0)
    monkeypatch.setattr(portions, "FIRST", 8)


def _all(read) -> tuple[list, int]:
    """All rows, place after place, and how often was asked. read(after) -> Portion."""
    found, turns, after = [], 0, None
    while turns == 0 or after is not None:
        portion, turns = read(after), turns + 1
        found, after = found + portion.rows, portion.further
    return found, turns


@pytest.mark.parametrize("down", [False, True])
def test_place_after_place_finds_each_row_that_fits_once(queues, hurried, down):
    with_work = [row.user_id for row in queues if row.waiting]
    for key in (("user_id",), ("waiting", "id")):
        found, turns = _all(lambda after, key=key: portions.fitting(
            Queue.objects.all(), Q(waiting=1), key=key, down=down, after=after, limit=99
        ))
        assert [row.user_id for row in found] == sorted(with_work, reverse=down) and turns == 13


def test_a_page_that_is_full_says_nothing_of_the_rest(queues, hurried):
    portion = portions.fitting(Queue.objects.all(), Q(waiting=1), key=("user_id",), limit=2)
    assert [row.user_id for row in portion.rows] == ["u-000", "u-007"] and portion.further is None


def test_players_called_so_are_found_among_many_with_work_and_among_few(queues, hurried, monkeypatch):
    for few in (500, 3):
        monkeypatch.setattr(players, "FEW", few)
        namespace = queues[0].namespace
        found, turns = _all(lambda after, namespace=namespace: players.with_work(
            namespace, busy=[], user="u-0", after_user=after[0] if after else "", limit=99
        ))
        assert [row.user_id for row in found] == [f"u-0{number:02}" for number in range(0, 100, 7)]
        assert turns == (1 if few == 500 else 13)


def test_days_end_where_they_end_though_lines_are_found_by_their_ids(project, hurried, monkeypatch):
    monkeypatch.setattr(querysets, "NEAR", 1)
    for day in range(1, 29):
        Activity.objects.bulk_create(
            Activity(project=project, at=f"2026-02-{day:02} 12:00:00Z", actor_kind="system", actor_name="x", action="a.b",
                     object_type="t", object_id=str(number), object_name=f"{day}", door="task") for number in range(3)
        )  # fmt: skip
    words = {"since": datetime.date(2026, 2, 5), "until": datetime.date(2026, 2, 9)}
    rows = Activity.objects.of_project(project.pk)
    found, _ = _all(lambda after: rows.first_matching(words, before=after and after[0], limit=99))
    assert [row.object_name for row in found] == [str(day) for day in (9, 8, 7, 6, 5) for _ in range(3)]
    assert [row.pk for row in rows.matching(words)] == [row.pk for row in found]


def test_sums_over_more_players_than_are_read_say_that_there_are_more(queues, monkeypatch):
    small = create_namespace(actor=SYSTEM, project=queues[0].namespace.project, name="small")
    Queue.objects.create(namespace=small, user_id="u-1", waiting=3)
    ids = [queues[0].namespace_id, small.pk]
    for most, expected in ((100, (15, 15, False)), (10, (10, 9, True))):
        monkeypatch.setattr(overview, "MOST_QUEUES", most)
        overview.forget()
        found = overview.counters(ids)
        large = found[ids[0]]
        assert (large.waiting, large.players, large.more) == expected
        assert (found[small.pk].waiting, found[small.pk].more) == (3, False)


def test_a_range_that_begins_twice_is_never_asked(queues):
    """SQLite would begin at one of them, and read all that lies between the two."""
    asked = []
    with connection.execute_wrapper(lambda execute, sql, *more: asked.append(sql) or execute(sql, *more)):
        players.with_work(queues[0].namespace, busy=[], user="u-0", after_user="u-014", limit=9)
    assert asked and all(sql.count('"user_id" >') <= 1 for sql in asked), asked
