"""A database that has migrations which this code does not know is refused at every start."""
from __future__ import annotations

import subprocess
import sys

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from gs2admin import health
from tests.upgrade.program import free_port

SENTENCE = (
    "This database is newer than this code: it has locks.0098_later, stages.0099_later. Start the release that made it, or a later"
    " one. The release just before it works on this database too; to start that, set GS2ADMIN_NEWER_DATABASE=1."
)
LATER = [("stages", "0099_later"), ("locks", "0098_later")]


@pytest.mark.processes
def test_no_process_starts_on_a_newer_database(new_program):
    program = new_program()
    assert program.manage("migrate").returncode == 0
    program.python(
        f"from django.db import connection\nfrom django.db.migrations.recorder import MigrationRecorder\n"
        f"for key in {LATER}: MigrationRecorder(connection).record_applied(*key)"
    )
    gunicorn = subprocess.run([sys.executable, "-m", "gunicorn"], cwd=program.tree, env=program.environment | {"PORT": str(free_port())},
                              capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    for done in (gunicorn, *(program.manage(command) for command in ("up", "worker", "migrate"))):
        assert done.returncode == 1 and SENTENCE in done.stderr and "Traceback" not in done.stderr, (done.args, done.stderr)
    program.variables["GS2ADMIN_NEWER_DATABASE"] = "1"
    assert program.manage("migrate").returncode == 0


LOOK = """
import os, threading
os.environ["GS2ADMIN_PROCESS"] = "web"
import gs2admin.wsgi
from django.db import connections
from gs2admin.schema.fitness import require_fit_at_start
require_fit_at_start()
left = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
assert not left and connections["default"].connection is None, left
"""


@pytest.mark.processes
def test_the_look_at_a_start_leaves_no_connection_and_no_thread_to_the_web_processes_that_are_forked(new_program):
    program = new_program()
    assert program.manage("migrate").returncode == 0
    program.python(LOOK)


@pytest.fixture
def newer(db, monkeypatch):
    """The database of this process has later migrations, and nobody has looked yet."""
    monkeypatch.setattr(health, "_migrated", False)
    for key in LATER:
        MigrationRecorder(connection).record_applied(*key)


def test_readyz_says_so(newer, settings):
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"] == {"database": True, "migrations": False, "worker": False, "disk": True}
    assert answer.json()["message"] == SENTENCE


def test_readyz_of_the_release_before_is_content_when_it_was_let_start(newer, settings):
    settings.NEWER_DATABASE = True
    assert Client().get("/readyz").json() == {"ready": False, "checks": {"database": True, "migrations": True, "worker": False, "disk": True}}
