"""The questions that every page and every call asks go to an index of theirs; at a million jobs anything else is felt."""
from __future__ import annotations

import pytest
from django.db import connection

from gs2admin.db.raw import raw_cursor
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import Job, Queue
from jobqueue.reads import overview, players, search
from jobqueue.services.namespaces import create_namespace
from jobqueue.sql import run
from jobqueue.sql.text import raw_text
from jobqueue.states import JobState

pytestmark = pytest.mark.django_db
WALKS = ("SCAN", "Seq Scan", "TEMP B-TREE", "Sort")


@pytest.fixture
def asked(project):
    """asked(function) calls it and returns (question, plan) of all that it asked of jobs, queues and given-up lines."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # tables of tests are too small for an index

    def act(call) -> list[tuple[str, str]]:
        found = []

        def note(execute, sql, params, many, context):
            if "jobqueue_" in sql and sql.startswith("SELECT"):
                found.append((sql, params))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            call()
        explain = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
        plans = []
        with connection.cursor() as cursor:
            for sql, params in found:
                cursor.execute(explain + sql, params)
                plans.append((sql, " / ".join(str(row[-1]) for row in cursor.fetchall())))
        assert plans
        return plans

    return act


@pytest.fixture
def rewards(project):
    namespace = create_namespace(actor=SYSTEM, project=project, name="rewards")
    queue = Queue.objects.create(namespace=namespace, user_id="u-1", waiting=2)
    Job.objects.bulk_create(Job(queue=queue, script_id="s") for _ in range(2))
    return namespace


def test_what_runs_is_found_by_the_index_of_what_runs(asked):
    [(_, plan)] = asked(overview.running_queues)
    assert "one_running_job_per_queue" in plan, plan


def test_a_players_jobs_are_read_in_the_order_of_their_index(asked, rewards):
    queue = Queue.objects.get()
    for call in (
        lambda: players.waiting(queue, after=1, limit=30), lambda: players.running(queue),
        lambda: players.past(queue, before=9, limit=30),
    ):  # fmt: skip
        for sql, plan in asked(call):
            if "jobqueue_job" in sql and "IN (" not in sql:
                assert "job_of_queue" in plan or "one_running" in plan, (sql, plan)
                # One job runs at most: that one may be "sorted".
                walks = WALKS[:2] if "one_running" in plan else WALKS
                assert not any(word in plan for word in walks), (sql, plan)


def test_a_players_jobs_are_searched_from_his_queues(asked, rewards, project):
    for sql, plan in asked(lambda: search.jobs(project, user="u-1", text="nothing has it")):
        assert "SCAN jobqueue_job" not in plan and "Seq Scan on jobqueue_job" not in plan, (sql, plan)


def test_removing_a_queue_does_not_walk_through_all_jobs(asked):
    [(_, plan)] = asked(lambda: list(Job.objects.filter(queue_id=1).values_list("pk")))
    assert "job_of_queue" in plan or "one_running" in plan, plan


def test_counters_come_from_indexes(asked, rewards):
    overview.forget()
    for sql, plan in asked(lambda: overview.counters([rewards.pk])):
        for line in plan.split(" / "):
            assert not any(f"{walk}{name}" in line for name in ("jobqueue_queue", "jobqueue_job", "jobqueue_givenup")
                           for walk in ("SCAN ", "Seq Scan on ")), (sql, plan)  # fmt: skip


def test_the_head_of_a_queue_is_the_first_of_its_index(asked, rewards):
    [(_, plan)] = asked(
        lambda: Job.objects.filter(queue_id=1, state=JobState.WAITING).order_by("id").values_list("pk").first()
    )
    assert "job_of_queue" in plan and not any(word in plan for word in WALKS), plan


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite goes by the row's id, whatever it knows of the table")
def test_what_ends_is_found_by_its_id_though_the_index_of_what_runs_looks_smaller(rewards):
    """That index holds the dead entries of all that ran since the last vacuum, and each attempt would read them all."""
    with connection.cursor() as cursor:
        # In a copy, since what a table has grown to, and what ANALYZE notes of it, stays when the test is undone.
        cursor.execute("CREATE TABLE copy (LIKE jobqueue_job INCLUDING ALL)")
        cursor.execute("""
            INSERT INTO copy SELECT (jsonb_populate_record(job,
                jsonb_build_object('id', number, 'name', gen_random_uuid(), 'state', 'done'))).*
            FROM jobqueue_job job, generate_series(1, 2000) number WHERE job.id = (SELECT MIN(id) FROM jobqueue_job)
        """)
        cursor.execute("ANALYZE copy")
    settle = raw_text(run._SETTLE).replace("jobqueue_job", "copy")
    with raw_cursor() as cursor:
        rows = cursor.execute(f"EXPLAIN {settle}", ("done", 1000, 1)).fetchall()
    plan = " / ".join(str(row[-1]) for row in rows)
    assert "copy_pkey" in plan, plan
