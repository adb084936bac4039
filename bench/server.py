"""The real thing: `manage.py up` on a free port, with eyes for its processes, and ways in for programs and people."""
from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from gs2admin.processes import proc
from tests.conditions import TooSlow, until

ROOT = Path(__file__).resolve().parent.parent
END_S = 20.0


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def here(environ: dict[str, str]) -> Path:
    """The directory of a bench or test environment."""
    return Path(environ["GS2ADMIN_DATA_DIR"])


class Server:
    """Web and worker under one supervisor. Everything that is ever seen of it is remembered and ended.

    environ: the whole environment of the server. Use it as a context manager.
    """

    def __init__(self, environ: dict[str, str], **variables: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environ = environ | {"HOST": "127.0.0.1", "PORT": str(self.port)} | variables
        self.directory = here(environ)
        self.log = self.directory / "server.log"
        self.popen: subprocess.Popen | None = None
        self.seen: set[proc.Process] = set()

    def __enter__(self) -> Server:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [sys.executable, str(ROOT / "manage.py"), "up", "--end-with-parent"], cwd=ROOT, env=self.environ,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        try:
            until(self._ready, 60, f"a ready server; its log ends with\n{self.tail()}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.processes()
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(END_S)
        for left in self.left():
            proc.kill(left)
        self.popen.wait()

    def _ready(self) -> bool:
        if self.popen.poll() is not None:
            raise TooSlow(f"the server ended at once:\n{self.tail()}")
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def tail(self, size: int = 3000) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-size:] if self.log.exists() else ""

    def processes(self) -> list[proc.Look]:
        """What runs of it now, parents first; everything found is remembered."""
        own = proc.look(self.popen.pid)
        found = ([own] if own else []) + proc.descendants(self.popen.pid)
        self.seen |= {look.process for look in found}
        return found

    def named(self, name: str) -> list[proc.Look]:
        """Its processes with that name, such as "qc-busy"; "supervisor" is the one of the worker."""
        name = "gs-worker" if name == "supervisor" else name
        # What a process forks has its name for a moment; the first ones lead their group.
        leads = ("gs-worker", "qc-main", "gs-chores")
        return [look for look in self.processes()
                if look.name == name and (name not in leads or look.process.pid == look.group)]

    def left(self) -> list[proc.Process]:
        """What still runs of all that was ever seen, and everything whose command line or environment names our directory."""
        return [process for process in self.seen | marked(str(self.directory)) if proc.alive(process)]

    def manage(self, *arguments: str) -> str:
        """Run a command of manage.py; returns what it printed."""
        run = subprocess.run([sys.executable, str(ROOT / "manage.py"), *arguments], cwd=ROOT, env=self.environ,
                             capture_output=True, text=True, timeout=60, check=False)
        if run.returncode:
            raise RuntimeError(run.stderr)
        return run.stdout

    def project_token(self, client_id: str, secret: str) -> str:
        """Sign a program in, as the SDKs do."""
        body = {"client_id": client_id, "client_secret": secret}
        answer = httpx.post(f"{self.url}/identifier/projectToken/login", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()["access_token"]

    def sign_in(self, username: str, password: str) -> Browser:
        """Sign a person in through the form."""
        return Browser(self, username, password)


class Browser:
    """One signed-in person. cookies: the value of a Cookie header."""

    def __init__(self, server: Server, username: str, password: str) -> None:
        self.http = httpx.Client(base_url=server.url, timeout=60)
        token = form_field(self.http.get("/login").text, "csrfmiddlewaretoken")
        answer = self.http.post("/login", data={"csrfmiddlewaretoken": token, "username": username, "password": password})
        if answer.status_code != 302:
            raise RuntimeError(f"{username} could not sign in: {answer.status_code}")
        self.cookies = "; ".join(f"{name}={value}" for name, value in self.http.cookies.items())

    def get(self, path: str) -> httpx.Response:
        """A page."""
        return self.http.get(path)

    def form(self, path: str) -> dict[str, str]:
        """The hidden fields of a page's form, csrf token included."""
        page = self.http.get(path)
        return dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text))

    def close(self) -> None:
        """Let go of the connection."""
        self.http.close()


def form_field(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    if found is None:
        raise RuntimeError(f"the page has no field {name}")
    return found[1]


def command_line(pid: int) -> list[str]:
    """The arguments of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def marked(text: str) -> set[proc.Process]:
    """Every process but this one that has the text in its command line or environment."""
    wanted, found = text.encode(), set()
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            for file in ("cmdline", "environ"):
                if wanted in Path(f"/proc/{entry}/{file}").read_bytes():
                    seen = proc.look(int(entry))
                    if seen:
                        found.add(seen.process)
    return found
