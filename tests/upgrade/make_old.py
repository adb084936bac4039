"""Writes the fixtures of tests/upgrade/test_adopting.py anew: `python -m tests.upgrade.make_old`.

A database of the last commit before the first release, with the demo, a canary that waits, a job that is done, one that
waits, and a mutex that is held, as SQL for SQLite and for the PostgreSQL server of TEST_POSTGRES_URL (needs pg_dump).
"""
from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import tempfile
from pathlib import Path

from gs2admin.schema.before_first_release import COMMIT
from tests.upgrade.program import Program, check_out, empty_database

FOLDER = Path(__file__).parent
FILES = {"sqlite": FOLDER / "before_first_release.sqlite.sql.gz", "postgresql": FOLDER / "before_first_release.postgresql.sql.gz"}
# Code of COMMIT.
SEED = """
import os, socket
socket.gethostname = lambda: "host"  # rows say which worker wrote them
from django.core.management import call_command
call_command("migrate", verbosity=0, skip_checks=True)
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.bootstrap import bootstrap
from gs2admin.identity.models import Project
from jobqueue.services import Entry, push_jobs, run_next
from jobqueue.services.namespaces import create_namespace, create_script_namespace
from jobqueue.services.scripts import create_script
from locks.services import lock
from locks.services.namespaces import create_namespace as create_lock_namespace
from stages.rollout import executor
from stages.services import create_scenario, create_stage, promote_stage, set_targets
bootstrap(say=lambda text: None)
project = Project.objects.get()
gray = create_stage(actor=SYSTEM, project=project, name="gray", sort_number=90)
phase = {"command": "demo-step", "timeout_s": 60, "repeatable": True}
set_targets(actor=SYSTEM, stage=gray, targets=[{"name": "gray", "kind": "command", "config": {"canary": phase, "deploy": phase}}])
weights = [{"percent": 5, "pause_s": 86400}, {"percent": 50}]
create_scenario(actor=SYSTEM, stage=gray, name="careful", use=True, strategy="canary", canary={"weights": weights})
gray.refresh_from_db()
executor.run(promote_stage(actor=SYSTEM, stage=gray, reason="For a few players").pk)
scripts = create_script_namespace(actor=SYSTEM, project=project, name="default")
create_script(actor=SYSTEM, namespace=scripts, name="reward", source="result = {got = args}")
jobs = create_namespace(actor=SYSTEM, project=project, name="rewards", enable_auto_run=False)
for gold in (1, 9007199254740993):
    push_jobs(actor=SYSTEM, namespace=jobs, user_id="player-1", entries=[Entry("reward", '{"gold": %d}' % gold)])
assert run_next(actor=SYSTEM, namespace=jobs, user_id="player-1").result.status_code == 200
space = create_lock_namespace(actor=SYSTEM, project=project, name="mutexes")
lock(actor=SYSTEM, namespace=space, user_id="player-1", property_id="inventory", transaction_id="first", ttl_s=86400)
from django_q.models import OrmQ
OrmQ.objects.all().delete()  # signed with a key that nobody has
"""


def dump(kind: str, url: str) -> str:
    """The whole database as SQL that its driver can execute."""
    if kind == "sqlite":
        return "\n".join(sqlite3.connect(url.removeprefix("sqlite:///")).iterdump())
    options = ["--inserts", "--no-owner", "--no-privileges"]
    text = subprocess.run(["pg_dump", *options, url], capture_output=True, text=True, check=True, timeout=60).stdout
    # Comments, and what only psql understands; each dump has another random word there.
    return "\n".join(line for line in text.splitlines() if line and not line.startswith(("\\", "--")))


def main() -> None:
    """Write both files."""
    for kind, file in FILES.items():
        server = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres") if kind == "postgresql" else ""
        with tempfile.TemporaryDirectory() as name, empty_database(server, Path(name)) as url:
            tree = check_out(COMMIT, Path(name) / "tree")
            if tree is None:
                raise SystemExit(f"The history does not hold commit {COMMIT}.")
            program = Program(tree, url, Path(name))
            program.python(SEED)
            file.write_bytes(gzip.compress(dump(kind, url).encode(), mtime=0))
            print(file.name, file.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
