"""Data fixes of locks: everything opens, writes go through the services, refusals are sentences."""
from __future__ import annotations

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import User
from locks.models import Holding, LockNamespace, Mutex
from locks.services import lock, unlock
from locks.services.namespaces import create_namespace, server_namespace
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client):
    client.force_login(User.objects.create_superuser("root", password=PASSWORD))
    return client


@pytest.fixture
def held(project) -> Mutex:
    """A mutex that was held once and is held again."""
    more = {"actor": SYSTEM, "namespace": create_namespace(actor=SYSTEM, project=project, name="trades"), "user_id": "u-1",
            "property_id": "p", "transaction_id": "t"}  # fmt: skip
    lock(**more, ttl_s=60), unlock(**more), lock(**more, ttl_s=10**18)
    return Mutex.objects.get()


def at(model, name="changelist", *args) -> str:
    return reverse(f"admin:locks_{model._meta.model_name}_{name}", args=args)


def errors_of(answer) -> str:
    html = answer.content.decode()
    return html.split('class="errorlist')[1].split("</ul>")[0] if 'class="errorlist' in html else ""


@pytest.mark.parametrize("model", [LockNamespace, Mutex, Holding], ids=lambda model: model.__name__)
def test_every_list_and_every_row_opens(root, held, model):
    row = model.objects.first()
    assert root.get(at(model)).status_code == 200
    assert root.get(at(model, "change", row.pk)).status_code == 200
    if model is not Holding:
        assert root.get(at(model), {"q": "u-1"}).status_code == 200


def test_a_mutex_is_released_with_a_reason_and_nothing_else_of_it_changes(root, held):
    url = at(Mutex, "change", held.pk)
    assert "Nothing was chosen" in errors_of(root.post(url, {"counter": "0", "revision": "0", "reason": "x"}))
    assert "Say why" in errors_of(root.post(url, {"release": "on"}))
    held.refresh_from_db()
    assert (held.counter, held.revision) == (1, 2)
    assert root.post(url, {"release": "on", "reason": "stuck"}).status_code == 302
    held.refresh_from_db()
    assert (held.counter, held.ended, held.ended_by) == (0, "forced", "root")
    line = Activity.objects.get(action="mutex.force_release")
    assert (line.door, line.reason, line.project_id) == ("admin", "stuck", held.namespace.project_id)
    assert "This mutex is free" in errors_of(root.post(url, {"release": "on", "reason": "again"}))
    assert root.get(at(Mutex, "add")).status_code == 403
    assert root.post(at(Mutex, "delete", held.pk), {"post": "yes"}).status_code == 403


def test_history_is_for_looking(root, held):
    row = Holding.objects.get()
    assert root.post(at(Holding, "change", row.pk), {}).status_code == 403
    assert root.post(at(Holding, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_a_namespace_is_made_changed_and_deleted_through_the_services(root, project):
    sent = {"project": project.pk, "name": "n", "description": "", "log_setting": "null"}
    assert root.post(at(LockNamespace, "add"), sent).status_code == 302
    row = LockNamespace.objects.get()
    changed = {"description": "d", "log_setting": '{"loggingNamespaceId": "grn:x"}', "reason": "fix"}
    assert root.post(at(LockNamespace, "change", row.pk), changed).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.description, row.revision) == ("n", "d", 2)
    for bad, sentence in (({"name": "n"}, "There is a namespace called n"), ({"name": "me"}, "A name is made of"),
                          ({"name": "o", "log_setting": "[1]"}, "This is a JSON object"),
                          ({"name": "o", "project": ""}, "This field is required")):  # fmt: skip
        answer = root.post(at(LockNamespace, "add"), sent | bad)
        assert answer.status_code == 200 and sentence in errors_of(answer)
    root.post(at(LockNamespace, "delete", row.pk), {"post": "yes", "reason": "closed"})
    assert not LockNamespace.objects.exists()
    lines = Activity.objects.filter(action__startswith="lock_namespace").order_by("id").values_list("action", "door", "reason")
    assert list(lines) == [("lock_namespace.create", "admin", ""), ("lock_namespace.update", "admin", "fix"),
                           ("lock_namespace.delete", "admin", "closed")]  # fmt: skip


def test_the_servers_own_namespace_stays(root):
    namespace = server_namespace()
    answer = root.post(at(LockNamespace, "delete", namespace.pk), {"post": "yes"}, follow=True)
    assert "it stays" in answer.content.decode() and LockNamespace.objects.filter(pk=namespace.pk, status="ACTIVE").exists()
