"""Where a bench works: a directory and a database of its own, gone at its end."""
from __future__ import annotations

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
STEPS = Path(__file__).resolve().parent / "steps"
POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
# The caller's own installation must not shine through.
OURS = ("GS2ADMIN_", "DJANGO_", "PYTEST", "WEB_", "Q_CLUSTER")
NAMES = {"DATABASE_URL", "REDIS_URL", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "HOST", "PORT", "WORKERS", "HTTPS", "LOG_LEVEL"}


def clean_environment() -> dict[str, str]:
    """This process's environment without anything that configures gs2admin."""
    return {key: value for key, value in os.environ.items() if not key.startswith(OURS) and key not in NAMES}


def postgres_url() -> str:
    """The server on which throw-away databases are made."""
    return os.environ.get("TEST_POSTGRES_URL", "") or POSTGRES


def postgres_answers() -> bool:
    """Whether it is there."""
    try:
        psycopg.connect(postgres_url(), connect_timeout=5).close()
    except psycopg.Error:
        return False
    return True


@contextmanager
def database(kind: str, directory: Path) -> Iterator[str]:
    """The URL of an empty database: "sqlite" is a file in the directory, "postgres" is dropped at the end."""
    if kind == "sqlite":
        yield f"sqlite:///{directory / 'gs2admin.db.sqlite3'}"
        return
    name = f"gs2admin_bench_{os.getpid()}_{secrets.token_hex(3)}"
    with psycopg.connect(postgres_url(), autocommit=True) as link:
        link.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlunsplit(urlsplit(postgres_url())._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(postgres_url(), autocommit=True) as link:
            link.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def commands(directory: Path) -> str:
    """Put the executables of bench/steps into `directory`/bin, so that each finds its place by its own name.

    Returns the value of GS2ADMIN_COMMANDS that allows them.
    """
    place = directory / "bin"
    place.mkdir(exist_ok=True)
    allowed = []
    for source in sorted(STEPS.glob("*.py")):
        copy = place / source.stem
        # -IS: a step shall start quickly and see nothing of our libraries.
        copy.write_text(f"#!{sys.executable} -IS\n{source.read_text()}")
        copy.chmod(0o755)
        allowed.append(f"{source.stem}={copy}")
    return ",".join(allowed)


def environment(directory: Path, url: str) -> dict[str, str]:
    """Everything that a server and the bench beside it need."""
    return {
        "DJANGO_SETTINGS_MODULE": "gs2admin.settings",
        "GS2ADMIN_DATA_DIR": str(directory),
        "GS2ADMIN_DEMO": "0",
        "GS2ADMIN_COMMANDS": commands(directory),
        "DATABASE_URL": url,
        "SECRET_KEY": secrets.token_urlsafe(64),
        "REDIS_URL": "",
    }


@contextmanager
def place(kind: str) -> Iterator[dict[str, str]]:
    """A whole environment for one bench on one kind of database."""
    directory = Path(tempfile.mkdtemp(prefix="gs2admin-bench-"))
    try:
        with database(kind, directory) as url:
            yield clean_environment() | environment(directory, url)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
