"""Databases of before the first release, and empty ones, of the kind that the tests run on."""
from __future__ import annotations

import contextlib
import gzip
import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.conf import settings

from gs2admin.schema.before_first_release import LABELS
from tests.upgrade.make_old import FILES
from tests.upgrade.program import ROOT, Program, check_out, empty_database, git

# The demo's rollouts need not take as long as people like to watch.
QUICK = {"GS2ADMIN_COMMANDS": "demo-step=/bin/true"}


@pytest.fixture
def new_program(tmp_path) -> Iterator[Callable[..., Program]]:
    """new_program(tree=…) is that code, by default this one, with an empty database of its own."""
    with ExitStack() as stack:
        server = "" if settings.ON_SQLITE else os.environ["DATABASE_URL"]
        yield lambda tree=ROOT: Program(tree, stack.enter_context(empty_database(server, tmp_path)), tmp_path, dict(QUICK))


def restore(url: str) -> None:
    """Fill an empty database with what was there before the first release."""
    kind = "sqlite" if url.startswith("sqlite") else "postgresql"
    sql = gzip.decompress(FILES[kind].read_bytes()).decode()
    if kind == "sqlite":
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as link:
            link.executescript(sql)
    else:
        with psycopg.connect(url) as link:
            link.execute(sql)


@pytest.fixture
def old(new_program) -> Program:
    """This code on a database of before the first release."""
    program = new_program()
    restore(program.url)
    return program


# {label: {name of a migration: its text}} of our apps; runs in the files of the previous release.
TEXTS = f"""
import inspect, json
from django.db.migrations.loader import MigrationLoader
loader = MigrationLoader(None)
texts = {{label: {{}} for label in {LABELS}}}
for (label, name), migration in loader.disk_migrations.items():
    if label in texts:
        texts[label][name] = inspect.getsource(inspect.getmodule(type(migration)))
print(json.dumps(texts))
"""


@dataclass(frozen=True)
class Release:
    """The previous release: its tag or commit, its files, and its migrations as {label: {name: text}}."""

    name: str
    tree: Path
    migrations: dict[str, dict[str, str]]

    def has(self, release: str) -> bool:
        """Whether that tag or commit is this release or one before it."""
        return git("merge-base", "--is-ancestor", release, self.name).returncode == 0


@pytest.fixture(scope="session")
def previous(tmp_path_factory) -> Release:
    """What tests/upgrade/previous_release names; skips where nothing is named, or the history does not hold it."""
    lines = (Path(__file__).parent / "previous_release").read_text().splitlines()
    named = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not named:
        pytest.skip("tests/upgrade/previous_release names no release yet")
    tree = check_out(named[0], tmp_path_factory.mktemp("previous"))
    if tree is None:
        pytest.skip(f"the history of this clone does not hold {named[0]}, the release before this one; fetch the whole history")
    folder = tmp_path_factory.mktemp("data")
    return Release(named[0], tree, json.loads(Program(tree, f"sqlite:///{folder / 'none.sqlite3'}", folder).python(TEXTS)))
