"""Requests of one client wait for each other and not in the way of others, and none of them is lost."""
from __future__ import annotations

import hashlib
import json
import select
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import settings

from gs2admin.processes.web.limits import READ_AHEAD
from tests.conditions import stays, until
from tests.engine.web.conftest import QUICK_S, get, rest

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not settings.ON_SQLITE, reason="sockets know no database; once is enough"),
]
FLOOD, OTHER = "203.0.113.9", "198.51.100.7"


@pytest.mark.parametrize("flood", [FLOOD, ""], ids=["behind a proxy", "without one"])
def test_requests_that_take_long_hold_only_their_own_client_up(web, tmp_path, flood):
    gate = tmp_path / "gate"
    with web.crowd(300, get(f"/wait?for={gate}", flood)) as links:
        for number in range(10):
            for client in (OTHER, f"2001:db8:{number}::1"):
                assert web.took(client=client) < QUICK_S
            assert web.took("/healthz", client=flood) < QUICK_S and web.took("/readyz", 503) < 4
        gate.touch()
        assert all(b"200 OK" in rest(link) for link in links)


def test_what_is_not_read_ahead_is_not_lost(web, tmp_path):
    """The body of a request that waits behind many others of its client stays with its sender, and comes to its turn."""
    gate, sent = tmp_path / "gate", []
    body = b"0123456789abcdef" * 1_000_000

    def talk(link: socket.socket) -> bytes:
        link.sendall(f"POST /echo HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {FLOOD}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        link.sendall(body)
        sent.append(link)
        link.sendall(get("/one", FLOOD))
        return rest(link)

    with web.crowd(2, get(f"/wait?for={gate}", FLOOD)), web.crowd(READ_AHEAD, get("/one", FLOOD)) as before, ThreadPoolExecutor(3) as pool:
        assert web.took(client=OTHER) < QUICK_S
        talks = [pool.submit(talk, web.connect()) for _ in range(3)]
        with web.crowd(100, get("/one", FLOOD)) as behind:
            stays(lambda: not sent and web.took(client=OTHER) < QUICK_S, 0.5)
            gate.touch()
            for found in talks:
                answer = found.result(20)
                assert f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode() in answer and answer.endswith(b"one")
            assert all(rest(link).endswith(b"one") for link in (*before, *behind))


@pytest.mark.parametrize("path, code", [
    ("/freeze/", lambda body: json.loads(body["message"])[0]["code"]), ("/api/v1/stages", lambda body: body["error"]["code"]),
    ("/sourcedeploy/api/v1/project", lambda body: body["error"]["errorCode"]), ("/v2/meshes", lambda body: body["errorCode"]),
])  # fmt: skip
def test_of_one_client_so_many_requests_wait_as_it_may_have_connections(tight, tmp_path, path, code):
    gate = tmp_path / "gate"
    with tight.crowd(10, get(f"/wait?for={gate}", FLOOD)) as links:
        until(lambda: len(select.select(links, [], [], 0)[0]) == 3, 10)  # two are worked on, and five wait
        refused = rest(tight.connect(get(path, FLOOD)))
        assert refused.startswith(b"HTTP/1.1 503 ")
        front, _, body = refused.partition(b"\r\n\r\n")
        assert b"\r\nRetry-After: " in front and code(json.loads(body)) and b"requests wait already" in body
        assert tight.took(client=OTHER) < QUICK_S
        gate.touch()
        assert sorted(rest(link).split(b" ")[1] for link in links) == [b"200"] * 7 + [b"503"] * 3
    until(lambda: tight.said("of which too many wait"), 3)
