"""Whatever is wrong, a GS2 client gets a status that it knows and the one error body."""

from __future__ import annotations

import gzip
import json
import re
import time
import zlib

import httpx
import pytest

from gs2admin.wire.table import Auth
from tests.conditions import until
from tests.wire.samples import GS2_METHODS, GUARDED, fields_of, request_of
from tests.wire.server import Server

KNOWN = {400, 401, 402, 404, 409, 500, 502, 503, 504}
KEYS = {"component", "message", "code"}


def problems(response: httpx.Response) -> list[dict[str, str]]:
    """The list in an error body, after looking at its shape."""
    assert response.headers["Content-Type"] == "application/json"
    assert response.status_code in KNOWN, response.text
    body = response.json()
    assert set(body) == {"message"} and isinstance(body["message"], str)
    found = json.loads(body["message"])
    assert isinstance(found, list) and found
    for element in found:
        assert set(element) == KEYS and all(isinstance(value, str) and value for value in element.values())
        assert re.fullmatch(r"[A-Za-z-]+(\.[A-Za-z]+){3,4}", element["message"]), element
    return found


@pytest.mark.parametrize("method", GUARDED, ids=[m.name for m in GUARDED])
def test_without_a_good_token_every_method_is_unauthorized(server: Server, method):
    call = request_of(method, fields_of(method, server), "plain")
    verb, path, headers = call.pop("verb"), call.pop("path"), call.pop("headers")
    good = server.token()
    for value in (
        None,
        "",
        "Bearer",
        "Bearer null",
        "Bearer None",
        "Bearer undefined",
        f"Basic {good}",
        good,
        "Bearer " + good[:-1],
        "Bearer " + good[:-1] + ("A" if good[-1] != "A" else "B"),
        "Bearer x.y.z",
        "Bearer \xe9",
        "Bearer " + "a" * 5000,
    ):
        sent = headers | ({} if value is None else {"Authorization": value.encode("latin-1")})
        response = server.call(verb, path, who=None, headers=sent, **call)
        assert response.status_code == 401, (value, response.text)
        assert problems(response)[0]["component"] == "projectToken"


@pytest.mark.parametrize("method", GUARDED, ids=[m.name for m in GUARDED])
def test_another_projects_token_sees_nothing_of_this_one(server: Server, method):
    call = request_of(method, fields_of(method, server), "plain")
    response = server.call(call.pop("verb"), call.pop("path"), who="theirs", **call)
    owner = next((word for word in ("stage", "namespace") if f"{{{word}Name}}" in method.path), None)
    owner = owner or ("script" if "scriptId" in fields_of(method, server) else None)
    if method.function.startswith("check") or method.function == "importUserDataByUserId":
        owner = "userData"
    if method.auth is Auth.ACCESS:
        assert response.status_code == 401
        assert problems(response)[0]["component"] == "accessToken"
    elif owner:
        assert response.status_code == 404
        assert problems(response)[0]["component"] == owner
    elif method.function.endswith(("ByStampSheet", "ByStampTask")):  # the key is of this project: not known there
        assert response.status_code == 400
        assert problems(response)[0]["component"] == "stampSheet"
    else:
        assert response.status_code == 200
        assert "isles" not in response.text and "dev" not in response.text


def test_a_revoked_credential_is_out_of_every_method_within_a_second(server: Server):
    made = server.python(
        "import json\nfrom gs2admin.identity.actors import SYSTEM\nfrom gs2admin.identity.models import Project\n"
        "from gs2admin.identity.services.credentials import create_credential\n"
        "row, secret = create_credential(actor=SYSTEM, project=Project.objects.get(name='isles'), name='short-lived')\n"
        "print(json.dumps({'clientId': row.client_id, 'clientSecret': secret}))"
    )
    server.credentials["short-lived"] = json.loads(made)
    headers = {"Authorization": f"Bearer {server.login('short-lived')}"}
    with httpx.Client(base_url=server.url, headers=headers) as client:
        assert client.get("/freeze/").status_code == 200
        server.python(
            "from gs2admin.identity.actors import SYSTEM\nfrom gs2admin.identity.models import Credential\n"
            "from gs2admin.identity.services.credentials import revoke_credential\n"
            "revoke_credential(actor=SYSTEM, credential=Credential.objects.get(name='short-lived'))"
        )

        # Both server processes have met this credential or not; many calls reach both.
        def refused() -> bool:
            return all(httpx.get(server.url + "/freeze/", headers=headers).status_code == 401 for _ in range(20))

        until(refused, 1, "it is refused by every process")
    for method in GUARDED:
        call = request_of(method, fields_of(method, server), "plain")
        call["headers"] |= headers
        response = server.call(call.pop("verb"), call.pop("path"), who=None, **call)
        assert response.status_code == 401
        assert problems(response)[0]["code"] == "identifier.projectToken.projectToken.revoked"
    body = {"client_id": server.credentials["short-lived"]["clientId"], "client_secret": json.loads(made)["clientSecret"]}
    assert server.call("POST", "/identifier/projectToken/login", who=None, json=body).status_code == 401


SERVICES = ["freeze", "identifier", "auth", "job-queue", "lock", "script", "gateway"]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("path", ["/x/y/z/unknown", "/system/dump/user", "//", "/%ff", "/%", "/%zz/a/b", "/../../admin/"])
@pytest.mark.parametrize("verb", ["GET", "POST", "PUT", "DELETE"])
def test_an_unknown_path_has_the_error_body(server: Server, service, path, verb):
    raw = server.raw(
        f"{verb} /{service}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    )
    head, _, body = raw.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    problems(httpx.Response(status, headers={"Content-Type": "application/json"}, content=body))
    assert b"Content-Type: application/json" in head and status in {400, 401, 404}


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_a_wrong_verb_is_not_found(server: Server, verb):
    response = server.call(verb, "/identifier/projectToken/login", who=None)
    assert response.status_code == 404 and problems(response)[0]["component"] == "method"


def test_head_has_no_body_and_keeps_the_connection_sane(server: Server):
    with httpx.Client(base_url=server.url, headers=server.headers()) as client:
        head = client.head("/freeze/")
        assert (head.status_code, head.content) == (200, b"")
        assert client.get("/freeze/").status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "freeze.example", "a_b", "x:99999", "[::1", "", "auth.example.com"])
def test_any_host_header_is_served(server: Server, host):
    assert server.call("GET", "/freeze/dev", headers={"Host": host}).status_code == 200


def test_a_request_that_is_no_http_has_the_error_body_too(server: Server):
    for line in ("GET /freeze/\xe9 HTTP/1.1", "GET /freeze/ HTTP/9.9", "GET /freeze/ x HTTP/1.1"):
        raw = server.raw(f"{line}\r\nHost: x\r\n\r\n".encode("latin-1"))
        head, _, body = raw.partition(b"\r\n\r\n")
        assert b"Content-Type: application/json" in head
        assert set(json.loads(json.loads(body)["message"])[0]) == KEYS


def test_a_host_name_of_the_cloud_shows_no_page_of_ours(server: Server):
    response = server.call("GET", "/admin/", who=None, headers={"Host": "freeze.ap-northeast-1.gen2.gs2io.com"})
    assert response.status_code == 404 and problems(response)[0]["component"] == "method"


LOGIN = "/identifier/projectToken/login"
BAD_BODIES = {
    "text": b"hello",
    "list": b"[]",
    "string": b'"x"',
    "number": b"1",
    "null": b"null",
    "true": b"true",
    "cut": b'{"client_id": "a',
    "trailing": b"{} {}",
    "doubled key": b'{"client_id":"a","client_id":"b"}',
    "nan": b'{"x":NaN}',
    "infinity": b'{"x":-Infinity}',
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 50_000,
    "huge integer": b'{"x":' + b"9" * 5000 + b"}",
    "not utf-8": b'{"client_id":"\xff\xfe"}',
    "utf-16": '{"a":1}'.encode("utf-16"),
    "lone surrogate": b'{"client_id":"\\ud800","client_secret":"x"}',
    "nul": b'{"client_id":"a\\u0000b","client_secret":"x"}',
    "wrong type": b'{"client_id":{},"client_secret":[]}',
    "form": b"client_id=a&client_secret=b",
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_bad_body_is_a_bad_request(server: Server, name):
    response = server.call("POST", LOGIN, who=None, content=BAD_BODIES[name])
    assert response.status_code == 400, response.text
    problems(response)
    assert len(response.content) < 500 and b"Traceback" not in response.content


@pytest.mark.parametrize("name", BAD_BODIES)
@pytest.mark.parametrize("method", [m for m in GUARDED if m.verb == "POST"], ids=lambda m: m.name)
def test_no_method_stumbles_over_a_bad_body(server: Server, method, name):
    call = request_of(method, fields_of(method, server), "plain")
    response = server.call(call["verb"], call["path"], headers=call["headers"], content=BAD_BODIES[name])
    assert response.status_code in {200, 400}
    if response.status_code == 400:
        problems(response)


def test_every_bad_field_is_told_in_the_order_of_the_fields(server: Server):
    response = server.call("POST", "/auth/login", json={"timeOffset": -1})
    assert [p["message"] for p in problems(response)] == [
        "auth.accessToken.userId.error.require",
        "auth.accessToken.timeOffset.error.invalid",
    ]
    response = server.call("POST", LOGIN, who=None, json={"client_id": None, "client_secret": ""})
    assert [p["message"] for p in problems(response)] == [
        "identifier.projectToken.clientId.error.require",
        "identifier.projectToken.clientSecret.error.require",
    ]


@pytest.mark.parametrize("value", [True, 1.5, "1.0", "1e3", "", "x", 10**30, "9" * 30, "٣", [], {}, -1, 315_360_001])
def test_a_number_is_a_number(server: Server, value):
    response = server.call("POST", "/auth/login", json={"userId": "u", "timeOffset": value})
    if value == "":
        assert response.status_code == 200
    else:
        assert problems(response)[0]["message"] == "auth.accessToken.timeOffset.error.invalid"


BROKEN_GZIP = {
    "empty": b"",
    "magic only": b"\x1f\x8b",
    "plain text": b"plain text",
    "cut": gzip.compress(b"{}")[:-4],
    "junk behind": gzip.compress(b"{}") + b"junk",
    "zlib": zlib.compress(b"{}"),
    "many members": gzip.compress(b"") * 17 + gzip.compress(b"{}"),
}


@pytest.mark.parametrize("name", BROKEN_GZIP)
def test_broken_gzip_is_a_bad_request(server: Server, name):
    response = server.call("POST", LOGIN, who=None, content=BROKEN_GZIP[name], headers={"Content-Encoding": "gzip"})
    assert response.status_code == 400
    problems(response)


def test_an_unknown_encoding_is_a_bad_request(server: Server):
    for encoding in ("br", "deflate", "gzip, gzip", "\x80"):
        response = server.call("POST", LOGIN, who=None, content=b"{}", headers={"Content-Encoding": encoding.encode("latin-1")})
        assert response.status_code == 400 and problems(response)[0]["component"] == "body"


def test_a_gzip_bomb_is_refused_within_a_second_and_memory_stays_flat(server: Server):
    bomb = gzip.compress(b" " * 100_000_000, 9)
    assert 100_000_000 / len(bomb) > 1000
    server.call("POST", LOGIN, who=None, content=b"{}")
    before = server.memory_peak()
    for path, who in ((LOGIN, None), ("/auth/login", "ours"), ("/freeze/dev/promote", "ours")):
        began = time.monotonic()
        response = server.call("POST", path, who=who, content=bomb, headers={"Content-Encoding": "gzip"})
        assert time.monotonic() - began < 1
        assert response.status_code == 400 and problems(response)[0]["message"].endswith("body.error.tooLong")
    assert server.memory_peak() - before < 8_000_000


def test_a_body_that_is_too_large_is_refused_within_a_second(server: Server):
    before = server.memory_peak()
    for chunked in (False, True):
        body = b"{" + b" " * 30_000_000
        began = time.monotonic()
        content = iter([body[i : i + 65_536] for i in range(0, len(body), 65_536)]) if chunked else body
        response = server.call("POST", LOGIN, who=None, content=content)
        assert time.monotonic() - began < 1.5
        assert response.status_code == 400 and problems(response)[0]["message"].endswith("body.error.tooLong")
    assert server.memory_peak() - before < 8_000_000


def test_a_broken_chunk_or_a_bad_length_gets_no_framework_page(server: Server):
    start = f"POST {LOGIN} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    for rest in ("Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n"):
        raw = server.raw((start + rest).encode(), hang_up=True)
        assert b"Traceback" not in raw and b"HTTP/1.1 5" not in raw


@pytest.mark.parametrize("piece", ["null", ""])
@pytest.mark.parametrize("method", [m for m in GS2_METHODS if "{" in m.path], ids=lambda m: m.name)
def test_a_piece_that_is_not_given_is_required(server: Server, method, piece):
    fields = fields_of(method, server)
    call = request_of(method, fields, "plain")
    first = re.search(r"{\+?([A-Za-z]+)}", method.path)[1]
    path = call["path"].replace(fields[first], piece, 1)
    response = server.call(call["verb"], path, headers=call["headers"], content=call.get("content"))
    if path == f"/{method.service}/" and method.verb == "GET":
        assert response.status_code == 200  # that is the path of the whole list
    else:
        words = problems(response)
        assert response.status_code == 400 and len(words) == 1
        assert words[0]["message"].endswith((f".{first}.error.require", ".name.error.require"))


@pytest.mark.parametrize(
    "piece",
    ["100%", "100%25", "a%2Fb", "a+b", "a;b&c=d", "grn:gs2:x", "%F0%9F%98%80", "a%20b", "%00", "%ff", "d%65v", "'", "%5C"],
)
def test_odd_names_never_crash(server: Server, piece):
    raw = server.raw(
        f"GET /freeze/{piece} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {server.token()}\r\n\r\n".encode()
    )
    status = int(raw.split()[1])
    expected = {"d%65v": 200, "%00": 400, "%ff": 400}.get(piece, 404)
    assert status == expected, raw


def test_queries_of_all_kinds_never_crash(server: Server):
    for query, status in (
        ("limit=null&pageToken=null", 200),
        ("limit=&pageToken=", 200),
        ("limit=5", 200),
        ("limit=05", 200),
        ("limit=%35", 200),
        ("limit=abc", 400),
        ("limit=5&limit=x", 400),
        ("pageToken=%ff", 400),
        ("pageToken=%00", 400),
        ("limit=99999999999999999999", 400),
        ("&&&=&=", 200),
        ("a=1&" * 300, 400),
        ("limit=1.0", 400),
        ("pageToken=" + "a" * 1025, 400),
        ("pageToken=bnVsbA", 400),
        ("%", 200),
    ):
        response = server.call("GET", f"/freeze/dev/progress/output?{query}")
        assert response.status_code == status, (query, response.text)
        if status == 400:
            problems(response)


def test_the_root_answers_with_and_without_its_slash(server: Server):
    assert server.call("GET", "/freeze").json() == server.call("GET", "/freeze/").json()


def test_absolute_request_targets_work(server: Server):
    head = f"Host: x\r\nConnection: close\r\nAuthorization: Bearer {server.token()}\r\n\r\n"
    raw = server.raw(f"GET http://x/freeze/dev HTTP/1.1\r\n{head}".encode())
    assert int(raw.split()[1]) == 200
