"""What a request of a program costs in processor time, against a bare Django view that reads or updates the same rows.

Three servers of our gunicorn worker class run at the same time on one database and are asked in turn, in short laps on kept
connections: ours; a bare project with the middleware of `startproject` and our database settings (bench/baresettings.py);
and the least that Django can be: no middleware, a connection that is kept without checks. Each figure is the median of the laps.
BENCH_PROFILE=getJob,push: prints instead where the time of these goes, by a profiler inside the application.
BENCH_ONLY=getJob,push: asks for these alone. BENCH_LAPS, BENCH_EACH: laps, and requests of each in a lap.
"""
from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from django.utils import timezone

from bench.client import Link, request
from bench.place import ROOT
from bench.report import machine, percentile, table
from bench.server import free_port, here
from bench.webpairs import processor_ms
from bench.world import register, world
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import AccessToken, Credential
from gs2admin.identity.tokens import issue_project_token
from jobqueue.models import Job, JobResult, Queue
from jobqueue.services import Entry, push_jobs
from jobqueue.services.namespaces import create_namespace as create_queues
from jobqueue.states import JobState
from locks.services.mutexes import lock
from locks.services.namespaces import create_namespace as create_locks
from stages.models import Rollout, Stage, VersionSet
from stages.setup.stages import create_stage
from tests.conditions import until

LAPS, EACH, CLIENTS = int(os.environ.get("BENCH_LAPS", "9")), int(os.environ.get("BENCH_EACH", "120")), 4
SERVERS = {"ours": {}, "bare": {"DJANGO_SETTINGS_MODULE": "bench.baresettings"},
           "least": {"DJANGO_SETTINGS_MODULE": "bench.baresettings", "BENCH_BARE": "least"}}
PLAYER, ACCESS = "user-0001", "access-token-of-a-bench"
SERVICES = 8


@dataclass(frozen=True)
class Case:
    """A request, and its like at a bare server. {n} in a path: the number of the request within its lap.

    once: with a duplication avoider, another one each time.
    """

    name: str
    verb: str
    path: str
    bare: str
    body: dict | None = None
    once: bool = False

    def data(self, number: int, headers: dict[str, str]) -> bytes:
        """To ours."""
        if self.once:
            headers = headers | {"X-GS2-DUPLICATION-AVOIDER": str(uuid4())}
        return _request(self.verb, self.path.replace("{n}", str(number)), headers, self.body)

    def bare_data(self, number: int, headers: dict[str, str]) -> bytes:
        """To a bare one: it gets the same headers."""
        return _request(self.verb, self.bare.replace("{n}", str(number)), headers, self.body)


def _request(verb: str, path: str, headers: dict[str, str], body: dict | None) -> bytes:
    return request(verb, path, host="localhost", headers=headers, body=b"" if body is None else json.dumps(body).encode())


def cases(names: dict[str, str]) -> list[Case]:
    """In the order in which a lap asks them: what is unlocked was locked before."""
    mutex, player = f"/lock/locks/user/{PLAYER}/mutex", f"/job-queue/queues/user/{PLAYER}/job"
    bare_player = f"/queue/queues/user/{PLAYER}/job"
    who = {"transactionId": "t-1"}
    found = [
        Case("healthz", "GET", "/healthz", "/constant"),
        Case("getServiceVersion", "GET", "/lock/system/version", "/constant"),
        Case("getMutex", "GET", f"{mutex}/held", f"/lock/locks/user/{PLAYER}/mutex/held"),
        Case("getJob", "GET", f"{player}/{names['waiting']}", f"{bare_player}/{names['waiting']}"),
        Case("getStage", "GET", "/freeze/live", "/stage/live"),
        Case("describeStages", "GET", "/freeze/", "/stages"),
        Case("describeJobs", "GET", f"{player}?limit=30", bare_player),
        Case("getJobResult", "GET", f"{player}/{names['done']}/result", f"{bare_player}/{names['done']}/result"),
        Case("getJobResult (own)", "GET", f"/job-queue/queues/user/me/job/{names['done']}/result",
             f"{bare_player}/{names['done']}/result"),
        Case("lock", "POST", f"{mutex}/free-{{n}}/lock", f"/change/locks/user/{PLAYER}/mutex/free-{{n}}", who | {"ttl": 300}),
        Case("unlock", "POST", f"{mutex}/free-{{n}}/unlock", f"/change/locks/user/{PLAYER}/mutex/free-{{n}}", who),
        Case("push", "POST", "/job-queue/queues/user/pusher-{n}/job", f"/change/locks/user/{PLAYER}/mutex/free-{{n}}",
             {"jobs": [{"scriptId": "script", "args": "{\"n\": 1}", "maxTryCount": 3}]}),
        Case("push (once)", "POST", "/job-queue/queues/user/once-{n}/job", f"/change/locks/user/{PLAYER}/mutex/free-{{n}}",
             {"jobs": [{"scriptId": "script", "args": "{\"n\": 1}", "maxTryCount": 3}]}, once=True),
    ]  # fmt: skip
    wanted = set(filter(None, (os.environ.get("BENCH_ONLY") or os.environ.get("BENCH_PROFILE", "")).split(",")))
    return [case for case in found if not wanted or case.name in wanted or case.name == "lock" and "unlock" in wanted]


def build() -> tuple[dict[str, str], dict[str, str]]:
    """All rows. Returns names of jobs, and the headers that an SDK sends."""
    made = world()
    project = made.project
    _stages(project)
    locks = create_locks(actor=SYSTEM, project=project, name="locks")
    whose = {"actor": SYSTEM, "namespace": locks, "user_id": PLAYER, "transaction_id": "t-1"}
    lock(**whose, property_id="held", ttl_s=86_400)
    for number in range(EACH):  # the bare servers update these
        lock(**whose, property_id=f"free-{number}", ttl_s=1)
    queues = create_queues(actor=SYSTEM, project=project, name="queues", enable_auto_run=True)
    entries = [Entry("script", "{\"n\": 1}")] * 8
    jobs = [job for _ in range(5) for job in push_jobs(actor=SYSTEM, namespace=queues, user_id=PLAYER, entries=entries)[0]]
    done = jobs[0]
    Job.objects.filter(pk=done.pk).update(state=JobState.DONE, try_count=1)
    JobResult.objects.create(job=done, try_number=0, status_code=200, result="{}")
    digest = hashlib.sha256(ACCESS.encode()).hexdigest()
    AccessToken.objects.create(token_hash=digest, project=project, user_id=PLAYER, expires_at=timezone.now() + timedelta(days=1))
    token = issue_project_token(Credential.objects.get(client_id=made.client_id))
    headers = {"User-Agent": "gs2", "Accept": "*/*", "Accept-Encoding": "identity", "Content-Type": "application/json",
               "Authorization": f"Bearer {token}", "X-GS2-CLIENT-ID": made.client_id, "X-GS2-ACCESS-TOKEN": ACCESS}  # fmt: skip
    return {"waiting": str(jobs[1].name), "done": str(done.name)}, headers


def _stages(project) -> None:
    services = [f"service-{number}" for number in range(SERVICES)]
    register(project, services, "1.0")
    content = dict.fromkeys(services, "1.0")
    row = VersionSet.objects.create(project=project, number=1, digest="0" * 64, versions=content, size=SERVICES)
    source = None
    for number, name in enumerate(("dev", "test", "stg", "pre", "live")):
        source = create_stage(actor=SYSTEM, project=project, name=name, source=source, sort_number=number)
        now = timezone.now()
        Rollout.objects.create(project=project, stage=source, number=number + 1, kind="promote", state="succeeded", to_set=row,
                               from_set=row, requested_by_kind="system", started_at=now, ended_at=now, consistent=True)
    Stage.objects.update(current_set=row)


@contextlib.contextmanager
def served(name: str) -> Iterator[tuple[int, int]]:
    """A gunicorn with one worker, with the project's own configuration; yields its port and pid."""
    port, bare = free_port(), name != "ours"
    environ = os.environ | SERVERS[name] | {"PORT": str(port), "WEB_WORKERS": "1", "LOG_LEVEL": "INFO"}
    with (here(environ) / f"{name}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "gunicorn", *(["bench.barepages:application"] if bare else [])],
                                   cwd=ROOT, env=environ, stdout=log, stderr=log)
    try:
        path = b"/constant" if bare else b"/healthz"
        until(lambda: asyncio.run(_answers(port, path)), 60, f"{name} answers")
        yield port, process.pid
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        process.kill()
        process.wait()


async def _answers(port: int, path: bytes) -> bool:
    with contextlib.suppress(OSError):
        link = await Link.open("127.0.0.1", port)
        answer = await link.send(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        link.close()
        return answer.status == 200
    return False


async def lap(port: int, requests: list[bytes]) -> None:
    """Send them over CLIENTS kept connections. Raises RuntimeError for an answer that is no success."""
    links = [await Link.open("127.0.0.1", port) for _ in range(CLIENTS)]

    async def one(link: Link, mine: list[bytes]) -> None:
        for data in mine:
            answer = await link.send(data)
            if answer.status != 200:
                raise RuntimeError(f"{data.splitlines()[0]!r}: {answer.status} {answer.body[:300]!r}")
        link.close()

    await asyncio.gather(*(one(link, requests[number::CLIENTS]) for number, link in enumerate(links)))


def measure(all_cases: list[Case], headers: dict[str, str]) -> dict[tuple[str, str], list[float]]:
    """{(case, server): ms of processor time per request, a figure per lap}."""
    found: dict[tuple[str, str], list[float]] = {}
    with contextlib.ExitStack() as stack:
        places = {name: stack.enter_context(served(name)) for name in SERVERS}
        for number in range(LAPS + 1):
            Queue.objects.update(draining=False)  # so that a push wakes the queue, as when its jobs are run at once
            for case in all_cases:
                for name in list(places) if number % 2 else list(places)[::-1]:
                    make = case.data if name == "ours" else case.bare_data
                    requests = [make(n, headers) for n in range(EACH)]
                    port, pid = places[name]
                    before = processor_ms(pid)
                    asyncio.run(lap(port, requests))
                    if number:  # the first warms up
                        found.setdefault((case.name, name), []).append((processor_ms(pid) - before) / EACH)
    return found


def inside(all_cases: list[Case], headers: dict[str, str], *, profile: bool) -> dict[str, object]:
    """{case: statements of a request, or with `profile` the profiler's text}; in a process of its own, as a web process is."""
    asked = {case.name: [case.data(n, headers).decode("latin-1") for n in range(EACH)] for case in all_cases}
    environ = os.environ | {"GS2ADMIN_PROCESS": "web", "LOG_LEVEL": "INFO"}
    with (here(environ) / "inside.log").open("wb") as log:
        run = subprocess.run([sys.executable, "-m", "bench.onecall", *(["--profile"] if profile else [])], cwd=ROOT, env=environ,
                             input=json.dumps(asked).encode(), stdout=subprocess.PIPE, stderr=log, check=False, timeout=120)
    if run.returncode:
        raise RuntimeError(Path(log.name).read_text()[-3000:])
    return json.loads(run.stdout.splitlines()[-1])


def main() -> bool:
    """Prints the table; True always: it judges nothing."""
    names, headers = build()
    all_cases = cases(names)
    if os.environ.get("BENCH_PROFILE"):
        for name, text in inside(all_cases, headers, profile=True).items():
            print(f"\n── {name}\n{text}")
        return True
    statements = inside(all_cases, headers, profile=False)
    Queue.objects.update(draining=False)
    found = measure(all_cases, headers)
    rows = []
    for case in all_cases:
        ours, bare, least = ([*found[case.name, name]] for name in SERVERS)
        ratios = [percentile([one / other for one, other in zip(ours, beside, strict=True)], 0.5) for beside in (bare, least)]
        rows.append([case.name, *(f"{percentile(each, 0.5):.2f}" for each in (ours, bare, least)),
                     f"{statements[case.name]:.1f}", *(f"{ratio:.2f}" for ratio in ratios)])  # fmt: skip
    kind = "PostgreSQL" if os.environ["DATABASE_URL"].startswith("postgres") else "SQLite"
    table(f"Processor ms per request on {kind}, medians of {LAPS} laps of {EACH} ({machine()})",
          ("", "ours", "bare", "least", "statements", "ours / bare", "ours / least"), rows)
    return True
