"""A gunicorn with our configuration: one web process of two threads, and short limits."""
from __future__ import annotations

import contextlib
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
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


class Web:
    """A running server. log: its lines."""

    def __init__(self, directory: Path, *arguments: str, **variables: str) -> None:
        self.log = directory / "web.log"
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("GS2ADMIN_", "WEB_"))}
        environ |= {
            "GS2ADMIN_DATA_DIR": str(directory), "DATABASE_URL": f"sqlite:///{directory / 'web.sqlite3'}", "REDIS_URL": "",
            "DJANGO_SETTINGS_MODULE": "tests.engine.web.settings", "PYTHONWARNINGS": "", "WEB_WORKERS": "1", "WEB_THREADS": "2",
            "WEB_HEAD_S": str(HEAD_S), "WEB_STALL_S": str(STALL_S), **variables,
        }
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener, self.log.open("wb") as log:
            self.port = listener.getsockname()[1]
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *arguments, "tests.engine.web.app:application"], cwd=settings.BASE_DIR,
                env=environ | {"GS2ADMIN_LISTEN_FD": str(listener.fileno())}, pass_fds=[listener.fileno()], stdout=log, stderr=log,
            )
        self.url = f"http://127.0.0.1:{self.port}"
        until(lambda: self.answers() and proc.children(self.popen.pid), 20, self.log.read_text)
        self.worker, = proc.children(self.popen.pid)

    def answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/one", timeout=5, trust_env=False).text == "one"
        return False

    def took(self, path: str = "/one", status: int = 200) -> float:
        """Seconds that a request on a new connection takes."""
        began = time.monotonic()
        answer = rest(self.connect(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()))
        assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
        return time.monotonic() - began

    def connect(self, data: bytes = b"", *, receive: int = 0) -> socket.socket:
        """A connection on which `data` was sent. receive: size of its buffer."""
        link = socket.socket()
        if receive:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        link.settimeout(20)
        link.connect(("127.0.0.1", self.port))
        link.sendall(data)
        return link

    def said(self, text: str) -> bool:
        return text in self.log.read_text()

    def end(self) -> None:
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(15)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


def rest(link: socket.socket) -> bytes:
    """All that comes until the server closes; what came before a reset."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := link.recv(1 << 20):
            parts.append(part)
    link.close()
    return b"".join(parts)


@pytest.fixture(scope="session", autouse=True)
def many_files():
    """Thousands of sockets."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@pytest.fixture(scope="session")
def web(tmp_path_factory) -> Iterator[Web]:
    """The server of most tests."""
    found = Web(tmp_path_factory.mktemp("web"))
    yield found
    found.end()


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., Web]]:
    """start(*arguments, **variables) starts another one."""
    started: list[Web] = []

    def start(*arguments: str, **variables: str) -> Web:
        started.append(Web(tmp_path, *arguments, **variables))
        return started[-1]

    yield start
    for one in started:
        one.end()
