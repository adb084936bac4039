"""Whoever connects while a start prepares is told so; nobody is refused or forgotten when it is done."""
from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from gs2admin.processes import preparing_page
from gs2admin.processes.preparing_page import PAGE, SENTENCE, answering
from gs2admin.wire.early import form


@contextmanager
def listening() -> Iterator[tuple[socket.socket, int]]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server, server.getsockname()[1]


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def asked(port: int, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    with connect(port) as link:
        link.sendall(request)
        return read(link)


def read(link: socket.socket) -> tuple[int, dict[str, str], bytes]:
    found = b""
    while data := link.recv(65_536):
        found += data
    head, _, body = found.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}, body


def test_people_get_a_page_that_asks_again_and_programs_their_own_refusal():
    with listening() as (server, port), answering(server, form):
        status, headers, body = asked(port, b"GET /p/isles/ HTTP/1.1\r\nHost: localhost\r\nAccept: text/html,*/*\r\n\r\n")
        assert (status, body.decode()) == (503, PAGE) and headers["content-type"].startswith("text/html")
        assert b'http-equiv="refresh"' in body and b"<script" not in body and SENTENCE.encode() in body
        assert headers["retry-after"] == "2" and headers["cache-control"] == "no-store"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        status, headers, body = asked(port, b"GET /p/isles/ HTTP/1.1\r\nAccept: text/html\r\n\r\n".replace(b"GET", b"HEAD"))
        assert (status, body, headers["content-length"]) == (503, b"", str(len(PAGE)))
        status, headers, body = asked(port, b"POST /isles/lock HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000)
        assert status == 503 and headers["content-type"] == "application/json"
        element, = json.loads(json.loads(body)["message"])
        assert element["message"] == "transport.http.request.error.preparing" and json.loads(body)["sentence"] == SENTENCE
        status, _, body = asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")
        assert (status, json.loads(body)) == (200, {"ok": True})
        status, _, body = asked(port, b"GET /readyz?x HTTP/1.1\r\nAccept: text/html\r\n\r\n")
        assert (status, json.loads(body)) == (503, {"ready": False, "message": SENTENCE})
        assert asked(port, b"\xff\r\n\r\n")[0] == 503


def test_who_was_accepted_has_an_answer_and_who_comes_later_waits_for_the_web_server():
    with listening() as (server, port):
        with answering(server, form):
            slow = connect(port)
            slow.sendall(b"GET /readyz HTTP/1.1\r\n")
            # Once this one has its answer, the one before was accepted.
            assert asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")[0] == 200
            slow.sendall(b"\r\n")
        with slow, connect(port) as late:
            assert read(slow)[0] == 503
            late.sendall(b"GET / HTTP/1.1\r\n\r\n")
            link, _ = server.accept()  # it blocks as before
            with link:
                assert link.recv(100) == b"GET / HTTP/1.1\r\n\r\n"


def test_nobody_holds_it_up(monkeypatch):
    monkeypatch.setattr(preparing_page, "HEAD_S", 0.2)
    monkeypatch.setattr(preparing_page, "AT_A_TIME", 2)
    with listening() as (server, port):
        silent = [connect(port) for _ in range(5)]
        with answering(server, form):
            assert asked(port, b"GET /healthz HTTP/1.1\r\n\r\n")[0] == 200
        for link in silent:
            with link:
                assert link.recv(10) == b""
