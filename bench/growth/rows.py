"""Axes of rows: jobs, players, stages × services. In one process through the whole stack, without a network.

Each figure is the best of ROUNDS, in milliseconds: the machine's own noise only adds.
"""
from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator

from django.db import connection
from django.test import Client
from django.urls import reverse

from bench import big, jobs_big
from bench.growth.results import rounded
from bench.jobs_pages import plain
from bench.world import World, people, world
from gs2admin.identity import tokens
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Credential, Role, User
from jobqueue.models import Job, Namespace, Queue
from jobqueue.reads import overview
from jobqueue.services.namespaces import create_namespace

ROUNDS = 15
SIZES, LONG_SIZES = (1_000, 10_000, 100_000, 1_000_000), (10_000_000,)
SHARED = 100_000
PLAYERS, LONG_PLAYERS = (10, 100, 1_000, 10_000, 100_000), (1_000_000,)
# The smallest has room for the live rollouts of bench/big.py.
TABLES, LONG_TABLES = ((20, 20), (20, 100), (50, 200)), ((100, 500),)
Action = Callable[[], object]


def best(action: Action) -> float:
    """Milliseconds of the quickest call, after one that is not counted."""
    action()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return min(times) * 1000


class Doors:
    """A browser and a GS2 client of the project."""

    def __init__(self, here: World) -> None:
        self.project = here.project
        self.browser = Client()
        self.browser.force_login(User.objects.get(username=people(here.project, 1, Role.ADMIN)[0]))
        token = tokens.issue_project_token(Credential.objects.get(client_id=here.client_id))
        self.gs2 = Client(headers={"X-GS2-CLIENT-ID": here.client_id, "Authorization": f"Bearer {token}"})

    def page(self, name: str, query: str = "", **words: str) -> Action:
        """Ask for a page."""
        url = reverse(name, kwargs={"project": self.project.name, **words}) + query
        return lambda: _good(self.browser.get(url))

    def method(self, path: str, body: dict | None = None) -> Action:
        """Call a method."""
        if body is None:
            return lambda: _good(self.gs2.get(path))
        return lambda: _good(self.gs2.post(path, json.dumps(body), content_type="application/json"))


def _good(answer) -> None:
    if answer.status_code not in (200, 204):
        raise RuntimeError(f"{answer.status_code}: {answer.content[:300]!r}")


# ── Jobs and players ────────────────────────────────────────────────────────────────────────────────────────


def grow(namespace: Namespace, *, first: int, last: int, each: int) -> None:
    """Players `first` to `last`, so many jobs each: of ten jobs six are done with a result, one is given up, three wait.

    Rows as pushes and workers leave them, made by SQL.
    """
    run, back = jobs_big._run, jobs_big._back
    series = jobs_big._series(last - first + 1)
    name, waiting = jobs_big._NAME[connection.vendor], each * 3 // 10
    off = "FALSE" if connection.vendor == "postgresql" else "0"
    run(f"""INSERT INTO jobqueue_queue (namespace_id, user_id, rev, waiting, draining, started_rev, fence, head_at, head_tries)
            SELECT {namespace.pk}, 'user-' || (i + {first - 1}), 1, {waiting}, {off}, 1, 0, {back('i % 86400')}, 0
            FROM {series}""")
    newest = Job.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    queue = f"namespace_id = {namespace.pk} AND q.id > (SELECT MAX(id) - {last - first + 1} FROM jobqueue_queue)"
    for begin in range(0, each, 1_000):
        turns = jobs_big._series(min(1_000, each - begin))
        run(f"""INSERT INTO jobqueue_job ({jobs_big._JOB})
                SELECT q.id, {name}, 'script-' || (q.id % 20), '{{"itemId":' || q.id || '}}', 3,
                CASE WHEN (n.i + {begin}) % 10 > 2 THEN 1 ELSE 0 END,
                CASE (n.i + {begin}) % 10 WHEN 0 THEN 'waiting' WHEN 1 THEN 'waiting' WHEN 2 THEN 'waiting' WHEN 3 THEN 'given_up'
                ELSE 'done' END, {back('q.id % 86400')}, {back('q.id % 86400')}
                FROM jobqueue_queue q, {turns} WHERE q.{queue} ORDER BY (n.i + {begin}) % 10 < 3, n.i, q.id""")
    run(f"""INSERT INTO jobqueue_jobresult (job_id, try_number, status_code, result, output, tried_at, took_ms)
            SELECT id, 0, CASE state WHEN 'done' THEN 200 ELSE 500 END, '{{"granted":9007199254740993}}', '', updated_at, 12
            FROM jobqueue_job WHERE id > {newest} AND state IN ('done', 'given_up')""")
    run(f"""INSERT INTO jobqueue_givenup (job_id, namespace_id, user_id, script, status_code, at)
            SELECT j.id, q.namespace_id, q.user_id, j.script_id, 500, j.updated_at FROM jobqueue_job j
            JOIN jobqueue_queue q ON q.id = j.queue_id WHERE j.state = 'given_up' AND j.id > {newest} ORDER BY j.id""")
    run("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def asks(doors: Doors, namespace: str, someone: str) -> Iterator[tuple[str, Action]]:
    """What is asked at every size; someone: a player with jobs."""
    path = f"/job-queue/{namespace}/user/{someone}/job"
    yield "push of one job", doors.method(path, {"jobs": [{"scriptId": "script-1", "args": "{}"}]})
    yield "describeJobs", doors.method(path)
    yield "players with work", doors.page("queues-namespace", namespace=namespace)
    yield "with sums made anew", _anew(doors.page("queues-namespace", namespace=namespace))
    yield "given-up jobs", doors.page("queues-given-up", namespace=namespace)
    yield "a player's queue", doors.page("queues-user", f"?id={someone}", namespace=namespace)
    yield "players by id", doors.page("players")
    yield "search in arguments", doors.page("queues-search", "?text=nothing-has-it")
    yield "activity of nobody", doors.page("activity", "?object=nothing-is-called-so")


def _anew(action: Action) -> Action:
    def ask() -> None:
        overview.forget()
        action()

    return ask


def measured(x: int | str, found: Iterator[tuple[str, Action]]) -> dict:
    """A point of all that is asked."""
    with plain():
        return {"x": x, "values": {name: rounded(best(action)) for name, action in found}}


def jobs(long: bool) -> list[dict]:
    """Ten jobs per player, in one namespace that grows."""
    here, points = world("growth-jobs"), []
    namespace = create_namespace(actor=SYSTEM, project=here.project, name="rewards")
    doors, there = Doors(here), 0
    for size in SIZES + (LONG_SIZES if long else ()):
        grow(namespace, first=there + 1, last=size // 10, each=10)
        there = size // 10
        points.append(measured(size, asks(doors, namespace.name, f"user-{there * 3 // 4}")))
    return points


def players(long: bool) -> list[dict]:
    """SHARED jobs of few players and of many, each time in a namespace of its own; at least ten jobs each."""
    here, points = world("growth-players"), []
    doors, every = Doors(here), PLAYERS + (LONG_PLAYERS if long else ())
    for count in every:
        namespace = create_namespace(actor=SYSTEM, project=here.project, name=f"of-{count}")
        grow(namespace, first=1, last=count, each=max(SHARED // count, 10))
        points.append(measured(count, asks(doors, namespace.name, f"user-{count * 3 // 4}")))
        if count < every[-1]:
            Queue.objects.filter(namespace=namespace).update(head_at=None, waiting=0)
    return points


# ── Stages × services ───────────────────────────────────────────────────────────────────────────────────────


def stages(long: bool) -> list[dict]:
    """Projects of more and more stages and services, each with 2,000 past rollouts."""
    points = []
    for rows, columns in TABLES + (LONG_TABLES if long else ()):
        here = world(f"growth-{rows}-{columns}")
        big.STAGES, big.SERVICES, big.ROLLOUTS = rows, columns, 2_000
        big.fill(here.project)
        doors = Doors(here)
        with plain():
            board = doors.browser.get(reverse("board", kwargs={"project": here.project.name})).content.decode()
        after = board.partition('data-after="')[2].partition('"')[0]
        points.append(measured(f"{rows} × {columns}", iter([
            ("board", doors.page("board")), ("board, nothing new", doors.page("board-live", f"?after={after}")),
            ("a stage", doors.page("stage", stage="stage-03")),
            ("promote preview", doors.page("stage-promote", stage="stage-03")),
            ("rollouts", doors.page("rollouts")), ("rollouts of a service", doors.page("rollouts", "?service=service-001")),
        ])))
    return points
