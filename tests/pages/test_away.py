"""What each door answers while the database is away, locked, slow or full: 503, the reason, and when to try again."""
import json
from contextlib import contextmanager

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client

from gs2admin.identity import tokens
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Role
from gs2admin.identity.services.credentials import create_credential

# kind -> (what the driver raises, words of the sentence, seconds)
KINDS = {
    "away": (psycopg.OperationalError("connection refused"), "does not answer", "5"),
    "busy": (psycopg.errors.TooManyConnections("too many"), "connections to the database are in use", "2"),
    "slow": (psycopg.errors.QueryCanceled("statement timeout"), "took too long", "5"),
    "locked": (psycopg.errors.LockNotAvailable("lock timeout"), "locked", "5"),
    "full": (psycopg.errors.DiskFull("could not extend file"), "disk of the database is full", "30"),
    "readonly": (psycopg.errors.ReadOnlySqlTransaction("read-only"), "can only be read", "30"),
}


@pytest.fixture
def broken(monkeypatch):
    """broken(kind): inside, whatever asks the database meets that error."""

    @contextmanager
    def broken(kind: str):
        cause = KINDS[kind][0]

        def fail(*_, **__):
            raise OperationalError(str(cause)) from cause

        with monkeypatch.context() as gone:
            for name in ("cursor", "ensure_connection"):
                gone.setattr(connection, name, fail)
            yield

    return broken


@pytest.fixture
def callers(project, owner, monkeypatch):
    """A signed-in person's client, and a program's headers; nothing of either is remembered."""
    row, _ = create_credential(actor=SYSTEM, project=project, name="machine", role=Role.ADMIN)
    token = tokens.issue_project_token(row)
    client = Client(raise_request_exception=False)
    client.force_login(owner)
    tokens.forget_all()
    yield client, {"HTTP_AUTHORIZATION": f"Bearer {token}", "HTTP_X_AUTH_TOKEN": token}
    tokens.forget_all()


PAGES = ["/", "/p/isles/", "/p/isles/locks/", "/p/isles/queues/", "/p/isles/activity/", "/admin/", "/p/isles/members/", "/user-data/file/x"]


@pytest.mark.parametrize("kind", KINDS)
def test_pages_and_fragments(callers, broken, kind):
    client, _ = callers
    _, words, seconds = KINDS[kind]
    with broken(kind):
        found = [client.get(page) for page in PAGES] if kind == "full" else [client.get("/p/isles/")]
        parts = [client.get("/p/isles/", headers={"HX-Request": "true"}), client.put("/user-data/upload/x", b"zip")]
        sent = client.post("/login", {"username": "olga", "password": "correct horse battery"})
    for page in [*found, sent]:
        if page.status_code in (301, 302, 404):  # asked nothing: to the sign-in, or an address that is not ours
            continue
        text = page.content.decode()
        assert (page.status_code, page.headers["Retry-After"], page.headers["Cache-Control"]) == (503, seconds, "no-store")
        assert words in text and "<html" in text and "broke" not in text
    assert [found[0].status_code, sent.status_code] == [503, 503]
    for part in parts:
        if part.status_code == 404:
            continue
        assert (part.status_code, part.headers["Retry-After"]) == (503, seconds)
        assert part.content.decode().startswith(("The ", "All ", "Something else")) and "<" not in part.content.decode()


@pytest.mark.parametrize("kind", KINDS)
def test_programs(callers, broken, kind):
    client, headers = callers
    _, words, seconds = KINDS[kind]
    tokens.forget_all()
    with broken(kind):
        gs2 = client.get("/lock/x", **headers)
        written = client.post("/lock/x/user/u/mutex/p/lock", b'{"transactionId": "t", "ttl": 5}', "application/json", **headers)
        signed = client.post("/identifier/projectToken/login", b'{"client_id": "a", "client_secret": "b"}', "application/json")
        own = client.get("/api/v1/stages", **headers)
        deploy = client.get("/sourcedeploy/api/v1/project", **headers)
        mesh = client.get("/v2/meshes/isles/releases", **headers)
    for answer in (gs2, written, signed, own, deploy, mesh):
        assert (answer.status_code, answer.headers.get("Retry-After")) == (503, seconds), answer.content
    for answer, service in ((gs2, "lock"), (written, "lock"), (signed, "identifier")):
        (element,) = json.loads(answer.json()["message"])
        assert element == {
            "component": "server", "message": f"{service}.server.server.error.unavailable", "code": f"{service}.server.server.{kind}",
        }  # fmt: skip
    assert words in own.json()["error"]["message"]
    error = deploy.json()["error"]
    assert (error["errorCode"], words in error["details"]) == ("500", True)
    assert (mesh.json()["errorCode"], words in mesh.json()["errorMsg"]) == ("ASM.01040001", True)


@pytest.mark.parametrize("kind", KINDS)
def test_probes(client, db, broken, kind):
    with broken(kind):
        live, ready = client.get("/healthz"), client.get("/readyz")
    assert (live.status_code, ready.status_code) == (200, 503)
    assert ready.json()["checks"]["database"] is False and KINDS[kind][1] in ready.json()["message"]


def test_a_fault_of_ours_stays_one(callers, monkeypatch):
    client, headers = callers

    def fail(*_, **__):
        raise ValueError("ours")

    tokens.forget_all()
    with monkeypatch.context() as gone:
        gone.setattr(connection, "cursor", fail)
        gone.setattr(connection, "ensure_connection", fail)
        answers = [client.get("/p/isles/"), client.get("/lock/x", **headers), client.get("/api/v1/stages", **headers)]
    assert [answer.status_code for answer in answers] == [500, 500, 500]


def test_a_script_that_meets_it_is_told_so(project, broken):
    from jobqueue.execution import calls

    actor = SYSTEM
    with broken("full"):
        status, text = calls.call(actor, project, "lock", "get_mutex_by_user_id", '{"namespaceName": "x", "userId": "u"}')
    assert status in (400, 503)
    if status == 503:
        assert json.loads(text)[0]["code"].endswith(".full")
