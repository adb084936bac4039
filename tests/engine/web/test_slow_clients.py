"""Clients that send or read slowly, or not at all, take no thread: others are answered as if they were not there.

Each scenario waits for a limit of time most of the while, so all of them go on at once, on one server.
"""
from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings

from tests.conditions import looks, until
from tests.engine.web.app import BIG
from tests.engine.web.conftest import HALF, HEAD_S, QUICK_S, STALL_S, STRANGER, Web, get, rest

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not settings.ON_SQLITE, reason="sockets know no database; once is enough"),
]
HALF_BODY = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"
HALF_CHUNK = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"


def silent(data: bytes, count: int, web: Web) -> None:
    with web.crowd(count, data) as links:
        began = time.monotonic()
        assert max(web.took(path) for path in ("/one", "/healthz", "/one")) < QUICK_S
        answers = [rest(link) for link in links]
        assert time.monotonic() - began < HEAD_S + 6
    assert {answer.partition(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 400 Bad Request" if data else b""}


def two_thousand_half_heads(web: Web) -> None:
    with web.crowd(2000, HALF) as links:
        times = sorted(web.took() for _ in range(20))
        assert web.took("/healthz") < QUICK_S and times[18] < QUICK_S, times
        assert {rest(link).split(b" ")[1] for link in links[::100]} == {b"400"}
    until(lambda: web.said("head did not arrive in time"), 5)


def bytes_now_and_then(front: bytes, web: Web) -> None:
    """They do not help."""
    link = web.connect(front)
    link.settimeout(0.001)
    answer = b""
    for _ in looks(HEAD_S + 6, every_s=0.1):
        with contextlib.suppress(TimeoutError, OSError):
            answer += link.recv(1000)
        if answer:
            break
        link.send(b"x")
    assert answer.startswith(b"HTTP/1.1 400 ")
    link.close()


def slow_readers(path: str, web: Web) -> None:
    """They are dropped with a line."""
    with web.crowd(3, f"GET /{path}?slow HTTP/1.1\r\nHost: x\r\n\r\n".encode(), receive=4096) as links:
        assert max(web.took(other) for other in ("/one", "/healthz", "/one")) < QUICK_S
        dropped = f'"path": "/{path}", "sent"'
        until(lambda: web.log.read_text().count(dropped) == len(links), STALL_S + 20, web.log.read_text)
        assert "a slow reader was dropped" in next(line for line in web.log.read_text().splitlines() if dropped in line)
        assert all(len(rest(link)) < len(BIG) for link in links)


def steady_reader(path: str, web: Web) -> None:
    """Gets everything, though it takes longer than the limit for standing still."""
    link = web.connect(get(f"/{path}"), receive=64 * 1024)
    got = bytearray()
    for passed in looks(STALL_S + 1.5, every_s=0.05):  # noqa: B007
        got += link.recv(16_384)
    got += rest(link)
    assert passed > STALL_S and len(got) >= len(BIG)
    if b"chunked" not in got[:500]:
        assert got.endswith(b"\r\n\r\n" + BIG)


def steady_sender(web: Web) -> None:
    link = web.connect(b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 80000\r\n\r\n")
    sent = 0
    for _ in looks(30, every_s=0.05):
        sent += link.send(b"x" * min(1000, 80_000 - sent))
        if sent == 80_000:
            break
    assert b"200 OK" in (answer := rest(link)) and b"\r\n\r\n80000 " in answer


SCENARIOS: dict[str, Callable[[Web], None]] = {
    **{f"{count} clients that send {name} and stay": partial(silent, data, count) for count in (5, 50) for name, data in {
        "nothing": b"", "half a head": HALF, "half a body": HALF_BODY, "half a chunk": HALF_CHUNK}.items()},
    "2,000 half heads": two_thousand_half_heads,
    **{f"a byte of a {name} now and then": partial(bytes_now_and_then, front)
       for name, front in {"head": HALF, "body": HALF_BODY, "chunk": HALF_CHUNK}.items()},
    **{f"slow readers of {path}": partial(slow_readers, path) for path in ("big", "stream", "file")},
    **{f"who reads {path} slowly but steadily": partial(steady_reader, path) for path in ("big", "stream", "file")},
    "who sends slowly but steadily": steady_sender,
}  # fmt: skip


@pytest.fixture(scope="module")
def running(web) -> Iterator[dict[str, Future]]:
    """Every scenario, begun at once."""
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        yield {name: pool.submit(scenario, web) for name, scenario in SCENARIOS.items()}


@pytest.mark.parametrize("name", SCENARIOS)
def test_nobody_is_held_up_by(running, name):
    running[name].result(90)


def test_one_client_has_a_share_of_connections(tight):
    """No limit holds for proxies that are trusted, as loopback is."""
    with tight.crowd(5, HALF, source=STRANGER):
        assert rest(tight.connect(source=STRANGER)) == b""
        until(lambda: tight.said("connections of clients that have too many"), 3)
        with tight.crowd(6, HALF):
            assert tight.took() < QUICK_S
    until(lambda: rest(tight.connect(get("/one"), source=STRANGER)).endswith(b"one"), 3)


def test_a_full_process_makes_place(tight):
    with tight.crowd(150, HALF):
        assert tight.took() < QUICK_S
    tight.took()  # accepted after all of them
    until(lambda: tight.said("ended to make place"), 3)


def spooled(pid: int) -> int:
    """Bytes in the files without names of a process."""
    found = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed in between
            found += file.stat().st_size if os.readlink(file).endswith("(deleted)") else 0
    return found


def test_there_is_an_end_to_the_room_for_bodies_and_one_client_gets_half_of_it(tight):
    def begin(client: str, size: int):
        link = tight.connect(f"POST /echo HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {client}\r\nContent-Length: {size + 1}\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            link.sendall(b"x" * size)
        return link

    with begin("198.51.100.1", 15_000_000):
        until(lambda: spooled(tight.worker) >= 15_000_000, 3)
        for client, size in (("198.51.100.1", 3_000_000), ("198.51.100.2", 17_000_000)):
            answer = rest(begin(client, size))
            assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After" in answer
        other = begin("198.51.100.2", 3_000_000)
        other.sendall(b"x" + get("/one"))
        assert b" 200 OK" in (answer := rest(other)) and b"3000001 " in answer
    assert tight.took() < QUICK_S


def test_a_file_that_may_not_grow_is_no_room(tight):
    """RLIMIT_FSIZE: of bodies and of answers. All is well when the limit is gone."""
    _, most = resource.prlimit(tight.worker, resource.RLIMIT_FSIZE)
    resource.prlimit(tight.worker, resource.RLIMIT_FSIZE, (1_000_000, most))
    try:
        for path in ("big", "stream"):
            with tight.connect(get(f"/{path}?limited"), receive=4096) as link:
                until(lambda path=path: tight.said(f'"path": "/{path}"'), 5, tight.log.read_text)
                assert len(rest(link)) < len(BIG)
        assert tight.log.read_text().count("an answer was cut off: there is no room") == 2
        echo = b"POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
        answer = rest(tight.connect(echo))
        assert answer.startswith(b"HTTP/1.1 503 ") and b"Retry-After" in answer and "Traceback" not in tight.log.read_text()
        # A page that writes a file of its own.
        assert (answer := rest(tight.connect(get("/file")))).startswith(b"HTTP/1.1 503 ") and b"disk of the server is full" in answer
        assert tight.took() < QUICK_S
    finally:
        resource.prlimit(tight.worker, resource.RLIMIT_FSIZE, (most, most))
    assert rest(tight.connect(echo)).startswith(b"HTTP/1.1 200 ")
