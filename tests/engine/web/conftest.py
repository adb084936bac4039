"""A gunicorn with our configuration: one web process of three threads, and short limits."""
from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.conf import settings

from gs2admin.processes import proc
from tests.conditions import until

HEAD_S = STALL_S = 3
# Whoever stood behind a slow client would wait for longer; the machine alone may be busy for nearly as long.
QUICK_S = 2
HALF = b"GET /one HTTP/1.1\r\nHost: x\r\nX-A: "
# An address on this machine that is no trusted proxy.
STRANGER = "127.0.0.2"


class Web:
    """A running server. log: its lines. It has begun to start; `ready` waits for it."""

    def __init__(self, directory: Path, *arguments: str, **variables: str) -> None:
        self.log = directory / "web.log"
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("GS2ADMIN_", "WEB_"))}
        environ |= {
            "GS2ADMIN_DATA_DIR": str(directory), "DATABASE_URL": f"sqlite:///{directory / 'web.sqlite3'}", "REDIS_URL": "",
            "DJANGO_SETTINGS_MODULE": "tests.engine.web.settings", "PYTHONWARNINGS": "", "WEB_WORKERS": "1", "WEB_THREADS": "3",
            "WEB_HEAD_S": str(HEAD_S), "WEB_STALL_S": str(STALL_S), **variables,
        }
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener, self.log.open("wb") as log:
            self.port = listener.getsockname()[1]
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *arguments, "tests.engine.web.app:application"], cwd=settings.BASE_DIR,
                env=environ | {"GS2ADMIN_LISTEN_FD": str(listener.fileno())}, pass_fds=[listener.fileno()], stdout=log, stderr=log,
            )
        self.url = f"http://127.0.0.1:{self.port}"
        self.worker = 0

    def ready(self) -> Web:
        """Itself, when it answers."""
        until(lambda: self.answers() and proc.children(self.popen.pid), 60, self.log.read_text)
        self.worker, = proc.children(self.popen.pid)
        return self

    def answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/one", timeout=5, trust_env=False).text == "one"
        return False

    def took(self, path: str = "/one", status: int = 200, *, client: str = "") -> float:
        """Seconds that a request on a new connection takes. client: whom a proxy names."""
        began = time.monotonic()
        answer = rest(self.connect(get(path, client)))
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
        return time.monotonic() - began

    def connect(self, data: bytes = b"", *, receive: int = 0, source: str = "127.0.0.1") -> socket.socket:
        """A connection on which `data` was sent. receive: size of its buffer."""
        link = socket.socket()
        if receive:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        link.settimeout(20)
        if source != "127.0.0.1":
            link.bind((source, 0))
        link.connect(("127.0.0.1", self.port))
        with contextlib.suppress(ConnectionError):  # it may have been refused already
            link.sendall(data)
        return link

    @contextlib.contextmanager
    def crowd(self, count: int, data: bytes, **options) -> Iterator[list[socket.socket]]:
        """So many connections on which `data` was sent and nothing follows."""
        with contextlib.ExitStack() as stack:
            yield [stack.enter_context(self.connect(data, **options)) for _ in range(count)]

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def end(self) -> None:
        """At once; how it ends by itself is a test of its own."""
        left = proc.descendants(self.popen.pid) if self.popen.poll() is None else []
        self.popen.kill()
        self.popen.wait()
        for look in left:
            proc.kill(look.process)


def get(path: str, client: str = "") -> bytes:
    """A request. client: whom a proxy names."""
    who = f"X-Forwarded-For: {client}\r\n" if client else ""
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n{who}Connection: close\r\n\r\n".encode()


CLOSE = b"GET /one HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def held(name: str, *, wait: bool = True, more: str = "") -> bytes:
    """A request that may be held (held.py)."""
    return f"GET /held/{name}{'?wait=1' if wait else ''} HTTP/1.1\r\nHost: x\r\n{more}\r\n".encode()


def rest(link: socket.socket) -> bytes:
    """All that comes until the server closes; what came before a reset."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := link.recv(1 << 20):
            parts.append(part)
    link.close()
    return b"".join(parts)


SERVERS = {
    "web": ((), {}),
    # 20 MB of bodies are too much, 5 connections of one address, 60 of all.
    "tight": (("--worker-connections", "60"), {
        "WEB_SPOOL_MB": "32", "GS2ADMIN_MAX_BODY": str(64 * 1024**2), "WEB_CONNECTIONS_PER_ADDRESS": "5", "WEB_HEAD_S": "300"}),
    "ending": ((), {"WEB_HEAD_S": "300", "WEB_STALL_S": "300"}),
    "orphan": ((), {}),
}


@pytest.fixture(scope="session")
def servers(tmp_path_factory) -> Iterator[dict[str, Web]]:
    """All of them start beside each other."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    found = {name: Web(tmp_path_factory.mktemp(name), *arguments, **variables) for name, (arguments, variables) in SERVERS.items()}
    yield found
    for one in found.values():
        one.end()


@pytest.fixture(scope="session")
def web(servers) -> Web:
    """The server of most tests."""
    return servers["web"].ready()


@pytest.fixture(scope="session")
def tight(servers) -> Web:
    """One with little room."""
    return servers["tight"].ready()
