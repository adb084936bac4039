import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('identity', '0001_initial_schema'),
    ]

    operations = [
        migrations.CreateModel(
            name='DuplicateRecord',
            fields=[
                ('key', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='identity.project')),
                ('method', models.CharField(max_length=128)),
                ('user_id', models.CharField(blank=True, max_length=128)),
                ('request_digest', models.CharField(max_length=64)),
                ('answer', models.TextField(null=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True)),
            ],
        ),
    ]
