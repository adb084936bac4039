"""Whatever is asked below a protocol's prefix is answered in that protocol's shape: wrong paths, bad bodies, faults, garbage."""
from __future__ import annotations

import gzip
import json
import random
import re
import time

import pytest
from django.db import OperationalError
from django.test import Client

from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.tokens import issue_project_token
from stages.api.asm import releases
from stages.api.protocols import PROTOCOLS
from stages.api.sourcedeploy import history
from stages.api.sourcedeploy.signature import sign
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from tests.published.conftest import BASE, asm_error, sd_error
from tests.published.test_actions import SPEC
from tests.wire.test_fuzz import HEADERS, PIECES, VALUES

pytestmark = pytest.mark.django_db
ASM = "/v2/meshes"


def send(caller, verb: str, uri: str, body: bytes = b"", **headers):
    """A request as it is, with a good token for both protocols."""
    one = caller("admin", "token")
    return one._send(verb, uri, body, _token(one) | headers)


def _token(one) -> dict[str, str]:
    token = issue_project_token(one.row)
    return {"HTTP_AUTHORIZATION": f"Bearer {token}", "HTTP_X_AUTH_TOKEN": token}


WRONG = ["", "/", "/x", "/project/", "/project//history", "/project/1/history/", "/project/1/history/1/approval", "/Project", "/project/%"]


@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_paths_and_methods_that_are_none(caller, verb):
    for path in WRONG:
        for uri in (BASE + path, "/sourcedeploy" + path, "/sourcedeploy/api/v2" + path):
            sd_error(send(caller, verb, uri), 404, "300")


WRONG_MESHES = ["", "/", "/isles", "/isles/releases/", "/isles/namespaces/live", "/isles/namespaces/live/releases/", "//releases",
                "/isles/namespaces//releases"]  # fmt: skip


@pytest.mark.parametrize("verb", ["GET", "POST", "PATCH", "OPTIONS"])
def test_paths_of_asm_that_are_none(caller, verb):
    for path in WRONG_MESHES:
        asm_error(send(caller, verb, ASM + path), 404, "01010002")


def test_a_wrong_verb_is_told_the_right_ones(caller):
    assert "GET, POST only" in sd_error(send(caller, "DELETE", BASE + "/project"), 404, "300")
    assert "DELETE, GET, PUT only" in asm_error(send(caller, "POST", ASM + "/isles/namespaces/live/releases/x"), 404, "01010002")


def test_a_neighbouring_path_is_none_of_ours(caller):
    for uri in ("/sourcedeployx", "/v2/meshesx", "/v2/mesh", "/v2"):
        assert "text/html" in Client().get(uri).headers["Content-Type"]


def test_head_is_a_get_without_its_body(caller):
    """A signature names the verb that was sent."""
    for path in ("/project", "/nothing"):
        got, head = send(caller, "GET", BASE + path), send(caller, "HEAD", BASE + path)
        assert head.status_code == got.status_code and head.content == b"", path
        assert head.headers["Content-Length"] == str(len(got.content)), path


def test_a_stranger_learns_nothing_of_paths(db):
    for verb, uri in (("GET", BASE + "/project"), ("GET", BASE + "/nothing"), ("PUT", BASE + "/project"), ("GET", "/sourcedeploy")):
        sd_error(Client().generic(verb, uri, RAW_URI=uri), 401, "200")
    for uri in (ASM, ASM + "/isles/releases", ASM + "/nothing/at/all"):
        asm_error(Client().get(uri, RAW_URI=uri), 401, "01000001")


BODIES = [b"{", b"[]", b"null", b"1", b'"x"', b"\xff", b'{"a":1,"a":2}', b'{"a":NaN}', b"[" * 100_000, b'{"name":"\\ud800"}',
          b'{"\\u0000":1}', b'{"name":"\\u0000"}', gzip.compress(b"{}")]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_bodies_that_are_none(caller, project, body):
    sd_error(send(caller, "POST", f"{BASE}/project/{project.pk}/stage", body), 400, "100")
    asm_error(send(caller, "POST", ASM + "/isles/namespaces/live/releases", body), 400, "01010001")


def test_large_bodies_are_refused_before_they_are_inflated(caller, project):
    bomb = gzip.compress(b'{"a":"' + b"0" * 40_000_000 + b'"}')
    for body, more in ((bomb, {"HTTP_CONTENT_ENCODING": "gzip"}), (b"x" * 2_000_000, {})):
        sd_error(send(caller, "POST", f"{BASE}/project/{project.pk}/stage", body, **more), 413, "430")
        asm_error(send(caller, "POST", ASM + "/isles/namespaces/live/releases", body, **more), 400, "01010001")


def test_a_body_where_none_is_asked_for_is_ignored(caller, stage, record):
    row = record(stage, "queued")
    answer = send(caller, "POST", f"{BASE}/project/{row.project_id}/history/{row.number}/cancel", b"\xff{not json")
    assert (answer.status_code, answer.content) == (200, b'{"result":true}')


@pytest.mark.parametrize("fault, sd, asm", [
    (RuntimeError("secret"), (500, "900"), (500, "01040001")), (OperationalError("secret"), (503, "500"), (503, "01040001")),
])  # fmt: skip
def test_a_fault_of_ours_is_told_without_its_inside(caller, stage, monkeypatch, fault, sd, asm):
    def fall(*_args, **_more):
        raise fault

    monkeypatch.setattr(history, "project_of", fall)
    monkeypatch.setattr(releases, "mesh_of", fall)
    assert "secret" not in sd_error(send(caller, "GET", f"{BASE}/project/{stage.project_id}/history"), *sd)
    assert "secret" not in asm_error(send(caller, "GET", ASM + "/isles/releases"), *asm)


def test_the_host_names_of_the_cloud_are_served_below_their_own_root(caller, stage):
    for host in ("sourcedeploy.apigw.ntruss.com", "vpcsourcedeploy.apigw.ntruss.com:443"):
        one = caller("viewer")
        uri, stamp = f"/api/v1/project/{stage.project_id}/history?pageNo=1", str(int(time.time() * 1000))
        answer = one.client.get(
            uri, RAW_URI=uri, HTTP_HOST=host, HTTP_X_NCP_IAM_ACCESS_KEY=one.row.client_id, HTTP_X_NCP_APIGW_TIMESTAMP=stamp,
            HTTP_X_NCP_APIGW_SIGNATURE_V2=sign(one.secret, "GET", uri, stamp, one.row.client_id),
        )  # fmt: skip
        assert answer.status_code == 200, answer.content


def test_no_success_looks_like_an_error_to_the_sdk(caller, project):
    create_stage(actor=SYSTEM, project=project, name="x")
    answer = caller().sd("GET", f"/project/{project.pk}/stage?envelope=result")
    assert b'{"error"' not in answer.content and answer.content.startswith(b'{"result":{') and answer.content.endswith(b"}}")


def _filled(dice: random.Random, path: str, real: dict[str, str]) -> str:
    return re.sub(r"{(\w+)}", lambda m: real.get(m[1], "1") if dice.random() < 0.6 else dice.choice(PIECES), path)


def _body(dice: random.Random) -> bytes:
    words = ["name", "type", "config", "description", "metadata", "spec", "grayWeight", "kind", "action"]
    made = {dice.choice(words): dice.choice(VALUES) for _ in range(dice.randrange(5))}
    if dice.random() < 0.3:
        made |= {"metadata": {"name": dice.choice(["auth-next", "x", None, 5])}, "spec": {**SPEC, dice.choice(list(SPEC)): dice.choice(VALUES)}}
    if dice.random() < 0.3:
        made |= {"name": "s1", "type": "Server", "config": {"serverNo": dice.choice(VALUES), "strategy": dice.choice(VALUES)}}
    text = json.dumps(made)
    if dice.random() < 0.15:
        text = text[: dice.randrange(len(text) + 1)]
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=[protocol.name for protocol in PROTOCOLS])
def test_seeded_garbage_is_refused_in_the_familys_shape(caller, stage, record, protocol):
    dice = random.Random(20261126)
    row = record(stage, "canary_hold", [("a", "auth", "pre", "succeeded", "canary")], strategy="canary")
    one = caller("admin")
    good = _token(one)
    real = {"projectId": str(stage.project_id), "stageId": str(stage.pk), "historyId": str(row.number), "scenarioId": "1",
            "mesh_id": "isles", "namespace": "live", "release_id": f"rollout-{row.number}-auth"}  # fmt: skip
    seen: set[int] = set()
    for _ in range(1200):
        route = dice.choice(protocol.routes)
        verb = dice.choice([route.verb] * 5 + ["GET", "POST", "PUT", "DELETE", "PATCH"])
        uri = protocol.prefix + _filled(dice, route.path, real)
        if dice.random() < 0.4:
            uri += dice.choice(["?", "?pageNo=", "?pageSize=%ff", "?action=cancel", "?action=%00", "?envelope=result", "?a&b=%", "?" + "x=1&" * 300])
        headers = dict(good)
        if dice.random() < 0.2:
            name = dice.choice(["AUTHORIZATION", "X_AUTH_TOKEN", "CONTENT_ENCODING", "X_NCP_APIGW_TIMESTAMP", "X_NCP_APIGW_SIGNATURE_V2", "ACCEPT"])
            headers["HTTP_" + name] = dice.choice(HEADERS)
        answer = one._send(verb, uri, _body(dice), headers)
        seen.add(answer.status_code)
        assert answer.status_code < 500, (verb, uri, answer.content)
        assert answer.headers["Content-Type"].startswith("application/json"), uri
        if answer.status_code >= 400:
            _in_shape(protocol.name, answer)
    assert {200, 400, 401, 404} <= seen


def _in_shape(name: str, answer) -> None:
    body = json.loads(answer.content)
    if name == "asm":
        assert list(body) == ["errorCode", "errorMsg"] and body["errorCode"].startswith("ASM.010")
    else:
        assert list(body) == ["error"] and list(body["error"]) == ["errorCode", "message", "details"]
        assert all(isinstance(text, str) and text for text in body["error"].values())


@pytest.mark.parametrize("text", ["%00", "%FF", "a%00b", "%ED%A0%80"])
@pytest.mark.parametrize("where", ["/project?projectName=", "/project/{0}/stage?stageName=", "/project/{0}/stage?x="])
def test_a_query_that_is_no_text_is_refused(caller, project, where, text):
    sd_error(send(caller, "GET", BASE + where.format(project.pk) + text), 400, "100")


@pytest.mark.parametrize(("depth", "status"), [(80, 201), (120, 400), (500, 400), (900, 400), (5_000, 400)])
def test_a_body_is_as_deep_as_we_can_walk_or_refused(caller, project, stage, depth, status):
    register_version(actor=SYSTEM, project=project, microservice="auth", version="1")
    spec = json.loads(json.dumps(SPEC))
    spec["grayDeployments"][0]["template"]["deep"] = 1
    text = json.dumps({"metadata": {"name": "auth-next"}, "spec": spec}).replace('"deep": 1', '"deep": ' + '{"a":' * depth + "1" + "}" * depth)
    answer = send(caller, "POST", f"{ASM}/isles/namespaces/live/releases", text.encode())
    assert answer.status_code == status, answer.content[:300]
    if status == 400:
        assert asm_error(answer, 400, "01010001") == "The JSON is nested too deeply."
