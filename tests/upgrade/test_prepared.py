"""An empty database that is made at once is what all migrations make of it."""
from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from django.conf import settings

from gs2admin.schema.prepared import file_of, statements
from tests.conditions import until
from tests.upgrade.prepared import text_of
from tests.upgrade.schema import difference, schema
from tests.upgrade.test_adopting import sql

pytestmark = pytest.mark.processes
VENDOR = "sqlite" if settings.ON_SQLITE else "postgresql"
ADVICE = f"{file_of(VENDOR).name} is not what the migrations make: run `make schema`"


def test_what_is_made_at_once_is_what_the_migrations_make(new_program):
    at_once, in_turn = new_program(), new_program()
    assert at_once.manage("migrate").returncode == 0 and in_turn.manage("migrate", "--stepwise").returncode == 0
    assert text_of(in_turn.url) == file_of(VENDOR).read_text(), ADVICE
    # By other eyes than those that wrote the text.
    assert difference(schema(in_turn.url), schema(at_once.url)) == "", ADVICE
    assert text_of(at_once.url) == file_of(VENDOR).read_text()
    for one in (at_once, in_turn):
        assert sql(one, "SELECT count(*) FROM identity_serverkey") == [(2,)]
        # The next number of a table with rows is free.
        sql(one, "INSERT INTO django_content_type (app_label, model) VALUES ('made', 'up')")


def test_a_migration_that_the_text_does_not_have_is_run_afterwards(new_program):
    program = new_program()
    program.python(OLDER.replace("VENDOR", VENDOR))
    assert sql(program, "SELECT count(*) FROM django_migrations WHERE name = '0003_logentry_add_action_flag_choices'") == [(1,)]
    assert text_of(program.url) == file_of(VENDOR).read_text()


# As it was before that migration, which changes nothing in the database.
OLDER = """
from django.core.management import call_command
from gs2admin.schema import prepared
lines = prepared.file_of("VENDOR").read_text().splitlines(keepends=True)
class Older:
    def read_text(self):
        kept = [line for line in lines if "0003_logentry_add_action_flag_choices" not in line]
        assert len(kept) == len(lines) - 1
        return "".join(kept)
prepared.file_of = lambda vendor: Older()
call_command("migrate", verbosity=0)
"""


# Stands still when all statements are done, before the commit.
STOPS = """
import sys
from django.core.management import call_command
from gs2admin.engine.management.commands import migrate
def stop(*_):
    print("before the commit", flush=True)
    sys.stdin.read()
migrate.emit_post_migrate_signal = stop
call_command("migrate", verbosity=0)
"""


def test_whoever_is_killed_in_the_middle_leaves_an_empty_database(new_program):
    program = new_program()
    made = subprocess.Popen([sys.executable, "-c", f"import django\ndjango.setup()\n{STOPS}"], cwd=program.tree, env=program.environment,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
    try:
        assert made.stdout.readline() == b"before the commit\n"
        made.send_signal(signal.SIGKILL)
    finally:
        made.kill()
        made.wait()
        made.stdin.close()
        made.stdout.close()
    # The server notices a moment later.
    until(lambda: schema(program.url) == set(), 10)
    assert program.manage("migrate").returncode == 0
    assert text_of(program.url) == file_of(VENDOR).read_text()


def test_statements_of_a_text_end_where_they_end():
    text = "CREATE TABLE a (b);\nCREATE TRIGGER c AFTER UPDATE ON a BEGIN\n    SELECT 1;\n\nEND;\nINSERT INTO a VALUES\n(1),\n(2);\n"
    assert list(statements(text)) == [
        "CREATE TABLE a (b)", "CREATE TRIGGER c AFTER UPDATE ON a BEGIN\n    SELECT 1;\n\nEND", "INSERT INTO a VALUES\n(1),\n(2)"
    ]
