"""The databases of before the first release: their migrations, and what makes of them what the initial migrations make.

`manage.py adoptdatabase` reads it. It can go when nobody has such a database any more.
"""
from __future__ import annotations

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now

# The last commit with these migrations.
COMMIT = "3e0d240"
INITIAL = "0001_initial_schema"
_NAMES = {
    "audit": "0001_initial 0002_initial 0003_player_of_a_line",
    "engine": "0001_initial",
    "identity": "0001_initial 0002_credentials_sign 0003_stamp_keys 0004_stamp_key_used",
    "jobqueue": "0001_initial 0002_pages 0003_pages_filled 0004_user_data 0005_queue_index_redundant 0006_job_indexes "
    "0007_queue_holder",
    "locks": "0001_initial 0002_mutex_by_property",
    "stages": "0001_initial 0002_no_source_circle 0003_scenarios 0004_stops_and_freezes 0005_approvals "
    "0006_steps_of_retries 0007_auto_promotion 0008_webhooks 0009_steps_by_microservice 0010_rollouts_wait "
    "0011_webhooks_by_courier",
    "wire": "0001_initial",
}
MIGRATIONS = frozenset((label, name) for label, names in _NAMES.items() for name in names.split())
LABELS = tuple(_NAMES)


def make_old(state: ProjectState) -> None:
    """Change the state of the initial migrations into that of COMMIT, where the two differ.

    Undo here what OPERATIONS do: `state.remove_model`, `state.add_field`, `state.add_index`, `state.add_constraint`.
    """
    state.rename_model("stages", "Stop", "Halt")
    state.alter_model_options("stages", "halt", {"db_table": "stages_halt"})
    state.remove_field("jobqueue", "queue", "let_go_fence")
    state.remove_model("locks", "lockbatch")


# (app label, operation), in order; together they lead from make_old's state to the initial migrations' state.
# tests/upgrade/test_adopting.py says what is missing. Data is copied by RunPython or RunSQL between them.
OPERATIONS: list[tuple[str, Operation]] = [
    ("stages", migrations.RenameModel("Halt", "Stop")),
    ("jobqueue", migrations.AddField("queue", "let_go_fence", models.BigIntegerField(db_default=0))),
    ("locks", migrations.CreateModel("LockBatch", [
        ("id", models.UUIDField(primary_key=True, serialize=False)),
        ("parts", models.PositiveIntegerField()),
        ("at", models.DateTimeField(db_default=Now())),
    ])),
]
