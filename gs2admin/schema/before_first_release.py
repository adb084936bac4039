"""The databases of before the first release: their migrations, and what makes of them what the initial migrations make.

`manage.py adoptdatabase` reads it. It can go when nobody has such a database any more.
"""
from __future__ import annotations

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Q
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


# Columns of a rollout that only a canary has; they move to a row of their own.
_OF_CANARIES: dict[str, models.Field] = {
    "analysis": models.CharField(max_length=16, default="none"),
    "gray_weight": models.PositiveSmallIntegerField(default=0),
    "weight_index": models.PositiveSmallIntegerField(default=0),
    "weight_until": models.DateTimeField(null=True),
    "hold_until": models.DateTimeField(null=True),
    "analysis_began_at": models.DateTimeField(null=True),
    "wake_at": models.DateTimeField(null=True),
}
_WEIGHT_LIMIT = models.CheckConstraint(condition=Q(gray_weight__lte=100), name="rollout_gray_weight_0_100")
_WAKES = models.Index(fields=["wake_at"], condition=Q(wake_at__isnull=False), name="rollout_wakes")


def _draining(moment: str) -> models.Index:
    return models.Index(fields=["next_at", moment], condition=Q(draining=True), name="queue_draining")


def make_old(state: ProjectState) -> None:
    """Change the state of the initial migrations into that of COMMIT, where the two differ.

    Undo here what OPERATIONS do: `state.remove_model`, `state.add_field`, `state.add_index`, `state.add_constraint`.
    """
    state.rename_model("stages", "Stop", "Halt")
    state.alter_model_options("stages", "halt", {"db_table": "stages_halt"})
    state.remove_field("jobqueue", "queue", "let_go_fence")
    state.remove_model("locks", "lockbatch")
    state.remove_model("stages", "rolloutcanary")
    state.rename_field("stages", "rollout", "protocol", "family")
    state.rename_field("stages", "rollout", "woken_at", "rung_at")
    state.rename_field("stages", "webhookattempt", "summary", "said")
    state.remove_index("jobqueue", "queue", "queue_draining")
    state.rename_field("jobqueue", "queue", "woken_at", "rung_at")
    state.add_index("jobqueue", "queue", _draining("rung_at"))
    for name, field in _OF_CANARIES.items():
        state.add_field("stages", "rollout", name, field, preserve_default=True)
    state.add_constraint("stages", "rollout", _WEIGHT_LIMIT)
    state.add_index("stages", "rollout", _WAKES)


def _copy_canaries(apps, schema_editor) -> None:
    """A row for each rollout with a canary: by its strategy, or a mesh release, whose strategy may be blue/green."""
    rollouts = apps.get_model("stages", "Rollout").objects.using(schema_editor.connection.alias)
    canaries = apps.get_model("stages", "RolloutCanary")
    same = [name for name in _OF_CANARIES if name != "gray_weight"]
    rows = rollouts.filter(Q(strategy="canary") | Q(protocol="asm")).order_by("pk")
    canaries.objects.using(schema_editor.connection.alias).bulk_create(
        (canaries(rollout_id=pk, weight=weight, **dict(zip(same, more, strict=True)))
         for pk, weight, *more in rows.values_list("pk", "gray_weight", *same).iterator(chunk_size=500)),
        batch_size=500,
    )


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
    ("stages", migrations.RenameField("rollout", "family", "protocol")),
    ("stages", migrations.RenameField("rollout", "rung_at", "woken_at")),
    ("stages", migrations.RenameField("webhookattempt", "said", "summary")),
    ("jobqueue", migrations.RemoveIndex("queue", "queue_draining")),
    ("jobqueue", migrations.RenameField("queue", "rung_at", "woken_at")),
    ("jobqueue", migrations.AddIndex("queue", _draining("woken_at"))),
    ("stages", migrations.CreateModel(
        "RolloutCanary",
        [
            ("rollout", models.OneToOneField(
                "stages.rollout", models.CASCADE, primary_key=True, related_name="canary", serialize=False,
            )),
            ("analysis", models.CharField(max_length=16, default="none", choices=[
                ("none", "Nobody: it goes on when its pauses are over"), ("manual", "A person"), ("auto", "Metrics"),
            ])),
            ("weight", models.PositiveSmallIntegerField(default=0)),
            ("weight_index", models.PositiveSmallIntegerField(default=0)),
            ("weight_until", models.DateTimeField(null=True)),
            ("hold_until", models.DateTimeField(null=True)),
            ("analysis_began_at", models.DateTimeField(null=True)),
            ("wake_at", models.DateTimeField(null=True)),
        ],
        {
            "constraints": [
                models.CheckConstraint(condition=Q(weight__lte=100), name="rollout_canary_weight_0_100"),
                models.CheckConstraint(
                    condition=Q(analysis__in=["auto", "manual", "none"]), name="rollout_canary_analysis_known"
                ),
            ],
            "indexes": [
                models.Index(fields=["wake_at"], condition=Q(wake_at__isnull=False), name="rollout_canary_wakes"),
            ],
        },
    )),
    ("stages", migrations.RunPython(_copy_canaries)),
    ("stages", migrations.RemoveConstraint("rollout", _WEIGHT_LIMIT.name)),
    ("stages", migrations.RemoveIndex("rollout", _WAKES.name)),
    *[("stages", migrations.RemoveField("rollout", name)) for name in _OF_CANARIES],
]
