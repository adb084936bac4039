"""Search, a player's page and the pages of locks, with 1,000,000 waiting jobs of 100,000 players, 1,000,000 mutexes of which
10,000 are held, and one player with 100,000 results. In one process through the whole Django stack, without a network.

BENCH_PLAYERS makes it smaller, for a look whether it works. The goal is a median under 50 ms each.
"""
from __future__ import annotations

import logging
import re
import time
from html import unescape

from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from bench import jobs_big
from bench.jobs_big import PLAYERS, _back, _run, _series
from bench.jobs_pages import deeper
from bench.locks_pages import GOAL_MS, ROUNDS, median
from bench.report import table
from bench.world import people, world
from gs2admin.dashboard.player import address, registry
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Role, User
from jobqueue.models import Job, JobResult, Queue
from jobqueue.services.namespaces import create_namespace
from locks.models import LockNamespace, Mutex
from locks.services.namespaces import create_namespace as create_lock_namespace

MUTEXES, HELD, RESULTS = PLAYERS * 10, PLAYERS // 10, PLAYERS
BIG = "user-9223372036854775807"
_KEY = {"sqlite": "RANDOMBLOB(20)", "postgresql": "SUBSTRING(SHA256(CAST(CAST(i AS text) AS bytea)) FOR 20)"}


def seed_mutexes(namespace: LockNamespace) -> None:
    """Ten per player; every hundredth is held for another hour, of the others every thousandth has run out unseen."""
    now = int(time.time() * 1000)
    _run(f"""INSERT INTO locks_mutex (namespace_id, key, user_id, property_id, transaction_id, counter, revision, acquired_ms,
             until_ms, ended_ms, ended, ended_by, denied, expired)
             SELECT {namespace.pk}, {_KEY[connection.vendor]}, 'user-' || (i % {PLAYERS} + 1), 'property-' || i, 'tx-' || i,
             CASE WHEN i % 100 = 0 OR i % 1000 = 1 THEN 1 ELSE 0 END, 7, {now} - (i % 600000),
             CASE WHEN i % 100 = 0 THEN {now} + 3600000 ELSE {now} - 1000 END, 0, '', '', i % 3, 0 FROM {_series(MUTEXES)}""")
    _run(f"""INSERT INTO locks_locktally (namespace_id, at, span_s, shard, acquired, denied, expired, held)
             SELECT {namespace.pk}, {_back('i * 60')}, 60, i % 4, 50, 3, 1, 900 FROM {_series(180)}""")


def seed_results(queue: Queue) -> None:
    """Jobs of one player that are done, with a result each."""
    moment = _back("i")
    _run(f"""INSERT INTO jobqueue_job ({jobs_big._JOB})
             SELECT {queue.pk}, {jobs_big._NAME[connection.vendor]}, 'script-' || (i % 20), '{{}}', 3, 1, 'done', {moment},
             {moment} FROM {_series(RESULTS)}""")
    _run(f"""INSERT INTO jobqueue_jobresult (job_id, try_number, status_code, result, output, tried_at, took_ms)
             SELECT j.id, 0, 200, '{{"granted":9007199254740993}}', '', j.updated_at, 12 FROM jobqueue_job j
             WHERE j.queue_id = {queue.pk}""")


def main() -> bool:
    """Prints the table; False when a median is not under the goal."""
    logging.getLogger("gs2admin.access").setLevel(logging.WARNING)
    plain = {**settings.STORAGES, "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    with override_settings(STORAGES=plain, ALLOWED_HOSTS=["testserver"]):
        return measure()


def measure() -> bool:
    """Seed, ask for each page, print."""
    project = world().project
    began = time.monotonic()
    rewards = create_namespace(actor=SYSTEM, project=project, name="rewards")
    namespace = create_lock_namespace(actor=SYSTEM, project=project, name="inventory")
    for number in range(20):
        create_namespace(actor=SYSTEM, project=project, name=f"other-{number}")
    jobs_big.seed(rewards)
    seed_results(Queue.objects.create(namespace=rewards, user_id=BIG))
    seed_mutexes(namespace)
    _run("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
    print(f"{Job.objects.count():,} jobs, {JobResult.objects.count():,} results and {Mutex.objects.count():,} mutexes, made in "
          f"{time.monotonic() - began:.0f} s")
    (name,) = people(project, 1, Role.ADMIN)
    client = Client()
    client.force_login(User.objects.get(username=name))
    at = lambda page, **words: reverse(page, kwargs={"project": project.name, **words})  # noqa: E731
    here = at("locks-namespace", namespace="inventory")
    busy, job = f"user-{PLAYERS // 2}", Job.objects.filter(queue__namespace=rewards, state="waiting").first()
    mutex = Mutex.objects.filter(counter__gt=0, until_ms__gt=time.time() * 1000).first()
    pages = {
        "search: a player, whole id": f"{at('search')}?q={BIG}",
        "search: the beginning of many ids": f"{at('search')}?q=user-",
        "search: nobody": f"{at('search')}?q=nobody",
        "search: a job's name": f"{at('search')}?q={job.name}",
        "search: the beginning of a property": f"{at('search')}?q=property-77",
        "players by id": at("players"),
        "players by id, ten pages on": deeper(client, at("players"), 10),
        "a player, the frame": address(project, busy),
        "a player, nothing new": nothing_new(client, address(project, busy)),
        **{f"a player, {each.title.lower()}": address(project, busy, "player-part", part=each.key) for each in registry.parts},
        f"{RESULTS:,} results, the frame": address(project, BIG),
        f"{RESULTS:,} results, attempts": address(project, BIG, "player-part", part="past"),
        f"{RESULTS:,} results, attempts, ten pages on": deep_past(client, address(project, BIG, "player-part", part="past")),
        "locks: the list of namespaces": at("locks"),
        "locks: held, first page": here,
        "locks: held, ten pages on": deeper(client, here, 10),
        "locks: held, of a player": f"{here}?user={mutex.user_id}",
        "locks: held, by the beginning of a property": f"{here}?property=property-77",
        "locks: held, nothing new": nothing_new(client, here),
        "locks: a mutex and its history": at("locks-mutex", namespace="inventory", pk=mutex.pk),
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
    title = f"{MUTEXES:,} waiting jobs and as many mutexes ({HELD:,} held) of {PLAYERS:,} players: median of {ROUNDS}, ms"
    table(title, ["page", "median", "best", ""], rows)
    return good


def nothing_new(client: Client, url: str) -> str:
    """The address that the page asks while nothing moves."""
    found = re.search(r'data-live="([^"]+)"\s+data-after="([^"]+)"', client.get(url).content.decode())
    address_ = unescape(found[1])
    return f"{address_}{'&' if '?' in address_ else '?'}after={found[2]}"


def deep_past(client: Client, url: str) -> str:
    """The address of the tenth page of attempts."""
    for _ in range(10):
        found = re.search(r'href="([^"]+)"\s+rel="next"', client.get(url).content.decode())
        if found is None:
            return url
        url = unescape(found[1])
    return url
