"""AK/SK at the ASM door: the vendor's published example, what its own SDK signs, and that every part of a request counts."""
from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from django.test import Client

from gs2admin.db import clock
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from gs2admin.wire.protocol import Refused
from stages.api.asm.signature import WINDOW_S, caller, canonical, sign
from stages.api.signers import NOBODY
from tests.published.conftest import asm_error

EMPTY = hashlib.sha256(b"").hexdigest()
DATE = "20261130T093000Z"
NOW = datetime(2026, 11, 30, 9, 30, tzinfo=UTC).timestamp()
RELEASES = "/v2/meshes/isles/releases"
# Made by huaweicloudsdkcore 3.1.219 for the key AKTEST, SKTEST: method and target as requests sends them, headers, body,
# SignedHeaders, Signature.
OF_THE_SDK = [
    ('GET', '/v2/meshes/isles/releases', {'host': '127.0.0.1:8000'},
     '', 'host;x-sdk-date', 'b78e58f4004d37af7edb890a247c893371dde092a58d8dfce2bae356e67ded72'),
    ('GET', '/v2/meshes/isles/releases/', {'content-type': 'application/json;charset=UTF-8', 'host': '127.0.0.1:8000'},
     '', 'content-type;host;x-sdk-date', '568d67aad79a0f9a2ebaeb5f59953499ab209582d56d76e15e7f31fc81ac7d64'),
    ('GET', '/', {'host': '127.0.0.1:8000'},
     '', 'host;x-sdk-date', 'f6ec460d54074c2a91b7ff6bcb2b75a0ffc24b76907a96f8f68721a288abc5a4'),
    ('POST', '/v2/meshes/isles/namespaces/live/releases', {'content-type': 'application/json;charset=UTF-8', 'host': '127.0.0.1:8000'},
     '{"kind":"Release","metadata":{"name":"ログ-日本"}}', 'content-type;host;x-sdk-date', '12a49680aadba7cc649c905bb816bc910ee8577505104a831861dbcf60f2c556'),
    ('PUT', '/v2/meshes/isles/namespaces/live/releases/r-1/traffic', {'content-type': 'application/json;charset=UTF-8', 'host': '127.0.0.1:8000'},
     '{"grayWeight": 30}', 'content-type;host;x-sdk-date', 'c7d5b42ddd68d32d8e25b8ce97be0e728e06abf4d8d3cdb7fca7eb8c901f028a'),
    ('DELETE', '/v2/meshes/isles/namespaces/live/releases/r-1?action=finish', {'content-type': 'application/json;charset=UTF-8', 'host': '127.0.0.1:8000'},
     '', 'content-type;host;x-sdk-date', '9b9851eb63128b01986e7f52685feeab605c3ca378a2dbe9da468b8b1a37a4d7'),
    ('GET', '/v2/meshes/a%20b/releases?a=0%2B1&a=1%201&b=2&c=&z=~_.-%21%2A%27%28%29&%C3%A9=%E6%97%A5%E6%9C%AC', {'host': '127.0.0.1:8000'},
     '', 'host;x-sdk-date', 'c6f1919760068dc30192950df40f2e858a2f0fba7775a449236a227114e7094d'),
    ('GET', '/v2/meshes/a%2Fb/releases?flag=true&ids=a&ids=b&limit=5', {'host': '127.0.0.1:8000'},
     '', 'host;x-sdk-date', 'b68801abbad6fdcd624e5896e8216c4fb5ad564899e9132a406d8c68c02cc65b'),
    ('GET', '/v2/meshes/%E6%97%A5%E6%9C%AC/~x.y-z_w', {'x-project-id': 'isles', 'x-note': 'a  b', 'host': '127.0.0.1:8000'},
     '', 'host;x-note;x-project-id;x-sdk-date', '60f3da8f7000b52bacbe8c09c4c4e99587e5c55d8feafc3c981b4eb14f1039f8'),
    ('POST', '/v2/meshes/isles//namespaces/live/releases', {'content-type': 'application/json;charset=UTF-8', 'x-security-token': 't', 'x-auth-token': 'u', 'host': '127.0.0.1:8000'},
     '{}', 'content-type;host;x-auth-token;x-sdk-date;x-security-token', 'c0058e46d0ab917982579c4ef5d6400787ed8fb498687e7e447e07dd43f2c413'),
    ('GET', '/v2/meshes/isles/releases;v=1/@:$&,=?e=100%25&q=a%3Db%26c', {'host': '127.0.0.1:8000'},
     '', 'host;x-sdk-date', '3af61aa829bdf5c262053e05cfc496c7e7c705163f8cb098e35d21e5ddc9fa99'),
]  # fmt: skip


def test_the_published_example():
    uri = "/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs?limit=2&marker=13551d6b-755d-4757-b956-536f674975c0"
    headers = [("content-type", "application/json"), ("host", "service.region.example.com"), ("x-sdk-date", "20191115T033655Z")]
    form = canonical("GET", uri, headers, EMPTY)
    assert hashlib.sha256(form).hexdigest() == "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a"
    signature = sign("MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", "20191115T033655Z", form)
    assert signature == "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe"


@pytest.mark.parametrize("method, uri, headers, body, names, signature", OF_THE_SDK, ids=[row[1] for row in OF_THE_SDK])
def test_what_the_vendors_sdk_signs(method, uri, headers, body, names, signature):
    sent = headers | {"x-sdk-date": DATE}
    form = canonical(method, uri, [(name, sent[name]) for name in names.split(";")], hashlib.sha256(body.encode()).hexdigest())
    assert sign("SKTEST", DATE, form) == signature


@pytest.mark.parametrize("one, other", [
    ("/a/b", "/a/b/"), ("/a%20b", "/a b"), ("/%61", "/a"), ("/a%2Fb", "/a/b"), ("/x?b=1&a=2", "/x?a=2&b=1"), ("/x?a", "/x?a="),
    ("/x?a=1+2", "/x?a=1%202"), ("/x?", "/x"), ("/x?a=1&&b=2", "/x?a=1&b=2"), ("/x?a=%7e", "/x?a=~"),
])  # fmt: skip
def test_these_addresses_are_signed_alike(one, other):
    assert canonical("GET", one, [], EMPTY) == canonical("GET", other, [], EMPTY)


@pytest.mark.parametrize("one, other", [
    ("/a/b", "/a/B"), ("/a", "/a//"), ("/x?a=1&a=2", "/x?a=1"), ("/x?a=1%2B2", "/x?a=1+2"), ("/x?a=%2520", "/x?a=%20"),
    ("/x?A=1", "/x?a=1"), ("/x?a=1", "/x?a=1;b=2"),
])  # fmt: skip
def test_these_are_not(one, other):
    assert canonical("GET", one, [], EMPTY) != canonical("GET", other, [], EMPTY)


class Signer:
    """Signs by hand, as the vendor's page says it; any part can be changed between signing and sending."""

    def __init__(self, key: str, secret: str) -> None:
        self.key, self.secret = key, secret

    def headers(self, method: str, uri: str, body: bytes = b"", **change: str) -> dict[str, str]:
        date = change.get("date", datetime.fromtimestamp(clock.seconds(), UTC).strftime("%Y%m%dT%H%M%SZ"))
        form = canonical(method, uri, [("host", "testserver"), ("x-sdk-date", date)], hashlib.sha256(body).hexdigest())
        signature = sign(change.get("secret", self.secret), date, form)
        shown = f"SDK-HMAC-SHA256 Access={change.get('key', self.key)}, SignedHeaders=host;x-sdk-date, Signature={signature}"
        return {"HTTP_AUTHORIZATION": shown, "HTTP_X_SDK_DATE": date, "HTTP_HOST": "testserver"}

    def send(self, method: str, uri: str, body: bytes = b"", changed: dict | None = None):
        sent = {"method": method, "uri": uri, "body": body} | (changed or {})
        method, uri, body = (sent.pop(name) for name in ("method", "uri", "body"))
        signed = self.headers(*(changed or {}).get("signed", (method, uri, body)))
        sent.pop("signed", None)
        return Client(raise_request_exception=False).generic(method, uri, body, "application/json", RAW_URI=uri, **signed | sent)


@pytest.fixture
def signer(project) -> Signer:
    row, secret = create_credential(actor=SYSTEM, project=project, name="signer", role="admin", signs=True)
    return Signer(row.client_id, secret)


def refused(*args, **more) -> Refused:
    with pytest.raises(Refused) as found:
        caller(*args, **more)
    return found.value


def test_a_signed_request_is_answered_as_one_with_a_token_and_a_changed_one_is_not(signer):
    assert json.loads(signer.send("GET", RELEASES).content)["items"] == []
    assert signer.send("HEAD", RELEASES).status_code == 200
    body = b'{"metadata": {}}'
    assert "metadata" in asm_error(signer.send("POST", RELEASES.replace("/releases", "/namespaces/live/releases"), body), 400, "01010001")
    wrong = "access key or the signature is wrong"
    for changed in (
        {"uri": "/v2/meshes/other/releases"}, {"uri": RELEASES + "?a=1"}, {"method": "DELETE"}, {"HTTP_HOST": "other.example"},
        {"method": "HEAD"}, {"uri": RELEASES.upper().replace("/V2/MESHES", "/v2/meshes")},
    ):  # fmt: skip
        answer = signer.send("GET", RELEASES, changed={"signed": ("GET", RELEASES, b"")} | changed)
        if changed.get("method") == "HEAD":
            assert answer.status_code == 401
        else:
            assert wrong in asm_error(answer, 401, "01000001"), changed
    for signed, sent in ((b"{}", b'{"a":1}'), (b"", b"{}"), (b"{}", b"")):
        answer = signer.send("POST", RELEASES, sent, changed={"signed": ("POST", RELEASES, signed)})
        assert wrong in asm_error(answer, 401, "01000001"), (signed, sent)


def test_a_replay_is_the_same_request_or_none(signer):
    """As published there is no nonce: what was captured can be repeated while its time is not over, and only as it was."""
    body, uri = b'{"grayWeight": 10}', "/v2/meshes/isles/namespaces/live/releases/r-1/traffic"
    meta = signer.headers("PUT", uri, body, date=DATE)
    for _ in range(2):
        assert caller(meta, "PUT", uri, body, NOW).client_id == signer.key
    assert refused(meta, "PUT", uri, b'{"grayWeight": 100}', NOW).status == 401
    assert "fifteen minutes" in str(refused(meta, "PUT", uri, body, NOW + WINDOW_S + 1))


@pytest.mark.parametrize("off, valid", [(0, True), (WINDOW_S, True), (-WINDOW_S, True), (WINDOW_S + 1, False), (-WINDOW_S - 1, False)])
def test_fifteen_minutes_both_ways(signer, off, valid):
    meta = signer.headers("GET", RELEASES, date=DATE)
    if valid:
        assert caller(meta, "GET", RELEASES, b"", NOW + off).client_id == signer.key
    else:
        assert "fifteen minutes" in str(refused(meta, "GET", RELEASES, b"", NOW + off))


def test_the_databases_clock_counts_and_not_the_hosts(signer, monkeypatch):
    monkeypatch.setattr(clock, "seconds", lambda: NOW)
    assert caller(signer.headers("GET", RELEASES, date=DATE), "GET", RELEASES, b"").client_id == signer.key
    assert "fifteen" in str(refused(signer.headers("GET", RELEASES, date="20261130T110000Z"), "GET", RELEASES, b""))


@pytest.mark.parametrize("date", ["", "now", "2026-11-30T09:30:00Z", "20261330T093000Z", "20261130T093000", "1764495000", "２0261130T093000Z"])
def test_a_time_that_is_none(signer, date):
    assert "X-Sdk-Date" in str(refused(signer.headers("GET", RELEASES, date=date), "GET", RELEASES, b"", NOW))


def test_who_may_not_sign_gets_one_answer(signer, credential, project):
    row, secret = create_credential(actor=SYSTEM, project=project, name="gone", signs=True)
    revoke_credential(actor=SYSTEM, credential=row)
    plain, plain_secret = credential
    sentences = {
        str(refused(Signer(key, secret).headers("GET", RELEASES, date=DATE), "GET", RELEASES, b"", NOW))
        for key, secret in (
            (row.client_id, secret), (plain.client_id, plain_secret), ("nobody", secret), ("nobody", NOBODY), (signer.key, "wrong"),
            (plain.client_id, NOBODY), ("x" * 5_000, NOBODY), (signer.key, NOBODY),
        )
    }  # fmt: skip
    assert sentences == {"The access key or the signature is wrong, or this credential does not sign requests."}


def test_too_many_wrong_ones_are_slowed_and_a_right_one_never(signer):
    wrong = Signer(signer.key, "guess").headers("GET", RELEASES, date=DATE) | {"REMOTE_ADDR": "192.0.2.77"}
    found = [refused(wrong, "GET", RELEASES, b"", NOW) for _ in range(12)]
    assert [one.status for one in found] == [401] * 10 + [503] * 2 and "Retry-After" in found[-1].headers
    right = signer.headers("GET", RELEASES, date=DATE) | {"REMOTE_ADDR": "192.0.2.77"}
    assert caller(right, "GET", RELEASES, b"", NOW).client_id == signer.key


@pytest.mark.parametrize("header, said", [
    ("SDK-HMAC-SM3 Access=a, SignedHeaders=host;x-sdk-date, Signature=b", "no other algorithm"),
    ("V11-HMAC-SHA256 Credential=a/b, SignedHeaders=host;x-sdk-date, Signature=b", "no other algorithm"),
    ("SDK-HMAC-SHA256", "Authorization reads"),
    ("SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date", "Authorization reads"),
    ("SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date, Signature=", "Authorization reads"),
    ("SDK-HMAC-SHA256 Access=a, Access=b, SignedHeaders=host;x-sdk-date, Signature=c", "Authorization reads"),
    ("SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-sdk-date, Signature=b, Signature=c", "Authorization reads"),
    ("SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date, Signature=b", "host and x-sdk-date"),
    ("SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=b", "host and x-sdk-date"),
    ("SDK-HMAC-SHA256 Access=a, SignedHeaders=Host;x-sdk-date, Signature=b", "host and x-sdk-date"),
    ("SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x_y;x-sdk-date, Signature=b", "host and x-sdk-date"),
    ("SDK-HMAC-SHA256 Access=a, SignedHeaders=host;x-lost;x-sdk-date, Signature=b", "did not arrive"),
])  # fmt: skip
def test_a_header_that_cannot_be_read_says_what_is_wrong(header, said):
    meta = {"HTTP_AUTHORIZATION": header, "HTTP_X_SDK_DATE": DATE, "HTTP_HOST": "testserver"}
    problem = refused(meta, "GET", RELEASES, b"", NOW)
    assert problem.status == 401 and said in str(problem)


def test_the_bodys_hash_cannot_be_left_out(signer):
    meta = signer.headers("PUT", RELEASES, b"{}", date=DATE)
    assert "must be signed" in str(refused(meta | {"HTTP_X_SDK_CONTENT_SHA256": "UNSIGNED-PAYLOAD"}, "PUT", RELEASES, b"{}", NOW))
    assert "not the hash" in str(refused(meta | {"HTTP_X_SDK_CONTENT_SHA256": EMPTY}, "PUT", RELEASES, b"{}", NOW))
    told = hashlib.sha256(b"{}").hexdigest()
    assert caller(meta | {"HTTP_X_SDK_CONTENT_SHA256": told}, "PUT", RELEASES, b"{}", NOW)
    bare = signer.headers("GET", RELEASES, date=DATE) | {"HTTP_X_SDK_CONTENT_SHA256": "UNSIGNED-PAYLOAD"}
    assert caller(bare, "GET", RELEASES, b"", NOW)


def test_a_signature_decides_where_there_is_one_and_a_token_elsewhere(signer, request):
    one = request.getfixturevalue("caller")("admin")
    assert one.asm("GET", "/isles/releases").status_code == 200
    bad = signer.headers("GET", RELEASES) | {"HTTP_X_SDK_DATE": "20200101T000000Z"}
    asm_error(one.asm("GET", "/isles/releases", **bad), 401, "01000001")
    asm_error(one.asm("GET", "/isles/releases", HTTP_X_AUTH_TOKEN="", HTTP_AUTHORIZATION="Basic eDp5"), 401, "01000001")


def test_the_other_project_signs_for_its_own_only(foreign):
    answer = Signer(foreign.row.client_id, foreign.secret).send("GET", RELEASES)
    asm_error(answer, 404, "01010002")
