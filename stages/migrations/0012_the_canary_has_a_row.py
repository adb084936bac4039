"""What only canaries have moves from the rollout's columns to a row of its own; family and rung_at get the field's words."""
import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from stages.states import Analysis, Cause, Leg, Origin, Phase, Protocol, RolloutState, Strategy

SAME = ("analysis", "weight_index", "weight_until", "hold_until", "analysis_began_at", "wake_at")


def copy(apps, schema_editor) -> None:
    """One row per rollout that has a canary: by its strategy, or a mesh release, whose strategy may be blue/green."""
    Rollout, RolloutCanary = apps.get_model("stages", "Rollout"), apps.get_model("stages", "RolloutCanary")
    rows = Rollout.objects.using(schema_editor.connection.alias).filter(Q(strategy="canary") | Q(family="asm"))
    RolloutCanary.objects.using(schema_editor.connection.alias).bulk_create(
        (
            RolloutCanary(rollout_id=row.pk, weight=row.gray_weight, **{name: getattr(row, name) for name in SAME})
            for row in rows.order_by("pk").iterator(chunk_size=500)
        ),
        batch_size=500,
    )
    if schema_editor.connection.vendor == "postgresql":  # the foreign keys are looked at now, so that tables may change
        schema_editor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def copy_back(apps, schema_editor) -> None:
    """The columns of the rollout from its canary's row."""
    Rollout, RolloutCanary = apps.get_model("stages", "Rollout"), apps.get_model("stages", "RolloutCanary")
    for row in RolloutCanary.objects.using(schema_editor.connection.alias).iterator(chunk_size=500):
        Rollout.objects.using(schema_editor.connection.alias).filter(pk=row.pk).update(
            gray_weight=row.weight, **{name: getattr(row, name) for name in SAME}
        )


class Migration(migrations.Migration):

    dependencies = [("stages", "0011_webhooks_by_courier")]

    operations = [
        migrations.CreateModel(
            name="RolloutCanary",
            fields=[
                ("rollout", models.OneToOneField(
                    on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="canary", serialize=False,
                    to="stages.rollout",
                )),
                ("analysis", models.CharField(choices=Analysis.choices, default="none", max_length=16)),
                ("weight", models.PositiveSmallIntegerField(default=0)),
                ("weight_index", models.PositiveSmallIntegerField(default=0)),
                ("weight_until", models.DateTimeField(null=True)),
                ("hold_until", models.DateTimeField(null=True)),
                ("analysis_began_at", models.DateTimeField(null=True)),
                ("wake_at", models.DateTimeField(null=True)),
            ],
            options={
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
        ),
        migrations.RunPython(copy, copy_back),
        migrations.RemoveConstraint("rollout", "rollout_gray_weight_0_100"),
        migrations.RemoveIndex("rollout", "rollout_wakes"),
        migrations.RemoveField("rollout", "analysis"),
        migrations.RemoveField("rollout", "gray_weight"),
        migrations.RemoveField("rollout", "weight_index"),
        migrations.RemoveField("rollout", "weight_until"),
        migrations.RemoveField("rollout", "hold_until"),
        migrations.RemoveField("rollout", "analysis_began_at"),
        migrations.RemoveField("rollout", "wake_at"),
        migrations.RenameField("rollout", "family", "protocol"),
        migrations.RenameField("rollout", "rung_at", "woken_at"),
        migrations.AlterField(
            "rollout", "protocol", models.CharField(choices=Protocol.choices, default="freeze", max_length=16)
        ),
        migrations.AlterField(
            "rollout", "strategy", models.CharField(choices=Strategy.choices, default="normal", max_length=16)
        ),
        migrations.AlterField(
            "rollout", "state", models.CharField(choices=RolloutState.choices, default="queued", max_length=24)
        ),
        migrations.AlterField("rollout", "leg", models.CharField(choices=Leg.choices, default="base", max_length=16)),
        migrations.AlterField("rollout", "cause", models.CharField(blank=True, choices=Cause.choices, max_length=16)),
        migrations.AlterField("step", "leg", models.CharField(choices=Leg.choices, default="base", max_length=8)),
        migrations.AlterField("step", "origin", models.CharField(blank=True, choices=Origin.choices, max_length=8)),
        migrations.AlterField("step", "phase", models.CharField(choices=Phase.choices, max_length=8)),
    ]
