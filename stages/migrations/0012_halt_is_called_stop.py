import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """A class gets another name; its table keeps the old one, so no database changes."""

    dependencies = [("stages", "0011_webhooks_by_courier")]

    operations = [
        migrations.AlterModelTable(name="halt", table="stages_halt"),
        migrations.RenameModel(old_name="Halt", new_name="Stop"),
        migrations.AlterField(
            model_name="stop",
            name="project",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="stops", to="identity.project"),
        ),
        migrations.AlterField(
            model_name="stop",
            name="stage",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.CASCADE, related_name="stops", to="stages.stage"
            ),
        ),
    ]
