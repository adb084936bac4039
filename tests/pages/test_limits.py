"""Each limit of docs/operations.md as clients and people meet it: the answer in the form of its door, through the door."""
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from bench.fuzzing.judge import Answer, door_of, faults
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential
from gs2admin.identity.services.stamp_keys import create_stamp_key
from gs2admin.identity.tokens import issue_project_token
from jobqueue import services as jobs
from jobqueue.models import Job, UserDataRun
from jobqueue.scripting import pool
from jobqueue.services import room
from jobqueue.services.namespaces import create_namespace, create_script_namespace
from jobqueue.services.scripts import create_script
from jobqueue.states import JobState
from stages.gates import services as gates
from stages.setup import scenarios
from stages.setup.stages import create_stage
from stages.webhooks import services as webhooks
from tests.pages.test_scenarios import FORM as SCENARIO
from tests.wire.jobs_world import sheet

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _counted_anew():
    room.forget()


@pytest.fixture
def ask(project):
    """ask(verb, path, body) -> (status, body) by a program with all rights; every refusal has the form of its door."""
    row, _ = create_credential(actor=SYSTEM, project=project, name="program", role="admin", signs=True)
    token = issue_project_token(row)

    def act(verb: str, path: str, body: dict | None = None) -> tuple[int, dict]:
        found = Client().generic(verb, path, json.dumps(body or {}), "application/json", HTTP_AUTHORIZATION=f"Bearer {token}",
                                 HTTP_X_AUTH_TOKEN=token, RAW_URI=path)
        answer = Answer(found.status_code, {name.lower(): value for name, value in found.headers.items()}, found.content)
        assert faults(door_of(path), verb, answer) == []
        return found.status_code, found.json()

    return act


@pytest.fixture
def fill(sign_in, owner):
    """fill(route, fields, **arguments) -> (status, text): the form is opened, and sent with its hidden fields."""
    client = sign_in(owner)

    def act(route: str, fields: dict | None = None, query: str = "", **words) -> tuple[int, str]:
        url = reverse(route, kwargs={"project": "isles", **words}) + query
        opened = client.get(url).content.decode()
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', opened))
        answer = client.post(url, {**hidden, **(fields or {})}, follow=True)
        text = " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())
        return answer.status_code, text

    return act


def refused(answer: tuple[int, dict], word: str) -> None:
    """The quota's answer of a GS2 client."""
    status, body = answer
    [element] = json.loads(body["message"])
    assert (status, element["message"], element["code"], element["component"]) == (402, word, word, word.split(".")[1]), body


# ── namespaces, scripts, credentials: what people and programs make one by one ───────────────────────────────


@pytest.mark.parametrize("service, words", [("job-queue", "jobQueue"), ("script", "script"), ("lock", "lock")])
def test_namespaces_by_a_client(ask, settings, service, words):
    settings.MAX_NAMESPACES = 1
    assert ask("POST", f"/{service}/", {"name": "one"})[0] == 200
    refused(ask("POST", f"/{service}/", {"name": "two"}), f"{words}.namespace.namespace.error.tooMany")


@pytest.mark.parametrize("route", ["queues-new", "scripts-new", "locks-new"])
def test_namespaces_on_a_page(fill, settings, route):
    settings.MAX_NAMESPACES = 1
    assert fill(route, {"name": "one"})[0] == 200
    status, text = fill(route, {"name": "two"})
    assert status in (400, 402) and "as many as there may be. Remove one first." in text


def test_scripts(ask, fill, settings, project):
    settings.MAX_SCRIPTS = 1
    create_script_namespace(actor=SYSTEM, project=project, name="s")
    assert ask("POST", "/script/s/script", {"name": "one", "script": "result = {}"})[0] == 200
    refused(ask("POST", "/script/s/script", {"name": "two", "script": "result = {}"}), "script.script.script.error.tooMany")
    status, text = fill("scripts-script-new", {"do": "save", "name": "two", "source": "x", "args": "{}"}, namespace="s")
    assert status in (400, 402) and "as many as there may be" in text


def test_credentials_and_stamp_keys(fill, settings, project):
    create_credential(actor=SYSTEM, project=project, name="one")
    create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name="one")
    settings.MAX_CREDENTIALS = 1
    for route, fields in (("credential-new", {"name": "two", "role": "service"}), ("stampkey-new", {"namespace": "shop", "name": "two"})):
        status, text = fill(route, fields)
        assert status in (400, 402) and "as many as there may be. Remove one first." in text, route


# ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def queue(project):
    create_namespace(actor=SYSTEM, project=project, name="other")
    return create_namespace(actor=SYSTEM, project=project, name="rewards")


PUSH = "/job-queue/rewards/user/u-1/job"
ONE = {"scriptId": "x", "args": "{}"}
TOO_MANY = "jobQueue.namespace.jobs.error.tooMany"


def test_jobs_that_wait_in_a_namespace_whoever_pushes(ask, fill, settings, queue, project):
    settings.JOB_WAITING = 2
    _, secret = create_stamp_key(actor=SYSTEM, project=project, namespace="default", name="sheets")
    assert ask("POST", PUSH, {"jobs": [ONE, ONE]})[0] == 200
    refused(ask("POST", PUSH, {"jobs": [ONE]}), TOO_MANY)
    order = {"namespaceName": "rewards", "userId": "u-2", "jobs": [ONE]}
    key = "grn:gs2:ap-northeast-1:isles-owner:key:default:key:sheets"
    refused(ask("POST", "/job-queue/stamp/job", {"stampSheet": sheet("Gs2JobQueue:PushByUserId", order, secret=secret), "keyId": key}),
            TOO_MANY)
    source = "local a = gs2('job_queue').push_by_user_id({namespaceName = 'rewards', userId = 'u', jobs = {{scriptId = 'x'}}})" \
             " result = {status = a.statusCode, said = a.errorMessage}"
    status, found = ask("POST", "/script/debug/invoke", {"script": source, "userId": "u", "args": "{}"})
    assert status == 200 and json.loads(found["result"])["status"] == 402 and TOO_MANY in found["result"], found
    status, text = fill("queues-push", {"user_id": "u-1", "script_id": "x", "args": "{}", "max_try_count": "3"}, namespace="rewards")
    assert status in (400, 402) and "At most 2 jobs may wait in rewards" in text
    assert ask("POST", PUSH.replace("rewards", "other"), {"jobs": [ONE]})[0] == 200, "another namespace has its own"
    assert Job.objects.filter(queue__namespace=queue).count() == 2


def test_jobs_of_one_push(ask, queue):
    status, body = ask("POST", PUSH, {"jobs": [ONE] * 11})
    assert status == 400 and "jobQueue.job.jobs.error.tooMany" in body["message"]


def test_jobs_of_one_replay_and_room_for_it(fill, queue, settings, monkeypatch):
    from jobqueue.models import GivenUp

    for user in ("u-1", "u-2"):
        (job,), _ = jobs.push_jobs(actor=SYSTEM, namespace=queue, user_id=user, entries=[jobs.Entry("x")])
        Job.objects.filter(pk=job.pk).update(state=JobState.GIVEN_UP)
        GivenUp.objects.create(job=job, namespace=queue, user_id=user, script="x", status_code=500)
    monkeypatch.setattr("jobqueue.services.jobs.MAX_TOGETHER", 1)
    status, text = fill("queues-replay", {"reason": "again"}, namespace="rewards")
    assert status in (400, 402, 409) and "At most 1 jobs are changed at once; narrow the filter." in text, text
    monkeypatch.undo()
    settings.JOB_WAITING = 1
    room.forget()
    status, text = fill("queues-replay", {"reason": "again"}, namespace="rewards")
    assert status in (400, 402) and "At most 1 jobs may wait in rewards" in text, text
    assert not Job.objects.filter(replay_of__isnull=False).exists()


def test_generations_are_told_to_the_client_that_asks_for_the_result(ask, queue, settings):
    settings.JOB_GENERATIONS = 3
    (job,), _ = jobs.push_jobs(actor=SYSTEM, namespace=queue, user_id="u-1", entries=[jobs.Entry("x")])
    Job.objects.filter(pk=job.pk).update(generation=4)
    assert ask("POST", "/job-queue/rewards/user/u-1/job/run")[0] == 200
    status, body = ask("GET", f"{PUSH}/{job.name}/result")
    assert status == 200 and body["item"]["statusCode"] == 400
    assert "jobQueue.execution.generations" in body["item"]["result"]


# ── scripts ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def _runners_end():
    yield
    pool.runner().close()


@pytest.mark.parametrize("limits, source, status, code", [
    ({"SCRIPT_WALL_S": 1}, "while true do end", 504, "timeout"),
    ({"SCRIPT_MEMORY_MB": 32}, "local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e5) .. i end", 500, "memory"),
    ({"SCRIPT_CALLS": 3}, "for i = 1, 4 do gs2('job_queue').describe_namespaces({}) end", 500, "calls"),
])
def test_a_script_ends_with_a_status_that_says_which_limit(ask, settings, monkeypatch, limits, source, status, code, _runners_end):
    pool.runner().close()
    monkeypatch.setattr(pool, "_runner", None)
    for name, value in ({"SCRIPT_WALL_S": 120, "SCRIPT_CPU_S": 120} | limits).items():
        setattr(settings, name, value)
    found = ask("POST", "/script/debug/invoke", {"script": source, "userId": "u", "args": "{}"})
    assert (found[0], found[1]["code"]) == (200, status) and code in found[1]["result"], found


def test_while_all_runners_of_a_web_process_are_busy_a_script_is_answered_503_in_its_result(ask, fill, project, monkeypatch):
    space = create_script_namespace(actor=SYSTEM, project=project, name="default")
    create_script(actor=SYSTEM, namespace=space, name="mine", source="result = {}")
    busy = pool.Runner(1, wait_s=0.05)
    busy._places.get()
    monkeypatch.setattr(pool, "_runner", busy)
    for path, more in (("/script/debug/invoke", {"script": "result = {}"}), ("/script/invoke", {"scriptId": "mine"})):
        status, body = ask("POST", path, {"userId": "u", "args": "{}"} | more)
        assert status == 200 and body["code"] == 503 and "script.execution.busy" in body["result"], body
    status, text = fill("scripts-script", {"do": "try", "source": "result = {}", "args": "{}"}, namespace="default", script="mine")
    assert status == 200 and "all script runners of this server are busy" in text


@pytest.mark.parametrize("process, threads, expect", [("web", "4", (2, 2)), ("web", "1", (1, 2)), ("web", "64", (4, 2)), ("worker", "4", (4, 10))])
def test_a_web_process_lends_half_of_its_threads_to_scripts(process, threads, expect, tmp_path):
    code = "from gs2admin import settings as s; print(s.SCRIPT_RUNNERS, s.SCRIPT_RUNNER_WAIT_S)"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GS2ADMIN", "WEB_", "DATABASE"))}
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False,
                           env=environ | {"WEB_THREADS": threads, "GS2ADMIN_DATA_DIR": str(tmp_path), "GS2ADMIN_PROCESS": process})
    assert found.stdout.split() == [str(each) for each in expect], found.stderr


# ── players' data, delivery ─────────────────────────────────────────────────────────────────────────────────


def test_dumps_erasures_and_imports_of_players_data(ask, fill, settings, project):
    settings.MAX_USER_DATA_RUNS = 1
    assert ask("POST", "/job-queue/system/dump/user/u-1")[0] == 200
    for path in ("dump/user/u-2", "clean/user/u-2", "import/user/u-2/prepare"):
        refused(ask("POST", f"/job-queue/system/{path}"), "jobQueue.userData.userData.error.tooMany")
    for route in ("player-dump", "player-erase", "player-import"):
        status, text = fill(route, {"reason": "x"}, query="?id=u-2")
        assert status in (400, 402) and "as many as there may be" in text, (route, text)
    assert UserDataRun.objects.count() == 1


def test_freeze_windows_scenarios_and_webhooks(ask, fill, project, monkeypatch):
    stage = create_stage(actor=SYSTEM, project=project, name="dev")
    for module in (gates, scenarios, webhooks):
        monkeypatch.setattr(module, "MOST", 1)
    window = {"name": "one", "stage": "", "time_zone": "UTC", "weekly": "", "starts": "2036-07-01T10:00", "ends": "2036-07-02T10:00"}
    hook = {"name": "one", "url": "https://example.com/x", "active": "on"}
    rows = SCENARIO
    at = {"stage": "dev"}
    assert fill("freeze-new", window)[0] == fill("webhook-new", hook)[0] == 200
    sd = f"/sourcedeploy/api/v1/project/{project.pk}/stage/{stage.pk}/scenario"
    config = {"strategy": "normal", "rollback": True, "file": {"type": "later"}}
    assert ask("POST", sd, {"name": "one", "config": config})[0] == 200
    status, body = ask("POST", sd, {"name": "two", "config": config})
    assert status == 400 and body["error"]["details"] == "A stage has at most 1 scenarios."
    for route, fields, words, sentence in (
        ("freeze-new", window, {}, "A project has at most 1 freeze windows; remove some that are over."),
        ("webhook-new", hook, {}, "A project has at most 1 webhooks."),
        ("scenario-new", rows, at, "A stage has at most 1 scenarios."),
    ):
        status, text = fill(route, fields | {"name": "two"}, **words)
        assert status in (400, 402) and sentence in text, (route, status, text)
