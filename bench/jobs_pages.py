"""Pages of queues with 1,000,000 waiting jobs of 100,000 players: every list at its first page, in its middle and at its
end, search by player, the numbers, the live answers. In one process through the whole Django stack, without a network.

The rows are made by SQL, in the shape in which pushes leave them. The goal is a median under 50 ms each.
"""
from __future__ import annotations

import logging
import re
import statistics
import time
from collections.abc import Callable
from html import unescape
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from bench.report import table
from bench.world import people, world
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Role, User
from jobqueue.models import Job, Namespace, Queue
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace

PLAYERS, JOBS_EACH, GIVEN_UP = 100_000, 10, 20_000
GOAL_MS, ROUNDS = 50, 15
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
    """One queue per player, ten waiting jobs each, pushed round by round; every 50th head has failed once."""
    off = "FALSE" if connection.vendor == "postgresql" else "0"
    _run(f"""INSERT INTO jobqueue_queue (namespace_id, user_id, rev, waiting, draining, started_rev, fence, head_at, head_tries)
             SELECT {namespace.pk}, 'user-' || i, 1, {JOBS_EACH}, {off}, 1, 0, {_back('i % 86400')},
             CASE WHEN i % 50 = 0 THEN 1 ELSE 0 END FROM {_series(PLAYERS)}""")
    for number in range(JOBS_EACH):
        tries = "CASE WHEN q.head_tries > 0 THEN 1 ELSE 0 END" if number == 0 else "0"
        _run(f"""INSERT INTO jobqueue_job ({_JOB})
                 SELECT q.id, {_NAME[connection.vendor]}, 'script-' || (q.id % 20), '{{"itemId":' || q.id || '}}', 3, {tries},
                 'waiting', q.head_at, q.head_at FROM jobqueue_queue q WHERE q.namespace_id = {namespace.pk}""")
    _run(f"""INSERT INTO jobqueue_queue (namespace_id, user_id, rev, waiting, draining, started_rev, fence, head_tries)
             SELECT {namespace.pk}, 'gone-' || i, 1, 0, {off}, 1, 0, 0 FROM {_series(GIVEN_UP // 10)}""")
    for _ in range(10):
        _run(f"""INSERT INTO jobqueue_job ({_JOB})
                 SELECT q.id, {_NAME[connection.vendor]}, 'script-' || (q.id % 20), '{{}}', 3, 3, 'given_up',
                 {_back('q.id % 200000')}, {_back('q.id % 200000')} FROM jobqueue_queue q
                 WHERE q.namespace_id = {namespace.pk} AND q.user_id LIKE 'gone-%'""")
    _run("""INSERT INTO jobqueue_givenup (job_id, namespace_id, user_id, script, status_code, at)
            SELECT j.id, q.namespace_id, q.user_id, j.script_id, 500, j.updated_at FROM jobqueue_job j
            JOIN jobqueue_queue q ON q.id = j.queue_id WHERE j.state = 'given_up' ORDER BY j.id""")
    _run(f"""INSERT INTO jobqueue_tally (namespace_id, at, span_s, script, shard, ok, failed, given_up, took_ms)
             SELECT {namespace.pk}, {_back('i * 60')}, 60, 'script-' || (i % 20), i % 4, 50, 3, 1, 900 FROM {_series(1440)}""")
    _run("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def median(call: Callable[[], object]) -> tuple[float, float]:
    """Milliseconds of one call: the median of ROUNDS after one that is not counted, and the best."""
    call()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), min(times)


def deeper(client: Client, url: str, turns: int) -> str:
    """The address of the page so many pages further on."""
    at = url
    for _ in range(turns):
        found = re.search(r'href="(\?[^"]+)" rel="next"', client.get(at).content.decode())
        if found is None:
            return at
        at = url.split("?")[0] + unescape(found[1])
    return at


def main() -> bool:
    """Prints the table; False when a median is not under the goal."""
    logging.getLogger("gs2admin.access").setLevel(logging.WARNING)
    plain = {**settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(STORAGES=plain, ALLOWED_HOSTS=["testserver"]):
        return measure()


def measure() -> bool:
    """Seed, ask for each page, print."""
    project = world().project
    namespace = create_namespace(actor=SYSTEM, project=project, name="rewards")
    began = time.monotonic()
    seed(namespace)
    print(f"{Job.objects.count():,} jobs in {Queue.objects.count():,} queues, made in {time.monotonic() - began:.0f} s")
    (name,) = people(project, 1, Role.ADMIN)
    client = Client()
    client.force_login(User.objects.get(username=name))
    middle = Queue.objects.filter(namespace=namespace, waiting__gt=0).order_by("head_at", "id")[PLAYERS // 2]
    text = str(middle.head_at.strftime("%Y-%m-%d %H:%M:%S.%f")) + ("+00" if connection.vendor == "postgresql" else "")
    at = lambda page, **words: reverse(page, kwargs={"project": project.name, **words})  # noqa: E731
    ours = lambda page: at(page, namespace="rewards")  # noqa: E731
    player = f"{ours('queues-user')}?id=user-77777"
    job = Job.objects.filter(queue__user_id="user-77777").first()
    live = re.search(r'data-live="([^"]+)" data-after="(\d+)"', client.get(player).content.decode())
    nothing_new = f"{unescape(live[1])}&after={live[2]}"
    pages = {
        "the list of namespaces, its numbers": at("queues"),
        "one namespace: numbers, chart, first page": ours("queues-namespace"),
        "its numbers and chart, live": ours("queues-live"),
        "players, 50,000 deep": f"{ours('queues-namespace')}?after={quote(f'{text}~{middle.pk}')}",
        "players, ten pages on": deeper(client, ours("queues-namespace"), 10),
        "players by the beginning of an id": f"{ours('queues-namespace')}?user=user-777",
        "players that are retrying": f"{ours('queues-namespace')}?state=retrying",
        "a player's queue": player,
        "a player's queue, nothing new": nothing_new,
        "a job": at("queues-job", job=job.name),
        "given up, first page": ours("queues-given-up"),
        "given up, of a script": f"{ours('queues-given-up')}?script=script-7",
        "given up, of a player": f"{ours('queues-given-up')}?user=gone-77",
        "given up, of a status nobody has": f"{ours('queues-given-up')}?status=418",
        "search by player, whole id": f"{at('queues-search')}?q=user-77777",
        "search by player, beginning": f"{at('queues-search')}?q=user-7",
        "search by player, nobody": f"{at('queues-search')}?q=nobody",
        "search by job name": f"{at('queues-search')}?q={job.name}",
        "the board (what needs a human)": at("board"),
    }
    rows, good = [], True
    for what, url in pages.items():
        answer = client.get(url)
        if answer.status_code not in (200, 204, 302):
            print(f"{what}: {answer.status_code}")
            good = False
        ms, best = median(lambda url=url: client.get(url))
        good = good and ms < GOAL_MS
        rows.append([what, f"{ms:.1f}", f"{best:.1f}", "" if ms < GOAL_MS else f"over {GOAL_MS}"])
    entries = [Entry("s", '{"n": 1}')]
    count = iter(range(1_000_000))
    ms, best = median(lambda: push_jobs(
        actor=SYSTEM, namespace=namespace, user_id=f"user-{next(count) * 97 + 1}", entries=entries
    ))
    rows.append(["push (one job, by the service)", f"{ms:.1f}", f"{best:.1f}", "" if ms < GOAL_MS else f"over {GOAL_MS}"])
    title = f"Pages with {PLAYERS * JOBS_EACH:,} waiting jobs of {PLAYERS:,} players: median of {ROUNDS}, ms"
    table(title, ["page", "median", "best", ""], rows)
    return good
