"""A player with jobs of every kind in two namespaces, and runs that are carried out in this process."""

from __future__ import annotations

import io
import zipfile

import pytest

from gs2admin import engine
from gs2admin.identity.actors import SYSTEM
from jobqueue.models import GivenUp, Job, JobResult, Queue, UserDataRun
from jobqueue.services import Entry, push_jobs, replay_job, run_next
from jobqueue.services.namespaces import create_namespace
from jobqueue.userdata import checking, files, importing
from jobqueue.userdata import services as user_data
from jobqueue.userdata.archive import Archive
from jobqueue.userdata.format import to_ms
from jobqueue.userdata.tasks import perform


@pytest.fixture(autouse=True)
def rings(monkeypatch, settings, tmp_path):
    """What was rung for: [(task, id)]; and files in a directory of the test."""
    settings.STORAGES = settings.STORAGES | {
        "user_data": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": tmp_path / "files"},
        }
    }
    settings.DATA_DIR = tmp_path
    heard: list[tuple[str, int]] = []
    monkeypatch.setattr(engine, "wake", lambda task, pk: heard.append((task, pk)))
    monkeypatch.setattr(engine, "beat", lambda *_: False)
    return heard


@pytest.fixture(autouse=True)
def in_this_process(request, monkeypatch):
    """Files are read here and not in a process of their own, which takes a third of a second, unless a test says own_process."""
    if "own_process" not in request.fixturenames:
        monkeypatch.setattr(importing, "check", lambda file, size, _: checking.check(Archive(file, size)))


@pytest.fixture
def own_process() -> None:
    """Files are read as workers read them."""


@pytest.fixture
def namespaces(project):
    return [create_namespace(actor=SYSTEM, project=project, name=name) for name in ("alpha", "beta")]


@pytest.fixture
def player(namespaces) -> str:
    """user-0001: waiting, tried, done, given-up and replayed jobs; user-0002 has one that nobody may touch."""
    alpha, beta = namespaces

    def push(namespace, script, user="user-0001", args='{"id": 9007199254740993}', tries=2):
        (job,), _ = push_jobs(actor=SYSTEM, namespace=namespace, user_id=user, entries=[Entry(script, args, tries)])
        return job

    dead = push(alpha, "nowhere", tries=1)
    run_next(actor=SYSTEM, namespace=alpha, user_id="user-0001")
    replay_job(actor=SYSTEM, namespace=alpha, job=Job.objects.get(pk=dead.pk))
    run_next(actor=SYSTEM, namespace=alpha, user_id="user-0001")
    done = push(beta, "fine")
    Job.objects.filter(pk=done.pk).update(state="done", try_count=2)
    for number, status in ((0, 500), (1, 200)):
        JobResult.objects.create(
            job=done, try_number=number, status_code=status, result='{"ü": "\u2028"}', output="a\nb"
        )
    Queue.objects.filter(pk=done.queue_id).update(waiting=0, head_at=None)
    for n in range(3):
        push(alpha, f"script-{n}")
        push(beta, f"script-{n}", args='{ "keep" :  1.0 }')
    run_next(actor=SYSTEM, namespace=beta, user_id="user-0001")
    push(alpha, "hers", user="user-0002")
    return "user-0001"


def picture(project, user: str, names: bool = True) -> dict:
    """Everything of a player that must survive: jobs in order with their results, counters, given-up lines."""
    found: dict = {}
    for queue in Queue.objects.filter(namespace__project=project, user_id=user).order_by("namespace__name"):
        jobs = []
        for job in Job.objects.filter(queue=queue).select_related("replay_of").order_by("id"):
            results = JobResult.objects.filter(job=job).order_by("try_number")
            jobs.append((
                str(job.name) if names else "", job.script_id, job.args, job.max_try_count, job.try_count, job.state,
                to_ms(job.created_at), job.replay_of.script_id if job.replay_of else None,
                [(r.try_number, r.status_code, r.result, r.output, r.took_ms, to_ms(r.tried_at)) for r in results],
            ))  # fmt: skip
        waiting = [job for job in jobs if job[5] == "waiting"]
        assert queue.waiting == len(waiting) and (queue.head_at is None) == (not waiting)
        # Given-up jobs come first after an import; the order of those that wait is what counts.
        found[queue.namespace.name] = sorted(jobs, key=lambda job: job[5] == "waiting")
    lines = GivenUp.objects.filter(namespace__project=project, user_id=user).order_by("namespace__name", "at")
    found["given up"] = [
        (line.namespace.name, line.script, line.status_code, line.replayed_at is not None) for line in lines
    ]
    return found


@pytest.fixture
def dump(project):
    """dump(user) -> the bytes of a finished dump."""

    def act(user: str) -> bytes:
        run = user_data.start_dump(actor=SYSTEM, project=project, user_id=user)
        perform(run.pk)
        run.refresh_from_db()
        assert run.state == "done", run.error
        with files.storage().open(run.file) as file:
            return file.read()

    return act


@pytest.fixture
def upload(project):
    """upload(user, data) -> an import that is waiting for a worker."""

    def act(user: str, data: bytes) -> UserDataRun:
        run = user_data.prepare_import(actor=SYSTEM, project=project, user_id=user)
        user_data.receive_upload(run=run, stream=io.BytesIO(data), length=len(data))
        return user_data.start_import(actor=SYSTEM, project=project, user_id=user, token=str(run.token))

    return act


@pytest.fixture
def entries():
    """entries(zip bytes) -> {name: bytes}; pack(entries) -> zip bytes."""

    def act(data: bytes) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    return act


def pack(entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these entries."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()
