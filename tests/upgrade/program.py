"""gs2admin as another process: some commit's code on some database."""
from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg

from tests.conditions import until

ROOT = Path(__file__).resolve().parents[2]
NAME, PASSWORD = "admin", "correct horse battery staple"
_numbers = count(1)


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Ask the history of this repository; a failure where there is no git."""
    if not shutil.which("git"):
        return subprocess.CompletedProcess(arguments, 127, b"", b"git is missing")
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False, timeout=60)


def check_out(commit: str, folder: Path) -> Path | None:
    """The files of that commit or tag, put into the folder; None when the history does not hold it."""
    archive = git("archive", commit)
    if archive.returncode:
        return None
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return folder


@contextlib.contextmanager
def empty_database(server_url: str, folder: Path) -> Iterator[str]:
    """The URL of a new database: on the PostgreSQL server of server_url, or a file in the folder when that is empty."""
    name = f"upgrade_{os.getpid()}_{next(_numbers)}"
    if not server_url:
        yield f"sqlite:///{folder / name}.sqlite3"
        return
    with psycopg.connect(server_url, autocommit=True) as link:
        link.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
        finally:
            link.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@dataclass
class Program:
    """The code in tree on the database at url. folder: its data directory. variables: more of its environment."""

    tree: Path
    url: str
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of the caller's settings but PATH and the like."""
        kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
        return kept | {
            "DJANGO_SETTINGS_MODULE": "gs2admin.settings", "DATABASE_URL": self.url, "GS2ADMIN_DATA_DIR": str(self.folder),
            "DJANGO_SUPERUSER_USERNAME": NAME, "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
            "WORKERS": "1", "JOB_WORKERS": "1", "WEB_WORKERS": "1", "GS2ADMIN_SWEEP_S": "1", **self.variables,
        }  # fmt: skip

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py to its end."""
        return self._run("manage.py", *arguments)

    def python(self, code: str) -> str:
        """Run code with the models at hand; returns what it printed."""
        done = self._run("-c", f"import django\ndjango.setup()\n{code}")
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, *arguments], cwd=self.tree, env=self.environment, capture_output=True, text=True,
                              timeout=120, check=False)  # fmt: skip

    @contextlib.contextmanager
    def serving(self) -> Iterator[str]:
        """`manage.py up` until the end of the block; the URL that it is ready on."""
        port = free_port()
        url, log = f"http://127.0.0.1:{port}", self.folder / "up.log"
        with log.open("wb") as output:
            process = subprocess.Popen([sys.executable, "manage.py", "up"], cwd=self.tree, stdout=output, stderr=output,
                                       env=self.environment | {"PORT": str(port)})  # fmt: skip
        try:
            until(lambda: f"is ready on {url}" in log.read_text() or process.poll() is not None, 90, log.read_text)
            assert process.poll() is None, log.read_text()
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def client(url: str) -> httpx.Client:
    """A browser without scripts: keeps cookies, follows redirects."""
    return httpx.Client(base_url=url, follow_redirects=True, timeout=30, trust_env=False)
