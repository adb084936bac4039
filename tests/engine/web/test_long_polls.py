"""Requests that are held until there is something new: no thread holds them, and whoever leaves, waits or crowds harms nobody."""
from __future__ import annotations

import os
import socket
import time
from contextlib import suppress

import pytest
from django.conf import settings

from tests.conditions import until
from tests.engine.web.conftest import CLOSE, QUICK_S, Web, held, rest

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not settings.ON_SQLITE, reason="sockets know no database; once is enough"),
]


def news(web: Web, name: str, text: bytes = b"new") -> None:
    """There is something new."""
    path = web.log.parent / f"held-{name}"
    (web.log.parent / f"{name}.part").write_bytes(text)
    os.replace(web.log.parent / f"{name}.part", path)


def answers(link: socket.socket, text: bytes) -> bytes:
    """What has come when `text` is in it."""
    found = b""
    while text not in found:
        part = link.recv(1 << 20)
        assert part, found
        found += part
    return found


def test_many_are_held_by_no_thread_and_answered_as_soon_as_there_is_something_new(web):
    with web.crowd(200, held("many")) as links:
        assert all(web.took() < QUICK_S for _ in range(3)), "three threads, and two hundred wait"
        began = time.monotonic()
        news(web, "many")
        found = [answers(link, b"new") for link in links]
        assert time.monotonic() - began < QUICK_S
        assert all(b" 200 X\r\nConnection: keep-alive" in one for one in found)
        links[0].sendall(held("many"))
        answers(links[0], b"new"), links[0].sendall(CLOSE)
        assert rest(links[0]).endswith(b"one"), "the connection serves on"


def test_who_does_not_wait_is_answered_at_once(web):
    link = web.connect(held("nothing", wait=False))
    assert b" 204 X" in answers(link, b"\r\n\r\n")
    link.sendall(held("nothing", wait=False, more="Connection: close\r\n"))
    assert b"Connection: close" in rest(link)


def test_what_comes_behind_a_held_request_waits_for_its_answer(web):
    link = web.connect(held("behind") + CLOSE)
    link.settimeout(0.3)
    with pytest.raises(TimeoutError):
        link.recv(1000)
    link.settimeout(20)
    news(web, "behind")
    answer = rest(link)
    assert answer.index(b"new") < answer.index(b"one") and answer.endswith(b"one")


def test_a_client_that_leaves_is_forgotten_and_a_long_one_behind_it_is_not_read_on(web):
    def sockets() -> int:
        found, place = 0, f"/proc/{web.worker}/fd"
        for fd in os.listdir(place):
            with suppress(FileNotFoundError):  # it was closed meanwhile
                found += os.readlink(f"{place}/{fd}").startswith("socket:")
        return found

    with web.crowd(100, held("left")):
        until(lambda: sockets() >= 100, 5)
    until(lambda: sockets() < 50, 5)
    with web.connect(held("flood")) as link:
        link.settimeout(1)
        with pytest.raises(TimeoutError):
            link.sendall(b"x" * 20_000_000)
    news(web, "left"), news(web, "flood")
    assert web.took() < QUICK_S


def test_what_has_to_be_made_is_made_first_and_the_rest_goes_its_ordinary_way(web):
    for name, text in (("made", b"new"), ("broken", b"away"), ("ordinary", b"Not Found")):
        with web.crowd(3, held(name, more="Connection: close\r\n")) as links:
            news(web, name)
            assert all(text in rest(link) for link in links), name


def test_a_slow_reader_of_news_holds_nobody_up(web):
    with web.crowd(5, held("large"), receive=4096), web.connect(held("large", more="Connection: close\r\n")) as quick:
        news(web, "large", b"0123456789")
        assert len(rest(quick)) > 200_000
        assert web.took() < QUICK_S


def test_of_one_client_behind_a_proxy_so_many_are_held_as_it_may_have_connections(tight):
    with tight.crowd(5, held("crowd", more="X-Forwarded-For: 198.51.100.3\r\n")):
        until(lambda: b" 503 " in rest(tight.connect(held("crowd", wait=False, more="X-Forwarded-For: 198.51.100.3\r\nConnection: close\r\n"))), 5)
        other = tight.connect(held("crowd", wait=False, more="X-Forwarded-For: 198.51.100.4\r\nConnection: close\r\n"))
        assert b" 204 " in rest(other)

    def again() -> bool:
        return b" 204 " in rest(tight.connect(held("crowd", wait=False, more="X-Forwarded-For: 198.51.100.3\r\nConnection: close\r\n")))

    until(again, 5)
