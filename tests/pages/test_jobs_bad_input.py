"""Bad input through the pages: a clear answer, nothing lost, nothing half done."""
from __future__ import annotations

from html import unescape
from urllib.parse import quote

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from jobqueue import tasks
from jobqueue.execution import attempt
from jobqueue.execution.attempt import Ended
from jobqueue.models import GivenUp, Job, JobResult, Namespace, Queue, Script, Tally
from jobqueue.services import Entry, push_jobs, run_next
from jobqueue.services.namespaces import create_namespace, create_script_namespace, delete_namespace
from jobqueue.services.scripts import create_script

pytestmark = pytest.mark.django_db
LINES = 1_310_715
BROKEN = "-- \n" * LINES + "result = = 1\n"


def at(name: str, **words) -> str:
    return reverse(name, kwargs={"project": "isles", **words})


@pytest.fixture
def rewards(project) -> Namespace:
    return create_namespace(actor=SYSTEM, project=project, name="rewards")


@pytest.fixture
def default(project):
    return create_script_namespace(actor=SYSTEM, project=project, name="default")


def push(namespace: Namespace, script: str = "s", user: str = "u-1", tries: int = 1) -> Job:
    (job,), _ = push_jobs(actor=SYSTEM, namespace=namespace, user_id=user, entries=[Entry(script, "{}", tries)])
    return job


def test_five_megabytes_that_do_not_parse_are_refused_at_run_and_the_pages_name_the_line(sign_in, developer, rewards, default):
    create_script(actor=SYSTEM, namespace=default, name="huge", source=BROKEN)
    job = push(rewards, "huge")
    run_next(actor=SYSTEM, namespace=rewards, user_id="u-1")
    client = sign_in(developer)
    for url in (at("queues-job", job=job.name), f"{at('queues-user', namespace='rewards')}?id=u-1",
                at("queues-given-up", namespace="rewards")):
        html = unescape(client.get(url).content.decode())
        assert f"line {LINES + 1}" in html and ">400</span>" in html and len(html) < 200_000, url
    assert "".join(part.decode() for part in client.get(at("scripts-text", namespace="default", script="huge"))) == BROKEN


def test_a_form_of_five_megabytes_is_a_sentence_and_changes_nothing(sign_in, developer, default):
    row = create_script(actor=SYSTEM, namespace=default, name="kept", source="result = {}\n")
    client, before = sign_in(developer), Activity.objects.count()
    for url in (at("scripts-script", namespace="default", script="kept"), at("scripts-script-new", namespace="default")):
        answer = client.post(url, {"do": "save", "name": "fresh", "source": BROKEN, "args": "{}"})
        html = answer.content.decode()
        assert answer.status_code == 400 and "Traceback" not in html and "gs-" in html, "a page of ours"
    answer = client.post(at("scripts-script", namespace="default", script="kept"), {"do": "save", "source": "x" * 400_001, "args": "{}"})
    assert answer.status_code == 400 and "at most 400000 characters" in answer.content.decode()
    row.refresh_from_db()
    assert (row.source, row.revision, Script.objects.count(), Activity.objects.count()) == ("result = {}\n", 1, 1, before)


@pytest.fixture
def deleted_under_way(monkeypatch, rewards):
    """Whatever job runs, its namespace is deleted in the middle of it."""
    def perform(**_) -> Ended:
        delete_namespace(actor=SYSTEM, namespace=Namespace.objects.get(pk=rewards.pk))
        return Ended(200, "{}", "", took_ms=1)

    monkeypatch.setattr(attempt, "perform", perform)


def nothing_is_left() -> bool:
    return not any(model.objects.exists() for model in (Namespace, Queue, Job, JobResult, GivenUp, Tally))


@pytest.mark.parametrize("page", ["queues-run", "queues-run-all"])
def test_a_namespace_deleted_while_support_runs_its_jobs(sign_in, support, rewards, deleted_under_way, page):
    push(rewards)
    push(rewards)
    client = sign_in(support)
    answer = client.post(f"{at(page, namespace='rewards')}?id={quote('u-1')}", {"reason": "r"})
    html = unescape(answer.content.decode())
    assert answer.status_code in (400, 404) and "This namespace is gone" in html
    assert nothing_is_left() and not Activity.objects.filter(action__startswith="job.run").exists()
    assert client.get(at("queues-namespace", namespace="rewards")).status_code == 404
    assert client.get(at("queues-live", namespace="rewards"), headers={"HX-Request": "true"}).status_code == 404


def test_a_namespace_deleted_while_the_server_runs_its_jobs(project, monkeypatch, rewards, deleted_under_way):
    Namespace.objects.update(enable_auto_run=True)
    rewards.refresh_from_db()
    jobs = [push(rewards) for _ in range(3)]
    tasks.drain(jobs[0].queue_id)
    assert nothing_is_left()
    tasks.drain(jobs[0].queue_id)  # a bell that was rung before
    assert nothing_is_left()


@pytest.mark.parametrize("args", ["", "{", "{'a': 1}", "NaN", '{"a": Infinity}', "[1,]", "{}x", "\ufeff{}"])
def test_arguments_that_are_not_json_are_refused_beside_the_form_and_kept(sign_in, developer, rewards, args):
    client = sign_in(developer)
    answer = client.post(at("queues-push", namespace="rewards"),
                         {"user_id": "u-1", "script_id": "s", "args": args, "max_try_count": "3"})
    if not args:
        assert answer.status_code == 302 and Job.objects.get().args == "{}"
        return
    html = unescape(answer.content.decode())
    assert answer.status_code == 400 and "The arguments are not JSON text." in html and args in html
    assert not Job.objects.exists() and not Queue.objects.exists()


@pytest.mark.parametrize("kind", ["queues", "scripts", "locks"])
@pytest.mark.parametrize("text", ['{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"a": NaN}', '{"a": -Infinity}', '{"a": ' + "[" * 500 + "]" * 500 + "}"])
def test_a_setting_that_no_database_holds_is_named_beside_its_field(sign_in, owner, project, kind, text):
    page = {"queues": "queues-new", "scripts": "scripts-new", "locks": "locks-new"}[kind]
    answer = sign_in(owner).post(at(page), {"name": "fresh", "log_setting": text})
    html = unescape(answer.content.decode())
    assert answer.status_code == 400 and "log_setting holds a character that is no text" in html
    assert "already" not in html, "it is not the name that is wrong"
