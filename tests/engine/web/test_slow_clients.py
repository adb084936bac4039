"""Clients that send or read slowly, or not at all, take no thread: others are answered as if they were not there."""
from __future__ import annotations

import contextlib
import time

import pytest
from django.conf import settings

from tests.conditions import looks, until
from tests.engine.web.app import BIG
from tests.engine.web.conftest import HALF, HEAD_S, QUICK_S, STALL_S, Web, rest

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not settings.ON_SQLITE, reason="sockets know no database; once is enough"),
]
HALF_BODY = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
HALF_CHUNK = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"


@contextlib.contextmanager
def crowd(web: Web, count: int, data: bytes, **options):
    """So many connections on which `data` was sent and nothing follows."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(web.connect(data, **options)) for _ in range(count)]


@pytest.mark.parametrize("data", [b"", HALF, HALF_BODY, HALF_CHUNK], ids=["nothing", "half head", "half body", "half chunk"])
@pytest.mark.parametrize("count", [5, 50])
def test_who_stays_silent_holds_nobody_up_and_is_refused_in_time(web, count, data):
    with crowd(web, count, data) as links:
        began = time.monotonic()
        assert max(web.took(path) for path in ("/one", "/healthz", "/one")) < QUICK_S
        answers = [rest(link) for link in links]
        assert time.monotonic() - began < HEAD_S + 3
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 400 Bad Request" if data else b""}


def test_two_thousand_half_heads(web):
    with crowd(web, 2000, HALF) as links:
        times = sorted(web.took() for _ in range(20))
        assert web.took("/healthz") < QUICK_S and times[18] < QUICK_S, times
        assert {rest(link).split(b" ")[1] for link in links[::100]} == {b"400"}
    until(lambda: web.said("head did not arrive in time"), 5)


@pytest.mark.parametrize("front", [HALF, HALF_BODY, HALF_CHUNK], ids=["head", "body", "chunk"])
def test_a_byte_now_and_then_does_not_help(web, front):
    link = web.connect(front)
    link.settimeout(0.001)
    answer = b""
    for _ in looks(HEAD_S + 2.5, every_s=0.1):
        with contextlib.suppress(TimeoutError, OSError):
            answer += link.recv(1000)
        if answer:
            break
        link.send(b"x")
    assert answer.startswith(b"HTTP/1.1 400 ")
    link.close()


@pytest.mark.parametrize("path", ["big", "stream", "file"])
def test_slow_readers_are_dropped_with_a_line_and_hold_nobody_up(start, path):
    web = start(LOG_LEVEL="INFO")
    with crowd(web, 8, f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), receive=4096) as links:
        assert max(web.took(other) for other in ("/one", "/healthz", "/one")) < QUICK_S
        until(lambda: web.log.read_text().count("a slow reader was dropped") == len(links), STALL_S + 20)
        assert all(len(rest(link)) < len(BIG) for link in links)
    assert f'"path": "/{path}"' in web.log.read_text()


@pytest.mark.parametrize("path", ["big", "stream", "file"])
def test_who_reads_slowly_but_steadily_gets_everything(web, path):
    """Longer than the limit for standing still."""
    link = web.connect(f"GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode(), receive=64 * 1024)
    got = bytearray()
    for passed in looks(STALL_S + 1.5, every_s=0.05):  # noqa: B007
        got += link.recv(16_384)
    got += rest(link)
    assert passed > STALL_S and len(got) >= len(BIG)
    if b"chunked" not in got[:500]:
        assert got.endswith(b"\r\n\r\n" + BIG)


def test_who_sends_slowly_but_steadily_is_heard(web):
    link = web.connect(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 80000\r\n\r\n")
    sent = 0
    for _ in looks(30, every_s=0.05):
        sent += link.send(b"x" * min(1000, 80_000 - sent))
        if sent == 80_000:
            break
    assert b"200 OK" in (answer := rest(link)) and b"\r\n\r\n80000 " in answer


def test_probes_stand_behind_no_request(web, tmp_path):
    gate = tmp_path / "gate"
    with crowd(web, 6, f"GET /wait?for={gate} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()) as links:
        for _ in range(3):
            assert web.took("/healthz") < QUICK_S
            assert web.took("/readyz", 503) < 4
        gate.touch()
        assert all(b"200 OK" in rest(link) for link in links)


def test_one_client_has_a_share_of_connections(start):
    """Loopback is a proxy that is trusted, unless told otherwise; no limit holds for those."""
    web = start(FORWARDED_ALLOW_IPS="10.0.0.1", WEB_CONNECTIONS_PER_ADDRESS="5", WEB_HEAD_S="30")
    with crowd(web, 5, HALF):
        assert rest(web.connect()) == b""
        until(lambda: web.said("that have too many"), 3)
    until(web.answers, 3)


def test_a_full_process_makes_place(start):
    web = start("--worker-connections", "20", WEB_HEAD_S="300")
    with crowd(web, 100, HALF):
        assert web.took() < QUICK_S
    until(lambda: web.said("ended to make place"), 3)


def test_there_is_an_end_to_the_room_for_bodies(start):
    web = start(WEB_SPOOL_MB="16", GS2ADMIN_MAX_BODY=str(64 * 1024**2))
    link = web.connect(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n")
    link.sendall(b"x" * 20_000_000)
    answer = rest(link)
    assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After" in answer
    assert web.took() < QUICK_S
