"""A database of before the first release is carried over by one command, and works."""
from __future__ import annotations

import contextlib
import sqlite3

import psycopg
import pytest
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader

from gs2admin.schema import before_first_release
from gs2admin.schema.adopting import initial_state
from tests.upgrade.doors import use_everything
from tests.upgrade.program import Program
from tests.upgrade.schema import difference, schema

pytestmark = pytest.mark.processes


def sql(program: Program, statement: str) -> list[tuple]:
    """Run a statement on the program's database."""
    if program.url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(program.url.removeprefix("sqlite:///"))) as link, link:
            return link.execute(statement).fetchall()
    with psycopg.connect(program.url) as link:
        cursor = link.execute(statement)
        return cursor.fetchall() if cursor.description else []


def refused(done, *words: str) -> None:
    """The command ended with a sentence that has these words, and with no traceback."""
    assert done.returncode != 0 and "Traceback" not in done.stderr, done.stderr
    assert all(word in done.stderr for word in words), done.stderr


def test_an_old_database_is_refused_with_the_name_of_the_command_carried_over_and_works(old, new_program):
    for command in ("migrate", "up", "worker"):
        refused(old.manage(command), "older than the first release", "`python manage.py adoptdatabase`")
    rows = {table: sql(old, f"SELECT count(*) FROM {table}") for table in ("stages_rollout", "jobqueue_job", "audit_activity")}
    done = old.manage("adoptdatabase")
    assert done.returncode == 0, done.stderr
    assert "29 names became 7" in done.stdout and "ready for this release" in done.stdout
    again = old.manage("adoptdatabase")
    assert again.returncode == 0 and "nothing is to be done" in again.stdout, again.stderr
    assert rows == {table: sql(old, f"SELECT count(*) FROM {table}") for table in rows}
    fresh = new_program()
    assert fresh.manage("migrate").returncode == 0
    assert difference(schema(fresh.url), schema(old.url)) == ""
    with old.serving() as url:
        use_everything(old, url)


def test_any_other_database_is_refused_and_left_alone(old, new_program):
    refused(new_program().manage("adoptdatabase"), "no tables of gs2admin", "migrate")
    sql(old, "DELETE FROM django_migrations WHERE app = 'stages' AND name LIKE '0011%'")
    before = schema(old.url), sql(old, "SELECT app, name FROM django_migrations ORDER BY id")
    for command in ("adoptdatabase", "migrate", "up"):
        refused(old.manage(command), f"older than commit {before_first_release.COMMIT}")
    sql(old, "INSERT INTO django_migrations (app, name, applied) VALUES ('stages', '0099_later', '2026-11-30 00:00:00')")
    refused(old.manage("adoptdatabase"), "newer than this code", "stages.0099_later")
    sql(old, "DELETE FROM django_migrations WHERE name = '0099_later'")
    assert (schema(old.url), sql(old, "SELECT app, name FROM django_migrations ORDER BY id")) == before


def test_the_operations_lead_from_the_old_models_to_the_initial_migrations():
    loader = MigrationLoader(None)
    state = initial_state(loader)
    before_first_release.make_old(state)
    for label, operation in before_first_release.OPERATIONS:
        operation.state_forwards(label, state)
    missing = MigrationAutodetector(state, initial_state(loader)).changes(loader.graph)
    assert {app: [one.describe() for made in found for one in made.operations] for app, found in missing.items()} == {}


# Moves a column of the stages into a table of its own, changes stored words, and makes the table of stages anew on SQLite.
MADE_UP = """
from django.db import connection, migrations, models
from gs2admin.schema import adopting, before_first_release
def copied(apps, editor):
    for stage in apps.get_model("stages", "Stage").objects.all():
        apps.get_model("stages", "StageKind").objects.create(stage=stage, word=stage.type.lower())
before_first_release.OPERATIONS += [("stages", operation) for operation in [
    migrations.CreateModel("StageKind", [
        ("stage", models.OneToOneField("stages.Stage", models.CASCADE, primary_key=True, related_name="kind")),
        ("word", models.CharField(max_length=20)),
    ]),
    migrations.RunPython(copied),
    migrations.RemoveField("stage", "type"),
    migrations.AlterField("stage", "name", models.CharField(max_length=200)),
    migrations.RunSQL("UPDATE audit_activity SET action = 'stage.changed' WHERE action = 'stage.create'"),
    MORE
]]
print(adopting.adopt(connection, print))
"""


def test_operations_change_tables_and_rows_and_keep_the_triggers(old):
    stages = sql(old, "SELECT id, lower(type) FROM stages_stage ORDER BY id")
    said = old.python(MADE_UP.replace("MORE", ""))
    assert "stages: Create model StageKind" in said and said.endswith("True\n")
    assert sql(old, "SELECT stage_id, word FROM stages_stagekind ORDER BY stage_id") == stages and len(stages) == 4
    assert sql(old, "SELECT count(*) FROM audit_activity WHERE action = 'stage.create'") == [(0,)]
    with pytest.raises((sqlite3.IntegrityError, psycopg.errors.CheckViolation), match="stage_no_source_circle"):
        sql(old, "UPDATE stages_stage SET source_id = (SELECT id FROM stages_stage WHERE name = 'live') WHERE name = 'dev'")


def test_an_operation_that_fails_leaves_the_database_as_it_was(old):
    before = schema(old.url), sql(old, "SELECT app, name FROM django_migrations ORDER BY id")
    with pytest.raises(AssertionError, match="no such column|does not exist"):
        old.python(MADE_UP.replace("MORE", "migrations.RunSQL('UPDATE stages_stage SET no_such_column = 1')"))
    assert (schema(old.url), sql(old, "SELECT app, name FROM django_migrations ORDER BY id")) == before
    assert old.manage("adoptdatabase").returncode == 0
