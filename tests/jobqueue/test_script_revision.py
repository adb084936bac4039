"""A job that ran says which revision of its script ran: each attempt its own, on the row and on the pages."""
from __future__ import annotations

import re

import pytest
from django.urls import reverse

from gs2admin.identity.actors import SYSTEM
from jobqueue.execution import attempt
from jobqueue.execution import scripts as cached
from jobqueue.models import JobResult, Queue
from jobqueue.scripting.outcome import Outcome
from jobqueue.services import scripts
from jobqueue.services.namespaces import create_script_namespace
from jobqueue.services.runs import run_one

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(project, monkeypatch):
    """Gives `default/reward`, which fails by its text; what it runs is the text that the attempt read."""
    monkeypatch.setattr(attempt, "run_source", lambda found, **_: Outcome(500 if "fail" in found.source else 200, "{}"))
    space = create_script_namespace(actor=SYSTEM, project=project, name="default")
    return scripts.create_script(actor=SYSTEM, namespace=space, name="reward", source="fail()")


def change(script, source: str) -> None:
    scripts.update_script(actor=SYSTEM, script=script, source=source)
    cached.forget()


def revisions(job) -> list[tuple[int, int | None]]:
    return list(JobResult.objects.filter(job=job).order_by("try_number").values_list("status_code", "script_revision"))


@pytest.mark.parametrize("how", ["by the server", "by hand"])
def test_each_attempt_keeps_the_revision_that_ran(script, auto, manual, push, drain, how):
    namespace = auto if how == "by the server" else manual

    def again():
        if namespace is auto:
            return drain(auto, over=True)
        return run_one(actor=SYSTEM, namespace=manual, user_id="u")

    job = push(namespace, "reward")
    again()
    change(script, "fail() -- again")
    again()
    change(script, "result = 1")
    again()
    assert revisions(job) == [(500, 1), (500, 2), (200, 3)]


def test_what_ran_no_script_has_none(project, manual, push, script, forget_holder):
    jobs = [push(manual, name, tries=1) for name in ("nobody", "execute_lock_describe_namespaces")]
    for _ in jobs:
        run_one(actor=SYSTEM, namespace=manual, user_id="u")
    assert [revisions(job)[0][1] for job in jobs] == [None, None] and revisions(jobs[0]) == [(404, None)]


def test_the_pages_say_the_revision_and_lead_to_it(client, producer, project, script, manual, push):
    job, user = push(manual, "reward"), Queue.objects.get().user_id
    change(script, "result = 1")
    run_one(actor=SYSTEM, namespace=manual, user_id=user)
    client.force_login(producer)
    page = client.get(reverse("queues-job", kwargs={"project": project.name, "job": job.name})).content.decode()
    link = re.search(r'href="([^"]*revision=2)"[^>]*>\s*revision 2\s+of the script', page)
    assert client.get(link[1]).status_code == 200
    past = reverse("player-part", kwargs={"project": project.name, "part": "past"})
    found = client.get(past, {"id": user}, headers={"HX-Request": "true"})
    assert "revision 2 of the script" in " ".join(found.content.decode().split())
