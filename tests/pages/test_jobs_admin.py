"""Data fixes of queues and scripts: everything opens, writes go through the services, refusals are sentences."""
from __future__ import annotations

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.models import User
from jobqueue.models import (
    GivenUp,
    Job,
    JobResult,
    Namespace,
    Notification,
    Queue,
    Script,
    ScriptNamespace,
    ScriptVersion,
)
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
OURS = (Namespace, Queue, Job, JobResult, GivenUp, Notification, ScriptNamespace, Script, ScriptVersion)
LOOK_ONLY = (Queue, JobResult, GivenUp, Notification, ScriptVersion)


@pytest.fixture
def root(client, job_world):
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client


def at(model, name="changelist", *args) -> str:
    return reverse(f"admin:jobqueue_{model._meta.model_name}_{name}", args=args)


def errors_of(answer) -> str:
    html = answer.content.decode()
    return html.split('class="errorlist')[1].split("</ul>")[0] if 'class="errorlist' in html else ""


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_every_list_and_every_row_opens(root, model):
    row = model.objects.order_by("-pk").first()
    assert row is not None
    assert root.get(at(model)).status_code == 200
    assert root.get(at(model, "change", row.pk)).status_code == 200
    if model in (Queue, Job, Namespace, Script):
        assert root.get(at(model), {"q": "u-1"}).status_code == 200


@pytest.mark.parametrize("model", LOOK_ONLY, ids=lambda model: model.__name__)
def test_what_was_written_by_workers_is_for_looking(root, model):
    row = model.objects.order_by("-pk").first()
    assert root.get(at(model, "add")).status_code == 403
    assert root.post(at(model, "change", row.pk), {}).status_code == 403
    assert root.post(at(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_a_jobs_state_and_tries_cannot_be_set(root, job_world):
    sent = {"state": "done", "try_count": "0", "max_try_count": "0"}
    assert root.post(at(Job, "change", job_world.head.pk), sent).status_code == 403
    job = Job.objects.get(pk=job_world.head.pk)
    assert (job.state, job.try_count) == ("waiting", 1)


def test_deleting_a_job_counts_its_queue_down_and_leaves_a_line(root, job_world):
    before = Queue.objects.get(pk=job_world.head.queue_id)
    root.post(at(Job, "delete", job_world.head.pk), {"post": "yes", "reason": "broken"})
    queue = Queue.objects.get(pk=before.pk)
    assert (queue.waiting, queue.head_tries) == (before.waiting - 1, 0)
    line = Activity.objects.get(action="job.delete")
    assert (line.door, line.reason) == ("admin", "broken")


def test_a_namespace_is_changed_through_the_service(root, job_world):
    row = job_world.rewards
    sent = {"description": "new", "enable_auto_run": "on", "log_setting": '{"loggingNamespaceId": "grn:x"}', "reason": "fix",
            **dict.fromkeys(("transaction_setting", "transaction_setting_v2", "push_notification", "run_notification"), "null")}
    assert root.post(at(Namespace, "change", row.pk), sent).status_code == 302
    now = Namespace.objects.get(pk=row.pk)
    assert (now.description, now.enable_auto_run, now.revision) == ("new", True, row.revision + 1)
    assert Queue.objects.get(namespace=row).draining, "auto-run begins at once"
    assert Activity.objects.get(action="queue_namespace.update").reason == "fix"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [("name", "rewards", "There is a namespace called rewards already"), ("name", "me", "A name is made of"),
     ("log_setting", "[1]", "This is a JSON object")],
)  # fmt: skip
def test_a_namespace_that_cannot_be_is_refused_with_a_sentence(root, project, field, value, sentence):
    sent = {"project": project.pk, "name": "ok", field: value}
    answer = root.post(at(Namespace, "add"), sent)
    assert answer.status_code == 200 and sentence in errors_of(answer)
    assert Namespace.objects.count() == 1


def test_a_script_gets_a_version_and_its_name_stays(root, job_world):
    row = job_world.script
    sent = {"name": "other", "source": "result = { n = 2 }\r\n", "description": "", "reason": "r"}
    assert root.post(at(Script, "change", row.pk), sent).status_code == 302
    now = Script.objects.get(pk=row.pk)
    assert (now.name, now.source, now.revision) == ("grant", "result = { n = 2 }\n", 2)
    assert now.versions.count() == 2


def test_a_script_of_a_taken_name_is_refused(root, job_world):
    answer = root.post(at(Script, "add"), {"namespace": job_world.namespace.pk, "name": "grant", "source": "x", "description": ""})
    assert "There is a script called grant already" in errors_of(answer)


def test_namespaces_are_deleted_with_what_is_in_them(root, job_world):
    root.post(at(Namespace, "delete", job_world.rewards.pk), {"post": "yes", "reason": "closed"})
    root.post(at(ScriptNamespace, "delete", job_world.namespace.pk), {"post": "yes", "reason": "closed"})
    assert not Job.objects.exists() and not Script.objects.exists()
    assert set(Activity.objects.filter(reason="closed").values_list("door", flat=True)) == {"admin"}
