"""`manage.py up`: one command that serves, survives the death of its parts, and ends cleanly."""
import json
import os
import signal
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
from tests.conditions import looks, until

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif("not settings.ON_SQLITE", reason="it brings its own SQLite database; once is enough"),
]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Up:
    """A running `manage.py up` with its own data directory."""

    def __init__(self, directory: Path, port: int, before: tuple[str, ...] = ()) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = directory / "up.log"
        self.seen: set[proc.Process] = set()
        self.began = time.monotonic()
        environment = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
        with self.log.open("wb") as log:
            self.popen = subprocess.Popen(
                [*before, sys.executable, str(settings.BASE_DIR / "manage.py"), "up", *(["--end-with-parent"] if before else [])],
                env={**environment, "GS2ADMIN_DATA_DIR": str(directory), "PORT": str(port), "GS2ADMIN_DEMO": "0",
                     "GS2ADMIN_PROCESS": "", "WORKERS": "2", "PYTHONWARNINGS": ""},
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )

    def text(self) -> str:
        return self.log.read_text()

    def ready(self, seconds: float = 30) -> float:
        """Wait for its line; seconds since the start."""
        until(lambda: f"gs2admin is ready on {self.url}\n" in self.text(), seconds, self.text)
        self.look()
        return time.monotonic() - self.began

    def look(self) -> list[proc.Look]:
        found = proc.descendants(self.popen.pid)
        own = proc.look(self.popen.pid)
        self.seen |= {look.process for look in found} | ({own.process} if own else set())
        return found

    def child(self, name: str) -> int:
        """The pid of the direct child with that name."""
        def find():
            looks = (proc.look(pid) for pid in proc.children(self.popen.pid))
            return next((look.process.pid for look in looks if look and look.name == name), 0)
        return until(find, 10, name)

    def left(self) -> list[proc.Process]:
        return [process for process in self.seen if proc.alive(process)]

    def gone(self, seconds: float) -> float:
        began = time.monotonic()
        until(lambda: self.popen.poll() is not None and not self.left(), seconds, self.left)
        return time.monotonic() - began

    def end(self) -> None:
        self.look()
        if self.popen.poll() is None:
            self.popen.kill()
        for process in self.left():
            proc.kill(process)
        self.popen.wait()


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    """A data directory that the first start of this module fills and the later ones find."""
    return tmp_path_factory.mktemp("up")


@pytest.fixture
def start(directory) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(**options) -> Up:
        started.append(Up(directory, options.pop("port", None) or free_port(), **options))
        return started[-1]

    yield start
    for one in started:
        one.end()


def test_the_first_start_prepares_everything_and_tells_the_password_once(start):
    up = start()
    up.ready()
    assert httpx.get(f"{up.url}/readyz").json()["ready"] is True
    assert up.text().count("with the password") == 1
    up.popen.terminate()
    assert up.gone(12) < 10
    assert up.popen.returncode == 0
    assert "Traceback" not in up.text()


def test_a_second_start_is_quick_and_ctrl_c_ends_it(start, directory):
    if not (directory / "gs2admin.db.sqlite3").exists():
        first = start()
        first.ready()
        first.popen.terminate()
        first.gone(12)
    up = start()
    took = up.ready()
    print("seconds:", round(took, 2))
    # Five seconds is the promise for a machine that has nothing else to do.
    crowd = max(1.0, os.getloadavg()[0] / os.cpu_count())
    assert took < 5 * crowd
    assert "with the password" not in up.text()
    up.popen.send_signal(signal.SIGINT)
    assert up.gone(12) < 10
    assert up.popen.returncode == 0


def test_web_and_worker_are_started_again_when_they_are_killed(start):
    up = start()
    up.ready()
    os.kill(up.child("gs-web"), signal.SIGKILL)
    # Whoever connects meanwhile waits a moment, and is not refused; what the orphans of the dead gunicorn took, they answer.
    for _ in looks(0.6, every_s=0.001):
        assert httpx.get(f"{up.url}/healthz", timeout=10).status_code == 200
    old = up.child("gs-worker")
    os.kill(old, signal.SIGKILL)
    until(lambda: up.child("gs-worker") != old, 10)
    until(lambda: httpx.get(f"{up.url}/readyz", timeout=10).status_code == 200, 10)
    up.look()
    up.popen.terminate()
    assert up.gone(12) < 10


@pytest.mark.parametrize("number, seconds", [(signal.SIGKILL, 12), (signal.SIGHUP, 10)])
def test_nothing_is_left_when_it_is_killed_or_its_terminal_closes(start, number, seconds):
    up = start()
    up.ready()
    up.popen.send_signal(number)
    assert up.gone(seconds) < seconds


def test_it_ends_with_make_when_make_is_killed(start):
    up = start(before=("sh", "-c", '"$@"; true', "make"))
    up.ready()
    up.popen.kill()
    assert up.gone(12) < 10


def test_a_taken_port_is_a_sentence(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up = start(port=port)
        assert up.popen.wait(20) == 1
    assert f"Port {port} on 127.0.0.1 is taken by another program; end that, or choose another with PORT=" in up.text()
    assert "Traceback" not in up.text()


def raw(port: int, request: bytes) -> tuple[int, bytes, bytes]:
    """Status, head and body of the answer to what need not be HTTP."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, body


def test_what_is_not_http_is_answered_in_json_without_a_word_of_the_inside(start):
    up = start()
    up.ready()
    cases = {
        b"HELLO\r\n\r\n": 400,
        b"GET / HTTP/9.9\r\n\r\n": 400,
        b"GET / HTTP/1.1\r\nBad Header: 1\r\n\r\n": 400,
        b"GET /" + b"x" * 17_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n": 400,
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 9000 + b"\r\n\r\n": 400,
        # Clients of GS2 know no 501.
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: sixpack\r\n\r\n": 400,
    }
    for request, status in cases.items():
        found, head, body = raw(up.port, request)
        assert found == status, (request[:40], head)
        assert b"application/json" in head
        element, = json.loads(json.loads(body)["message"])
        assert set(element) == {"component", "message", "code"}
        assert b"html" not in body.lower() and b"gunicorn" not in (head + body).lower()
