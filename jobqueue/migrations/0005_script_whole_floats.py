from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("jobqueue", "0003_user_data_said"),
    ]

    operations = [
        migrations.AddField(
            model_name="script",
            name="keep_whole_floats",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
