"""GS2-Lock by the official Python client, unmodified, against the running server."""
from __future__ import annotations

import json
import time

import pytest
from gs2 import core, lock

from gs2admin import __version__
from tests.wire.lockers import Lockers

GRN = "grn:gs2:ap-northeast-1:isles-owner:lock"
CLOCK_MS = 5_000


@pytest.fixture(scope="module")
def lockers(server):
    found = Lockers(server)
    yield found
    found.close()


def refused(kind, call, *, component: str = "mutex", message: str | None = None, code: str | None = None):
    with pytest.raises(kind) as refusal:
        call()
    first = refusal.value.errors[0]
    assert first.component == component
    assert message is None or first.message == message
    assert code is None or first.code == code


def about(ms: int, expected_ms: float) -> bool:
    return abs(ms - expected_ms) < CLOCK_MS


def test_the_seven_namespace_methods(lockers):
    client = lockers.client
    setting = lock.LogSetting().with_logging_namespace_id("grn:gs2:r:o:log:l")
    name = lockers.new_namespace(description="for trades", log_setting=setting)
    item = client.get_namespace(lock.GetNamespaceRequest().with_namespace_name(name)).item
    assert (item.namespace_id, item.name, item.description) == (f"{GRN}:{name}", name, "for trades")
    assert item.log_setting.to_dict() == setting.to_dict() and item.revision >= 1
    assert item.updated_at >= item.created_at > 1_700_000_000_000
    update = lock.UpdateNamespaceRequest().with_namespace_name(name)
    assert client.update_namespace(update).item.to_dict() == item.to_dict(), "what is omitted stays"
    changed = client.update_namespace(update.with_description("new")).item
    assert changed.description == "new" and changed.revision > item.revision
    assert changed.log_setting.to_dict() == setting.to_dict()
    status = lock.GetNamespaceStatusRequest().with_namespace_name(name)
    assert client.get_namespace_status(status).status == "ACTIVE"
    refused(core.ConflictException, lambda: client.create_namespace(lock.CreateNamespaceRequest().with_name(name)),
            component="namespace", message="lock.namespace.name.error.duplicate")  # fmt: skip
    assert client.get_service_version(lock.GetServiceVersionRequest()).item == __version__

    request = lock.DescribeNamespacesRequest().with_name_prefix("lock-t").with_limit(1)
    seen, token = [], None
    while True:
        page = client.describe_namespaces(request.with_page_token(token))
        seen += [one.name for one in page.items]
        token = page.next_page_token
        assert len(page.items) <= 1
        if token is None:
            break
    assert {name, lockers.namespace} <= set(seen) and len(seen) == len(set(seen))

    assert client.delete_namespace(lock.DeleteNamespaceRequest().with_namespace_name(name)).item.name == name
    refused(core.NotFoundException, lambda: client.get_namespace_status(status), component="namespace",
            message="lock.namespace.namespace.error.notFound")  # fmt: skip


def test_lock_get_unlock_by_user_id(lockers):
    held = lockers.lock("p-1", "t-1", 60)
    assert held.mutex_id == f"{GRN}:{lockers.namespace}:user:user-0001:property:p-1"
    assert (held.user_id, held.property_id, held.transaction_id, held.revision) == ("user-0001", "p-1", "t-1", 1)
    now = time.time() * 1000
    assert about(held.created_at, now) and about(held.ttl_at, now + 60_000)
    assert lockers.get("p-1").to_dict() == held.to_dict()
    refused(core.ConflictException, lambda: lockers.lock("p-1", "t-2"), code="lock.mutex.locked")
    again = lockers.lock("p-1", "t-1", 120)
    assert again.revision == held.revision and again.created_at == held.created_at and again.ttl_at > held.ttl_at
    assert lockers.unlock("p-1", "t-1").to_dict() == again.to_dict()
    refused(core.ConflictException, lambda: lockers.unlock("p-1", "t-2"), message="lock.mutex.transactionId.error.notMatch")
    assert lockers.unlock("p-1", "t-1").to_dict() == again.to_dict(), "the last unlock answers as it was"
    for call in (lambda: lockers.get("p-1"), lambda: lockers.unlock("p-1", "t-1"), lambda: lockers.delete("p-1")):
        refused(core.NotFoundException, call, message="lock.mutex.mutex.error.notFound")
    assert lockers.lock("p-1", "t-2").revision == 2


def test_the_players_own_methods(lockers):
    client = lockers.client

    def mine(request, user="user-0002"):
        token = lockers.token(user)
        return request.with_namespace_name(lockers.namespace).with_property_id("own").with_access_token(token)

    held = client.lock(mine(lock.LockRequest()).with_transaction_id("t").with_ttl(30)).item
    assert held.user_id == "user-0002" and client.get_mutex(mine(lock.GetMutexRequest())).item.to_dict() == held.to_dict()
    refused(core.NotFoundException, lambda: client.get_mutex(mine(lock.GetMutexRequest(), "user-0003")))
    assert lockers.get("own", user="user-0002").to_dict() == held.to_dict()
    page = lockers.server.call("GET", f"/lock/{lockers.namespace}/user/me/mutex",
                               headers={"X-GS2-ACCESS-TOKEN": lockers.token("user-0002")}).json()  # fmt: skip
    assert [item["propertyId"] for item in page["items"]] == ["own"] and page["nextPageToken"] is None
    assert client.unlock(mine(lock.UnlockRequest()).with_transaction_id("t")).item.to_dict() == held.to_dict()
    without = lock.GetMutexRequest().with_namespace_name(lockers.namespace).with_property_id("own")
    with pytest.raises(core.UnauthorizedException):
        client.get_mutex(without)
    with pytest.raises(core.UnauthorizedException):
        client.get_mutex(without.with_access_token("nobody"))


def test_delete_releases_whoever_holds_it(lockers):
    for _ in range(3):
        held = lockers.lock("p-2", "t-1")
    assert lockers.delete("p-2").to_dict() == held.to_dict()
    refused(core.NotFoundException, lambda: lockers.unlock("p-2", "t-1"))
    assert lockers.lock("p-2", "t-2").revision == held.revision + 1
    refused(core.ConflictException, lambda: lockers.unlock("p-2", "t-1"))


def test_it_ends_by_itself(lockers):
    lockers.lock("p-3", "t-1", 1)
    deadline = time.monotonic() + 10
    while True:
        try:
            taken = lockers.lock("p-3", "t-2", 1)
            break
        except core.ConflictException:
            assert time.monotonic() < deadline
    assert taken.revision == 2
    refused(core.ConflictException, lambda: lockers.unlock("p-3", "t-1"))


def test_a_refusal_says_when_to_try_again(lockers):
    lockers.lock("p-4", "t-1")
    path = f"/lock/{lockers.namespace}/user/user-0001/mutex/p-4/lock"
    seen = set()
    for _ in range(8):
        answer = lockers.server.call("POST", path, json={"transactionId": "t-2", "ttl": 5})
        assert answer.status_code == 409 and int(answer.headers["Retry-After"]) >= 1
        seen.add(int(answer.headers["Retry-After-Ms"]))
    assert len(seen) > 1 and all(0 < ms <= 5_000 for ms in seen)
    free = lockers.server.call("POST", path.replace("p-4", "p-5"), json={"transactionId": "t-2", "ttl": 5})
    assert "Retry-After" not in free.headers


def test_a_time_offset_moves_what_is_shown_and_not_when_it_ends(lockers):
    held = lockers.lock("p-6", "t-1", 60)
    shifted = lockers.get("p-6", offset=lockers.offset(86_400))
    assert (shifted.created_at - held.created_at, shifted.ttl_at - held.ttl_at) == (86_400_000, 86_400_000)
    token = lockers.token(offset=86_400)
    request = lock.LockRequest().with_namespace_name(lockers.namespace).with_property_id("p-6").with_ttl(60)
    refused(core.ConflictException, lambda: lockers.client.lock(request.with_access_token(token).with_transaction_id("t-2")))
    foreign = lockers.offset(5, user="somebody-else")
    with pytest.raises(core.UnauthorizedException):
        lockers.get("p-6", offset=foreign)


def test_withdrawn_lists_show_what_is_held_by_page(lockers):
    names = [f"page/{n}" for n in range(5)]
    for name in names:
        lockers.lock(name, "t", user="lister")
    lockers.unlock(names[2], "t", user="lister")
    path, seen, token = f"/lock/{lockers.namespace}/user/lister/mutex?limit=2", [], "null"
    while token:
        page = lockers.server.call("GET", f"{path}&pageToken={token}").json()
        seen += [item["propertyId"] for item in page["items"]]
        token = page["nextPageToken"]
    assert seen == [name for name in names if name != names[2]]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"ttl": 5}, "lock.mutex.transactionId.error.require"),
        ({"transactionId": "", "ttl": 5}, "lock.mutex.transactionId.error.require"),
        ({"transactionId": "x" * 257, "ttl": 5}, "lock.mutex.transactionId.error.tooLong"),
        ({"transactionId": "t"}, "lock.mutex.ttl.error.require"),
        ({"transactionId": "t", "ttl": 0}, "lock.mutex.ttl.error.invalid"),
        ({"transactionId": "t", "ttl": -1}, "lock.mutex.ttl.error.invalid"),
        ({"transactionId": "t", "ttl": "soon"}, "lock.mutex.ttl.error.invalid"),
        ({"transactionId": "t", "ttl": 1.5}, "lock.mutex.ttl.error.invalid"),
        ({"transactionId": "t", "ttl": True}, "lock.mutex.ttl.error.invalid"),
        ({"transactionId": "t", "ttl": 9223372036854775806}, "lock.mutex.ttl.error.invalid"),
        ({"transactionId": 5, "ttl": 5}, "lock.mutex.transactionId.error.invalid"),
        ({"transactionId": "a\u0000b", "ttl": 5}, "lock.mutex.transactionId.error.invalid"),
    ],
)  # fmt: skip
def test_bad_fields(lockers, sent, message):
    answer = lockers.server.call("POST", f"/lock/{lockers.namespace}/user/u/mutex/bad/lock", json=sent)
    first = json.loads(answer.json()["message"])[0]
    assert (answer.status_code, first["component"], first["message"], first["code"]) == (400, "mutex", message, message)


@pytest.mark.parametrize(
    ("verb", "path", "sent", "status", "message"),
    [
        ("POST", "/lock/null/user/null/mutex/null/lock", {"transactionId": "t", "ttl": 5}, 400, "lock.namespace.name.error.require"),
        ("POST", "/lock/{ns}/user/null/mutex/p/lock", {"transactionId": "t", "ttl": 5}, 400, "lock.mutex.userId.error.require"),
        ("POST", "/lock/{ns}/user/u/mutex/null/lock", {"transactionId": "t", "ttl": 5}, 400, "lock.mutex.propertyId.error.require"),
        ("POST", "/lock/{ns}/user/u/mutex//unlock", {"transactionId": "t"}, 400, "lock.mutex.propertyId.error.require"),
        ("POST", "/lock/{ns}/user/u/mutex/" + "p" * 1025 + "/lock", {"transactionId": "t", "ttl": 5}, 400, "lock.mutex.propertyId.error.tooLong"),
        ("GET", "/lock/{ns}/user/" + "u" * 129 + "/mutex/p", None, 400, "lock.mutex.userId.error.tooLong"),
        ("GET", "/lock/" + "n" * 129 + "/user/u/mutex/p", None, 400, "lock.namespace.name.error.tooLong"),
        ("POST", "/lock/", {"name": "n" * 129}, 400, "lock.namespace.name.error.tooLong"),
        ("POST", "/lock/", {"name": "a b"}, 400, "lock.namespace.name.error.invalid"),
        ("POST", "/lock/", {"name": "system"}, 400, "lock.namespace.name.error.invalid"),
        ("POST", "/lock/", {}, 400, "lock.namespace.name.error.require"),
        ("POST", "/lock/", {"name": "x", "description": "d" * 1025}, 400, "lock.namespace.description.error.tooLong"),
        ("POST", "/lock/", {"name": "x", "logSetting": {"loggingNamespaceId": "g" * 1025}}, 400, "lock.logSetting.loggingNamespaceId.error.tooLong"),
        ("PUT", "/lock/{ns}", {"logSetting": {"other": 1}}, 400, "lock.logSetting.loggingNamespaceId.error.require"),
        ("GET", "/lock/{ns}/user/u/mutex?limit=1001", None, 400, "lock.mutex.limit.error.invalid"),
        ("GET", "/lock/{ns}/user/u/mutex?limit=0", None, 400, "lock.mutex.limit.error.invalid"),
        ("GET", "/lock/{ns}/user/u/mutex?pageToken=xyz", None, 400, "lock.mutex.pageToken.error.invalid"),
        ("GET", "/lock/?namePrefix=" + "n" * 65, None, 400, "lock.namespace.namePrefix.error.tooLong"),
        ("GET", "/lock/nowhere", None, 404, "lock.namespace.namespace.error.notFound"),
        ("GET", "/lock/nowhere/user/u/mutex/p", None, 404, "lock.namespace.namespace.error.notFound"),
        ("GET", "/lock/nowhere/user/u/mutex", None, 404, "lock.namespace.namespace.error.notFound"),
        ("DELETE", "/lock/nowhere/user/u/mutex/p", None, 404, "lock.namespace.namespace.error.notFound"),
        ("POST", "/lock/nowhere/user/u/mutex/p/lock", {"transactionId": "t", "ttl": 5}, 404, "lock.namespace.namespace.error.notFound"),
        ("POST", "/lock/nowhere/user/u/mutex/p/unlock", {"transactionId": "t"}, 404, "lock.namespace.namespace.error.notFound"),
        ("GET", "/lock/{ns}/user/u/mutex/free", None, 404, "lock.mutex.mutex.error.notFound"),
        ("DELETE", "/lock/{ns}/user/u/mutex/free", None, 404, "lock.mutex.mutex.error.notFound"),
        ("POST", "/lock/{ns}/user/u/mutex/free/unlock", {"transactionId": "t"}, 404, "lock.mutex.mutex.error.notFound"),
    ],
)  # fmt: skip
def test_the_error_table(lockers, verb, path, sent, status, message):
    body = {"json": sent} if sent is not None else {}
    answer = lockers.server.call(verb, path.format(ns=lockers.namespace), **body)
    first = json.loads(answer.json()["message"])[0]
    assert (answer.status_code, first["message"]) == (status, message)
    assert first["component"] == message.split(".")[1] and set(first) == {"component", "message", "code"}


def test_another_project_and_a_viewer(lockers):
    path, sent = f"/lock/{lockers.namespace}/user/u/mutex/p/lock", {"transactionId": "t", "ttl": 5}
    assert lockers.server.call("POST", path, who="theirs", json=sent).status_code == 404
    assert lockers.server.call("POST", path, who="viewer", json=sent).status_code == 401
    assert lockers.server.call("GET", path.removesuffix("/lock"), who="viewer").status_code == 404
    for name in ("system", "lock-server"):
        assert lockers.server.call("GET", f"/lock/{name}").status_code == 404


def test_a_ttl_as_text_and_one_beyond_all_times(lockers):
    path = f"/lock/{lockers.namespace}/user/u/mutex/long/lock"
    item = lockers.server.call("POST", path, json={"transactionId": "t", "ttl": "60", "contextStack": None}).json()["item"]
    assert about(item["ttlAt"], time.time() * 1000 + 60_000)
    item = lockers.server.call("POST", path, json={"transactionId": "t", "ttl": 9223372036854775805}).json()["item"]
    assert item["ttlAt"] == 32503680000000
    shifted = lockers.get("long", user="u", offset=lockers.offset(60, user="u"))
    assert shifted.ttl_at == 32503680000000, "later ones are refused by some clients"


def test_a_namespace_made_anew_is_met_at_once(lockers):
    """The server remembers namespaces for a while; what it remembers decides nothing."""
    name = lockers.new_namespace()
    path = f"/lock/{name}/user/u/mutex/p/lock"
    first = lockers.server.call("POST", path, json={"transactionId": "t", "ttl": 50}).json()["item"]
    for _ in range(3):
        assert lockers.server.call("DELETE", f"/lock/{name}").status_code == 200
        assert lockers.server.call("POST", path, json={"transactionId": "t", "ttl": 50}).status_code == 404
        assert lockers.server.call("GET", path.removesuffix("/lock")).status_code == 404
        assert lockers.server.call("POST", "/lock/", json={"name": name}).status_code == 200
        item = lockers.server.call("POST", path, json={"transactionId": "t", "ttl": 50}).json()["item"]
        assert item["revision"] > first["revision"], "the fencing token goes on"
        first = item


def test_a_namespace_that_another_process_deleted_is_gone_for_lists_too(lockers, server):
    """What a web process remembers of a namespace must not answer for one that is gone, or was made anew."""
    name = lockers.new_namespace()
    path = f"/lock/{name}/user/user-0001/mutex"
    lockers.client.lock_by_user_id(
        lock.LockByUserIdRequest().with_namespace_name(name).with_user_id("user-0001").with_property_id("p")
        .with_transaction_id("t").with_ttl(600)
    )  # fmt: skip
    assert {len(server.call("GET", path).json()["items"]) for _ in range(8)} == {1}
    words = (
        "from gs2admin.identity.actors import SYSTEM\nfrom locks.models import LockNamespace\n"
        "from locks.services import lock\nfrom locks.services.namespaces import create_namespace, delete_namespace\n"
        f"old = LockNamespace.objects.select_related('project').get(name='{name}', project__name='isles')\n"
    )
    delete = "delete_namespace(actor=SYSTEM, namespace=old)\n"
    server.python(words + delete)
    assert {server.call("GET", path).status_code for _ in range(8)} == {404}
    again = (
        f"new = create_namespace(actor=SYSTEM, project=project, name='{name}')\n"
        "for p in ('a', 'b'): lock(actor=SYSTEM, namespace=new, user_id='user-0001', property_id=p, transaction_id='t', ttl_s=600)"
    )
    server.python("from gs2admin.identity.models import Project\nproject = Project.objects.get(name='isles')\n" + words.split("old =")[0] + again)
    assert {len(server.call("GET", path).json()["items"]) for _ in range(8)} == {2}
