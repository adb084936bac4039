from django.db import migrations, models


class Migration(migrations.Migration):
    """Of queues that are older than the column it is not known whether they were let go: each is counted anew when it is
    taken next."""

    dependencies = [("jobqueue", "0007_queue_holder")]

    operations = [
        migrations.AddField(model_name="queue", name="let_go_fence", field=models.BigIntegerField(db_default=0)),
    ]
