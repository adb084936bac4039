"""Property ids of every kind: what one door locks, every other door sees under the same name."""
from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from gs2 import core

from tests.wire.lockers import Lockers

# Clients take "." and ".." away, and cut "?" and "#" off (contract: transport, section 6).
BY_CLIENT = [
    "grn:gs2:ap-northeast-1:owner:quest:ns:user:u-1:progress:1", "a/b/c", "a//b", "a/lock", "lock", "unlock", "a/unlock/lock",
    "x;y=1&z=2", "a+b", "a b", "it's", "プレイヤー/所持品:1", "naïve", "😀", "a\\b", "null-ish", "user/me/mutex/x", "x" * 1024,
    "利" * 1024, "😀" * 1024, "tab\there", "100", "%", "100%", "50%25", "~!*()@,",
]  # fmt: skip


@pytest.fixture(scope="module")
def lockers(server):
    found = Lockers(server)
    yield found
    found.close()


def post(target: bytes, host: str, headers: dict[str, str], body: dict) -> bytes:
    data = json.dumps(body).encode()
    lines = [b"POST " + target + b" HTTP/1.1", f"Host: {host}".encode(), b"Connection: close",
             f"Content-Length: {len(data)}".encode()]  # fmt: skip
    lines += [f"{name}: {value}".encode() for name, value in headers.items()]
    return b"\r\n".join([*lines, b"", data])


def answer_of(raw: bytes) -> tuple[int, dict]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.mark.parametrize("name", BY_CLIENT, ids=lambda name: ascii(name)[:24])
def test_by_the_official_client(lockers, name):
    held = lockers.lock(name, "t-1")
    assert lockers.get(name).to_dict() == held.to_dict() and held.mutex_id.endswith(f":property:{held.property_id}")
    if "%" not in name and "\\" not in name:  # those the client writes in a way of its own
        assert held.property_id == name
    with pytest.raises(core.ConflictException):
        lockers.lock(name, "t-2")
    assert lockers.unlock(name, "t-1").property_id == held.property_id
    lockers.lock(name, "t-2")
    assert lockers.delete(name).transaction_id == "t-2"
    with pytest.raises(core.NotFoundException):
        lockers.get(name)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        (b"a%2Fb", "a/b"), (b"a/b", "a/b"), (b"a%2fb%3Ac", "a/b:c"), (b"100%", "100%"), (b"100%25", "100%"), (b"%zz", "%zz"),
        (b"%", "%"), (b"a%2", "a%2"), (b"a+b", "a+b"), (b"a%20b", "a b"), (b"%E5%88%A9", "利"),
        (b"a//b", "a//b"), (b"/a", "/a"), (b"a/", "a/"), (b"./..", "./.."), (b"%3F%23", "?#"), (b"a;b&c=d", "a;b&c=d"),
        (b"a/lock", "a/lock"), (b"a%2Flock", "a/lock"), (b"%F0%9F%98%80", "😀"), (b"%5C", "\\"), (b"$$&$1", "$$&$1"),
        (quote("利" * 1024).encode(), "利" * 1024), (quote("😀" * 1024).encode(), "😀" * 1024),
    ],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_by_bytes_on_the_wire(lockers, target, name):
    """As raw bytes, encoded or not; each then is the same mutex by the plain name."""
    server, headers = lockers.server, lockers.server.headers()
    namespace = lockers.new_namespace()
    front = f"/lock/{namespace}/user/u/mutex/".encode()
    sent = {"transactionId": "t", "ttl": 60}
    status, body = answer_of(server.raw(post(front + target + b"/lock", f"127.0.0.1:{server.port}", headers, sent)))
    assert (status, body["item"]["propertyId"]) == (200, name)
    listed = server.call("GET", f"/lock/{namespace}/user/u/mutex").json()["items"]
    assert [item["propertyId"] for item in listed] == [name]
    again = server.call("POST", f"/lock/{namespace}/user/u/mutex/{quote(name, safe='')}/lock", json={"transactionId": "o", "ttl": 1})
    assert again.status_code == 409, "the same mutex, encoded in full"
    status, body = answer_of(server.raw(post(front + target + b"/unlock", f"127.0.0.1:{server.port}", headers, sent)))
    assert (status, body["item"]["propertyId"]) == (200, name)


@pytest.mark.parametrize(
    ("target", "status"),
    [(b"%FF%FE", 400), (b"\xff", 400), (b"%00", 400), (b"a%00b", 400), (b"%ED%A0%80", 400), (b"%E5%88", 400),
     (quote("利" * 1025).encode(), 400), (b"x" * 20_000, 400)],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_what_is_no_text_is_refused_as_such(lockers, target, status):
    server = lockers.server
    raw = server.raw(post(f"/lock/{lockers.namespace}/user/u/mutex/".encode() + target + b"/lock", f"127.0.0.1:{server.port}",
                          server.headers(), {"transactionId": "t", "ttl": 60}))  # fmt: skip
    found, body = answer_of(raw)
    assert found == status and json.loads(body["message"])[0]["code"]


def test_a_player_of_every_name_has_mutexes_of_his_own(lockers):
    users = ("null-ish", "user:1", "user+1", "プレイヤー", "a b", "x" * 128, "利" * 128)
    for number, user in enumerate(users):
        assert lockers.lock("利" * 1024, f"t-{number}", user=user).user_id == user
    assert [lockers.get("利" * 1024, user=user).transaction_id for user in users] == [f"t-{n}" for n in range(len(users))]
