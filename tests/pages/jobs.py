"""Queues with everything a page can show, run by functions: a failed head, a tail, a given-up job, a done one."""
from __future__ import annotations

import io
import json
from types import SimpleNamespace

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages

from gs2admin.identity.actors import SYSTEM
from jobqueue.execution import attempt
from jobqueue.execution.attempt import Ended, errors
from jobqueue.models import Job, UserDataRun
from jobqueue.services import Entry, push_jobs, run_next
from jobqueue.services.namespaces import create_namespace, create_script_namespace
from jobqueue.services.scripts import create_script
from jobqueue.userdata import services as user_data
from jobqueue.userdata.archive import Archive
from jobqueue.userdata.checking import look
from jobqueue.userdata.format import FORMAT, GIVEN_UP, JOBS, MANIFEST, RESULTS, VERSION, Counts, Manifest
from tests.replaying import Replay
from tests.userdata.conftest import pack

ARGS = '{"userId":"u-1","itemId":9007199254740993,"rate":1.10,"rate":2E5,"note":"<b>not bold</b>"}'


class ScriptedAttempts:
    """Stands in for Lua: on[script] = status code or Ended; others succeed."""

    def __init__(self) -> None:
        self.on, self.ran = {}, []

    def perform(self, *, project, user_id, script_id, args, tick) -> Ended:
        self.ran.append((user_id, script_id, args))
        found = self.on.get(script_id, 200)
        if isinstance(found, Ended):
            return found
        body = json.dumps({"ok": True}) if found < 300 else errors("item", "item.notFound")
        return Ended(found, body, f"looked at {script_id}", took_ms=12)


@pytest.fixture
def attempts(monkeypatch):
    """What scripts do; nothing here needs Lua."""
    found = ScriptedAttempts()
    monkeypatch.setattr(attempt, "perform", found.perform)
    return found


@pytest.fixture
def push():
    """push(namespace, "script", user="u-1", args="{}", tries=3) -> Job"""

    def act(namespace, script="grant", user="u-1", args="{}", tries=3) -> Job:
        (job,), _ = push_jobs(actor=SYSTEM, namespace=namespace, user_id=user, entries=[Entry(script, args, tries)])
        return job

    return act


MADE = Replay()


@pytest.fixture
def job_world(project, attempts, push, settings, tmp_path):
    """rewards, run by hand: of u-1 a done, a given-up, a failed and a waiting job. .done .dead .head .tail

    .upload: an import for u-1 whose file, of u-2, is uploaded; files are in a directory of the test. .part: of a player's page.
    """
    place = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path / "files"}}
    settings.STORAGES = settings.STORAGES | {"user_data": place}
    settings.DATA_DIR = tmp_path
    attempts.on["bad"] = 404
    found = MADE.get(project.pk, lambda: _jobs(project, push))
    name = UserDataRun.objects.values_list("file", flat=True).get(pk=found.upload.pk)
    if not storages["user_data"].exists(name):  # its rows are those of a test before
        storages["user_data"].save(name, ContentFile(empty_dump("u-2", project)))
    return found


def _jobs(project, push) -> SimpleNamespace:
    rewards = create_namespace(actor=SYSTEM, project=project, name="rewards", description="Grants that may come later.",
                               run_notification={"enable": "Enabled"})  # fmt: skip
    step = lambda: run_next(actor=SYSTEM, namespace=rewards, user_id="u-1")  # noqa: E731
    done, dead = push(rewards, "good"), push(rewards, "bad", tries=1)
    head, tail = push(rewards, "bad", args=ARGS), push(rewards, "add_entry")
    step(), step(), step()
    fresh = {name: Job.objects.get(pk=job.pk) for name, job in (("done", done), ("dead", dead), ("head", head), ("tail", tail))}
    namespace = create_script_namespace(actor=SYSTEM, project=project, name="default")
    script = create_script(actor=SYSTEM, namespace=namespace, name="grant", source="local a = 1\nresult = { ok = true }\n")
    upload = user_data.prepare_import(actor=SYSTEM, project=project, user_id="u-1")
    data = empty_dump("u-2", project)
    user_data.receive_upload(run=upload, stream=io.BytesIO(data), length=len(data))
    # What a worker's look says of it; the look itself, in a process of its own, has its own tests.
    said = look(Archive(io.BytesIO(data), len(data))).text()
    UserDataRun.objects.filter(pk=upload.pk).update(said=said)
    return SimpleNamespace(rewards=rewards, namespace=namespace, script=script, upload=upload, part="queues", **fresh)


def empty_dump(user: str, project) -> bytes:
    """The export of a player who has nothing."""
    manifest = Manifest(format=FORMAT, version=VERSION, user_id=user, owner_id=project.owner_id, created_at=1_700_000_000_000,
                        counts=Counts(jobs=0, given_up=0, results=0))
    return pack({MANIFEST: manifest.text().encode(), JOBS: b"", GIVEN_UP: b"", RESULTS: b""})
