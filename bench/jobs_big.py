"""A namespace of a million waiting jobs, made by SQL in the shape in which pushes leave them."""
from __future__ import annotations

import os

from django.db import connection

from jobqueue.models import Namespace

PLAYERS = int(os.environ.get("BENCH_PLAYERS", "100000"))
JOBS_EACH, HEAVY, GIVEN_UP, SCRIPTS = 10, PLAYERS // 5, PLAYERS // 5, 20
_SERIES = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) SELECT i FROM n) AS n",
    "postgresql": "(SELECT generate_series(1, {count}) AS i) AS n",
}
_BACK = {"sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW', '-' || ({s}) || ' seconds')",
         "postgresql": "NOW() - ({s}) * INTERVAL '1 second'"}
_JOB = "queue_id, name, script_id, args, max_try_count, try_count, state, created_at, updated_at"
_NAME = {"sqlite": "LOWER(HEX(RANDOMBLOB(16)))", "postgresql": "GEN_RANDOM_UUID()"}


def _run(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(text)


def _series(count: int) -> str:
    return _SERIES[connection.vendor].format(count=count)


def _back(seconds: str) -> str:
    return _BACK[connection.vendor].format(s=seconds)


def seed(namespace: Namespace) -> None:
    """One queue per player, ten waiting jobs each, pushed round by round; every 50th head has failed once.

    Besides them user-heavy with a fifth as many jobs as there are players, and players gone-N with given-up jobs.
    """
    off = "FALSE" if connection.vendor == "postgresql" else "0"
    _run(f"""INSERT INTO jobqueue_queue (namespace_id, user_id, rev, waiting, draining, started_rev, fence, head_at, head_tries)
             SELECT {namespace.pk}, 'user-' || i, 1, {JOBS_EACH}, {off}, 1, 0, {_back('i % 86400')},
             CASE WHEN i % 50 = 0 THEN 1 ELSE 0 END FROM {_series(PLAYERS)}""")
    for number in range(JOBS_EACH):
        tries = "CASE WHEN q.head_tries > 0 THEN 1 ELSE 0 END" if number == 0 else "0"
        _run(f"""INSERT INTO jobqueue_job ({_JOB})
                 SELECT q.id, {_NAME[connection.vendor]}, 'script-' || (q.id % {SCRIPTS}), '{{"itemId":' || q.id || '}}', 3,
                 {tries}, 'waiting', q.head_at, q.head_at FROM jobqueue_queue q WHERE q.namespace_id = {namespace.pk}""")
    _run(f"""INSERT INTO jobqueue_queue (namespace_id, user_id, rev, waiting, draining, started_rev, fence, head_tries)
             SELECT {namespace.pk}, 'gone-' || i, 1, 0, {off}, 1, 0, 0 FROM {_series(GIVEN_UP // 10)}""")
    for _ in range(10):
        _run(f"""INSERT INTO jobqueue_job ({_JOB})
                 SELECT q.id, {_NAME[connection.vendor]}, 'script-' || (q.id % {SCRIPTS}), '{{}}', 3, 3, 'given_up',
                 {_back('q.id % 200000')}, {_back('q.id % 200000')} FROM jobqueue_queue q
                 WHERE q.namespace_id = {namespace.pk} AND q.user_id LIKE 'gone-%'""")
    _run("""INSERT INTO jobqueue_givenup (job_id, namespace_id, user_id, script, status_code, at)
            SELECT j.id, q.namespace_id, q.user_id, j.script_id, 500, j.updated_at FROM jobqueue_job j
            JOIN jobqueue_queue q ON q.id = j.queue_id WHERE j.state = 'given_up' ORDER BY j.id""")
    _run(f"""INSERT INTO jobqueue_tally (namespace_id, at, span_s, script, shard, ok, failed, given_up, took_ms)
             SELECT {namespace.pk}, {_back('i * 60')}, 60, 'script-' || (i % {SCRIPTS}), i % 4, 50, 3, 1, 900
             FROM {_series(1440)}""")
    _run(f"""INSERT INTO jobqueue_queue (namespace_id, user_id, rev, waiting, draining, started_rev, fence, head_at, head_tries)
             VALUES ({namespace.pk}, 'user-heavy', 1, {HEAVY}, {off}, 1, 0, {_back('1')}, 0)""")
    _run(f"""INSERT INTO jobqueue_job ({_JOB})
             SELECT q.id, {_NAME[connection.vendor]}, 'script-' || (i % {SCRIPTS}), '{{"n":' || i || '}}', 3, 0, 'waiting',
             {_back('1')}, {_back('1')} FROM jobqueue_queue q, {_series(HEAVY)}
             WHERE q.namespace_id = {namespace.pk} AND q.user_id = 'user-heavy'""")
    _run("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
