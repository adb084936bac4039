from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("jobqueue", "0004_script_revision"),
    ]

    operations = [
        migrations.AddField(
            model_name="script",
            name="keep_whole_floats",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
