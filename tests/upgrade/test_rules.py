"""The check of migrations refuses what the release before does not survive, and nothing else."""
from __future__ import annotations

import re

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.models import Q
from django.db.models.functions import Now

from gs2admin.schema.adopting import initial_state
from tests.upgrade.rules import refusals

BAD = {
    "remove a field": (migrations.RemoveField("stage", "colour"), "stages.stage.colour: the release before still reads"),
    "delete a model": (migrations.DeleteModel("Stop"), "stages.stop: the release before still reads"),
    "rename a field": (migrations.RenameField("stage", "colour", "color"), "stages.stage.colour: "),
    "rename a model": (migrations.RenameModel("Stop", "Halt"), "stages.stop: "),
    "another table": (migrations.AlterModelTable("Stop", "stops"), "stages.stop: "),
    "a field without a default in the database": (
        migrations.AddField("stage", "owner", models.CharField(max_length=9, default="")), "stages.stage.owner: .*db_default"),
    "fewer characters": (migrations.AlterField("stage", "name", models.CharField(max_length=64)), "more than 64 characters"),
    "a limit where there was none": (migrations.AlterField("rollout", "reason", models.CharField(max_length=9)), "CharField does not take"),
    "no NULL any more": (migrations.AlterField("rollout", "started_at", models.DateTimeField(db_default=Now())), "may write NULL"),
    "smaller numbers": (migrations.AlterField("ledger", "revision", models.IntegerField(default=0)), "IntegerField does not take"),
    "once only": (migrations.AlterField("stage", "name", models.CharField(max_length=128, unique=True)), "a value twice"),
    "another column": (migrations.AlterField("stage", "colour", models.CharField(max_length=8, db_column="color")), "its old name"),
    "no default any more": (migrations.AlterField("stage", "created_at", models.DateTimeField()), "inserts rows without it"),
    "another constraint": (
        migrations.AddConstraint("stage", models.CheckConstraint(condition=Q(sort_number__lt=50), name="early")), "stages.stage.early: "),
    "a key of upserts goes": (migrations.RemoveConstraint("target", "target_name_once"), "ON CONFLICT"),
    "SQL": (migrations.RunSQL("ALTER TABLE stages_stage DROP COLUMN colour"), "stages.sql: DROP"),
    "SQL in a list": (migrations.RunSQL([("alter table stages_stage rename to x", None)]), "stages.sql: rename"),
    "in the database only": (
        migrations.SeparateDatabaseAndState(database_operations=[migrations.RemoveField("stage", "colour")]), "stages.stage.colour: "),
    "what nobody thought of": (migrations.AlterUniqueTogether("stage", {("project", "name")}), "AlterUniqueTogether"),
}  # fmt: skip
GOOD = {
    "a new model": [migrations.CreateModel("Note", [("id", models.BigAutoField(primary_key=True)), ("text", models.TextField())]),
                    migrations.AddField("note", "by", models.CharField(max_length=9, default="")),
                    migrations.AddConstraint("note", models.CheckConstraint(condition=~Q(by=""), name="note_by")),
                    migrations.RemoveField("note", "text"), migrations.DeleteModel("Note")],
    "a field that may be empty": [migrations.AddField("stage", "owner", models.CharField(max_length=9, null=True)),
                                  migrations.RemoveField("stage", "owner")],
    "a default in the database": [migrations.AddField("stage", "owner", models.CharField(max_length=9, db_default=""))],
    "more characters": [migrations.AlterField("stage", "name", models.CharField(max_length=200))],
    "any text": [migrations.AlterField("stage", "name", models.TextField())],
    "larger numbers": [migrations.AlterField("ledger", "sets_count", models.BigIntegerField(default=0))],
    "NULL is allowed": [migrations.AlterField("stage", "created_at", models.DateTimeField(db_default=Now(), null=True))],
    "other words to choose from": [migrations.AlterField("rollout", "kind", models.CharField(max_length=16, choices=[("a", "A")]))],
    "an index": [migrations.AddIndex("stage", models.Index(fields=["created_at"], name="by_age")), migrations.RemoveIndex("stage", "by_age")],
    "a check goes": [migrations.RemoveConstraint("stage", "stage_sort_number_0_100")],
    "only the models forget it": [migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("stage", "colour")])],
    "rows": [migrations.RunPython(migrations.RunPython.noop), migrations.RunSQL("UPDATE stages_stage SET colour = ''")],
}


@pytest.fixture(scope="module")
def state():
    return initial_state(MigrationLoader(None))


@pytest.fixture
def judged(state):
    """judged(operations, unused_since) is what the check says; releases up to v2 have been made."""

    def act(operations, **more):
        made = type("Migration", (migrations.Migration,), {"operations": operations, **more})("0002_made_up", "stages")
        return refusals(made, state, state, lambda release: release in ("v1", "v2"))

    return act


@pytest.mark.parametrize("case", BAD)
def test_what_takes_something_away_is_refused(judged, case):
    operation, words = BAD[case]
    said, = judged([operation])
    assert re.match(f"stages.0002_made_up: .*{words}", said), said


@pytest.mark.parametrize("case", GOOD)
def test_what_adds_or_widens_passes(judged, case):
    assert judged(GOOD[case]) == []


@pytest.mark.parametrize("exemption, words", [
    ({"stages.stage.colour": "v2: no code uses it since"}, ""),
    ({"stages.stage.colour": "v3: no code uses it since"}, "v3 is no release up to the one before"),
    ({"stages.stage.colour": "v2: unused"}, "needs a reason"),
    ({"stages.stage.colour": "v2"}, "needs a reason"),
    ({"stages.stage.type": "v2: no code uses it since"}, "names what no operation removes"),
])  # fmt: skip
def test_an_exemption_names_the_release_that_stopped_using_it(judged, exemption, words):
    said = "\n".join(judged([migrations.RemoveField("stage", "colour")], unused_since=exemption))
    assert words in said and bool(words) == bool(said)
