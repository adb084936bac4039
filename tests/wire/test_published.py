"""The published protocols on a real server: what gunicorn hands over is what was signed, byte for byte."""
from __future__ import annotations

import itertools
import json
import time

import pytest

from stages.api.sourcedeploy.signature import sign
from tests.wire.server import Server

BASE = "/sourcedeploy/api/v1"
# Each call comes from elsewhere (the server trusts loopback's word on it): ten wrong ones a minute from one place are answered 429.
_places = itertools.count(1)


@pytest.fixture(scope="module")
def signer(server) -> dict:
    """A credential that signs, and its project's number."""
    return json.loads(server.python(
        "import json\nfrom gs2admin.identity.actors import SYSTEM\nfrom gs2admin.identity.models import Project\n"
        "from gs2admin.identity.services.credentials import create_credential\nproject = Project.objects.get(name='isles')\n"
        "row, secret = create_credential(actor=SYSTEM, project=project, name='signer', role='viewer', signs=True)\n"
        "print(json.dumps({'key': row.client_id, 'secret': secret, 'project': project.pk}))"
    ))  # fmt: skip


def ask(server: Server, signer: dict, line: str, uri: str, *, host: str = "x", extra: str = "", body: bytes = b"") -> tuple[int, dict]:
    """line: the request target on the wire; uri: what is signed of it."""
    verb, stamp = ("POST" if body else "GET"), str(int(time.time() * 1000))
    head = (
        f"{verb} {line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nx-ncp-apigw-timestamp: {stamp}\r\n"
        f"x-ncp-iam-access-key: {signer['key']}\r\nContent-Length: {len(body)}\r\nX-Forwarded-For: 10.0.{next(_places)}.1\r\n{extra}"
        f"x-ncp-apigw-signature-v2: {sign(signer['secret'], verb, uri, stamp, signer['key'])}\r\n\r\n"
    )
    answer = server.raw(head.encode("latin-1") + body)
    top, _, content = answer.partition(b"\r\n\r\n")
    return int(top.split()[1]), json.loads(content)


@pytest.mark.parametrize("more", [
    "", "?pageNo=1&pageSize=20", "?", "?b=2&a=1&a=2", "?projectName=%ea%b2%8c%EC%9E%84", "?x=a+b%20c&y=%2F/", "?x=;:@!$'()*,~",
])  # fmt: skip
def test_the_address_is_signed_as_it_is_sent(server, signer, more):
    uri = f"{BASE}/project/{signer['project']}/history{more}"
    assert ask(server, signer, uri, uri)[0] == 200
    assert ask(server, signer, f"http://somewhere:81{uri}", uri)[0] == 200
    assert ask(server, signer, uri, uri + "x")[0] == 401
    assert ask(server, signer, uri, uri.replace("%2F", "/").replace("%ea", "%EA") if "%" in uri else uri.upper())[0] == 401


@pytest.mark.parametrize("path", ["//project", "/project/%31/history", "/./project", "/project/../project", "/%70roject"])
def test_odd_addresses_reach_us_as_they_are_and_are_answered_in_shape(server, signer, path):
    status, body = ask(server, signer, BASE + path, BASE + path)
    assert status in {200, 404} and (status == 200 or body["error"]["errorCode"] == "300")


def test_the_clouds_host_name_and_a_header_with_an_underscore(server, signer):
    uri = f"/api/v1/project/{signer['project']}/history"
    assert ask(server, signer, uri, uri, host="vpcsourcedeploy.apigw.ntruss.com", extra="x-ncp-region_code: KR\r\n")[0] == 200
    assert "error" in ask(server, signer, uri, uri, host="example.com")[1]


def test_an_unread_body_does_not_spoil_the_connection(server, signer):
    uri = f"{BASE}/project/{signer['project']}/history/1/cancel"
    status, body = ask(server, signer, uri, uri, body=b"\x00" * 10_000)
    assert status == 401 and body["error"]["errorCode"] == "210"


def test_both_doors_with_a_project_token_on_a_kept_connection(server):
    token = server.token()
    for _ in range(3):
        found = server.http.get(f"{server.url}{BASE}/project", headers={"Authorization": f"Bearer {token}"})
        assert found.status_code == 200 and found.json()["projectList"][0]["name"] == "isles"
        assert "set-cookie" not in found.headers and not found.content.endswith(b"\n")
        found = server.http.get(f"{server.url}/v2/meshes/isles/releases", headers={"X-Auth-Token": token})
        assert found.json() == {"kind": "ReleaseList", "apiVersion": "asm/v2", "items": []}
        found = server.http.delete(f"{server.url}/v2/meshes/isles/namespaces/live/releases/x?action=cancel",
                                   headers={"X-Auth-Token": token, "Content-Type": "application/json;charset=utf-8"})  # fmt: skip
        assert found.status_code == 404 and found.json()["errorCode"] == "ASM.01010002"
