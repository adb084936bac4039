"""Databases of before the first release, and empty ones, of the kind that the tests run on."""
from __future__ import annotations

import contextlib
import gzip
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from django.conf import settings

from tests.upgrade.make_old import FILES
from tests.upgrade.program import ROOT, Program, empty_database

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
