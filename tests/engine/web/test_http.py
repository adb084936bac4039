"""HTTP as clients speak it: kept connections, pipelining, bodies of every form, and what is no HTTP. And how a process ends."""
from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import threading
import time

import pytest
from django.conf import settings

from gs2admin.processes import proc
from tests.conditions import until
from tests.engine.web.app import BIG
from tests.engine.web.conftest import CLOSE, HALF, QUICK_S, held, rest

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not settings.ON_SQLITE, reason="sockets know no database; once is enough"),
]
CHUNKED = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


def post(body: bytes, more: str = "") -> bytes:
    return f"POST /echo HTTP/1.1\r\nHost: x\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def said(body: bytes) -> bytes:
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()


def test_a_connection_is_used_again_and_again(web):
    link = web.connect()
    for number in range(30):
        body = b"x" * number * 1000
        link.sendall(post(body))
        answer = b""
        while said(body) not in answer:
            answer += link.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200 OK") and b"Connection: keep-alive" in answer
    link.close()


def test_requests_that_come_at_once_are_answered_in_their_order(web):
    bodies = [b"a", b"", b"b" * 100_000, b"c"]
    piled = b"".join(map(post, bodies)) + CHUNKED + b"3\r\nxyz\r\n0\r\n\r\n" + CLOSE
    answer = rest(web.connect(piled))
    places = [answer.index(said(body)) for body in (*bodies, b"xyz")]
    assert places == sorted(places) and answer.endswith(b"one") and answer.count(b"HTTP/1.1 200 OK") == 6


def test_a_request_may_come_byte_by_byte(web):
    link = web.connect()
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in b"\r\n" + post(b"slowly", "Connection: close\r\n"):
        link.send(bytes([byte]))
    assert said(b"slowly") in rest(link)


@pytest.mark.parametrize("body, said_of", [
    (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    (b"5;a=b;c=\"d\"\r\nhello\r\n1\r\n!\r\n000\r\n\r\n", b"hello!"),
    (b"A\r\n0123456789\r\n0\r\nX-Trailer: 1\r\nY: 2\r\n\r\n", b"0123456789"),
    (b"0\r\n\r\n", b""),
    (b"".join(b"%x\r\n%s\r\n" % (n, b"x" * n) for n in range(1, 400)) + b"0\r\n\r\n", b"x" * (399 * 200)),
])
def test_chunked_bodies(web, body, said_of):
    assert (answer := rest(web.connect(CHUNKED + body + CLOSE))).endswith(b"one") and said(said_of) in answer
    link = web.connect()
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(CHUNKED + body), 97):
        link.send((CHUNKED + body)[at : at + 97])
    link.sendall(CLOSE)
    assert said(said_of) in (answer := rest(link)) and answer.endswith(b"one")


@pytest.mark.parametrize("body", [
    b"zz\r\nhello\r\n0\r\n\r\n", b"-1\r\n\r\n", b"\r\n\r\n", b"5\nhello\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"5 ; \x01\r\nhello\r\n0\r\n\r\n",
    b"0x5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nContent-Length: 3\r\n\r\n", b"5" * 5000, b"0\r\n" + b"X: y\r\n" * 20_000,
    b"1\r\nx\r\n" * 20_000,
])
def test_broken_chunks_are_no_body_and_the_connection_ends(web, body):
    answer = rest(web.connect(CHUNKED + body))
    assert answer.startswith(b"HTTP/1.1 400 ") and b"transport.http" in answer and b"Connection: close" in answer


def test_a_client_that_asks_first_is_told_to_go_on(web):
    link = web.connect(post(b"", "Expect: 100-continue\r\n").replace(b"Length: 0", b"Length: 5"))
    assert link.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    link.sendall(b"hello")
    assert said(b"hello") in link.recv(1000)
    link.sendall(CHUNKED.replace(b"Host: x", b"Host: x\r\nExpect: 100-Continue"))
    assert link.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    link.sendall(b"1\r\nx\r\n0\r\n\r\n" + CLOSE)
    assert said(b"x") in (answer := rest(link)) and answer.endswith(b"one")


def test_a_body_that_is_too_long_for_all_doors_is_not_asked_for(web):
    head = f"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {1 << 40}\r\n\r\n"
    answer = rest(web.connect(head.encode()))
    assert answer.startswith(b"HTTP/1.1 200 OK") and said(b"") in answer


def test_a_large_body_waits_in_a_file(web):
    body = os.urandom(1024 * 1024) * 30
    before = memory(web.worker)
    for request in (post(body), CHUNKED + b"".join(b"10000\r\n" + body[at : at + 65536] + b"\r\n" for at in range(0, len(body), 65536))
                    + b"0\r\n\r\n"):
        link = web.connect()
        sender = threading.Thread(target=link.sendall, args=(request + CLOSE,))
        sender.start()
        answer = rest(link)
        sender.join(10)
        assert said(body) in answer and answer.endswith(b"one")
    assert memory(web.worker) - before < 8_000_000
    assert [name for name in os.listdir(web.log.parent) if name.startswith("tmp")] == []


def memory(pid: int) -> int:
    """The highest resident size. Bytes."""
    with open(f"/proc/{pid}/status") as lines:
        return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


def test_a_body_that_is_cut_off_never_reaches_the_application(web):
    for request in (post(b"hello").replace(b"Length: 5", b"Length: 50"), CHUNKED + b"5\r\nhel"):
        link = web.connect(request)
        link.shutdown(socket.SHUT_WR)
        assert (answer := rest(link)).startswith(b"HTTP/1.1 400 ") and b"shorter than" in answer


@pytest.mark.parametrize("path", ["big", "stream", "file"])
def test_large_answers_arrive_whole(web, path):
    answer = rest(web.connect(f"GET /{path} HTTP/1.0\r\nHost: x\r\n\r\n".encode()))
    assert answer.partition(b"\r\n\r\n")[2] == BIG
    link = web.connect(f"HEAD /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + CLOSE)
    assert BIG[:16] not in (answer := rest(link)) and answer.endswith(b"one")


@pytest.mark.parametrize("after, status", [(0, b"500"), (5_000_000, b"200")])
def test_an_answer_that_breaks_is_no_whole_answer(web, after, status):
    answer = rest(web.connect(f"GET /broken?after={after} HTTP/1.1\r\nHost: x\r\n\r\n".encode()))
    assert answer.split(b" ")[1] == status and not answer.endswith(b"0\r\n\r\n") and b"hush" not in answer


def test_without_a_length_the_end_of_a_broken_answer_is_no_usual_end(web):
    with web.connect(b"GET /broken?after=5000000 HTTP/1.0\r\nHost: x\r\n\r\n") as link, pytest.raises(ConnectionResetError):
        while link.recv(1 << 20):
            pass


LONG = b"x" * 70_000
DOORS = {
    b"/freeze/": lambda body: json.loads(body["message"])[0]["code"],
    b"/": lambda body: json.loads(body["message"])[0]["code"],
    b"/api/v1/stages": lambda body: body["error"]["code"],
    b"/sourcedeploy/api/v1/project": lambda body: body["error"]["errorCode"],
    b"/v2/meshes": lambda body: body["errorCode"],
}


@pytest.mark.parametrize("target", DOORS)
@pytest.mark.parametrize("head", [
    b"?" + LONG[:17_000] + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"?" + LONG + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"?" + LONG,
    b" HTTP/1.1\r\nHost: x\r\nX: " + LONG[:9000] + b"\r\n\r\n", b" HTTP/1.1\r\nHost: x\r\nX: " + LONG,
    b" HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 150 + b"\r\n", b" HTTP/1.1\r\nHost: x\r\n" + (b"X: " + LONG[:8000] + b"\r\n") * 9 + b"\r\n",
], ids=["line", "longer line", "endless line", "field", "endless field", "many fields", "large fields"])  # fmt: skip
def test_a_head_that_is_too_large_is_refused_in_the_form_of_its_door(web, target, head):
    answer = rest(web.connect(b"GET " + target + head))
    front, _, body = answer.partition(b"\r\n\r\n")
    assert front.startswith(b"HTTP/1.1 400 Bad Request") and DOORS[target](json.loads(body))


@pytest.mark.parametrize("head", [
    b"HELLO\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET /one HTTP/1.1\nHost: x\n\n", b"GET / HTTP/1.1\r\nBad Header: 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
])
def test_what_is_no_http_is_a_400_at_once(web, head):
    began = time.monotonic()
    assert rest(web.connect(head)).startswith(b"HTTP/1.1 400 ") and time.monotonic() - began < 1.5


def test_sigterm_lets_answers_come_to_their_end(servers, tmp_path):
    web, gate = servers["ending"].ready(), tmp_path / "gate"
    waiting = [web.connect(HALF) for _ in range(20)] + [web.connect() for _ in range(5)]
    kept = web.connect(CLOSE.replace(b"close", b"keep-alive"))
    assert b"one" in kept.recv(1000)
    asked = web.connect(f"GET /wait?for={gate} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    reading = web.connect(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n", receive=4096)
    reading.recv(100)
    watching = [web.connect(held("ever")) for _ in range(20)]
    assert web.took() < QUICK_S  # taken after them
    web.popen.send_signal(signal.SIGTERM)
    assert all(b" 204 X\r\nConnection: close" in rest(link) for link in watching), "and nobody is held"
    kept.sendall(CLOSE)
    assert rest(kept).endswith(b"one")
    gate.touch()
    assert b"200 OK" in (answer := rest(asked)) and b"Connection: close" in answer
    assert len(rest(reading)) > len(BIG) - 100
    assert web.popen.wait(8) == 0
    for link in waiting:
        link.close()


def test_the_web_process_ends_with_its_arbiter(servers):
    web = servers["orphan"].ready()
    with web.connect(HALF):
        look = proc.look(web.worker)
        web.popen.kill()
        until(lambda: not proc.alive(look.process), 10)
