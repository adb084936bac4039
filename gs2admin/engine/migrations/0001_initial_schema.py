import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='EngineCluster',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('queue', models.CharField(max_length=100)),
                ('host', models.CharField(max_length=255)),
                ('pid', models.PositiveIntegerField()),
                ('workers', models.PositiveSmallIntegerField()),
                ('started_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('seen_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('beat_at', models.DateTimeField(null=True)),
                ('latency_ms', models.PositiveIntegerField(null=True)),
                ('draining', models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name='EngineWorker',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cluster', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='busy', to='engine.enginecluster')),
                ('pid', models.PositiveIntegerField()),
                ('busy_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('doing', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('cluster', 'pid'), name='engine_worker_once')],
            },
        ),
        migrations.CreateModel(
            name='EngineChore',
            fields=[
                ('name', models.CharField(max_length=200, primary_key=True, serialize=False)),
                ('ran_at', models.DateTimeField()),
            ],
        ),
    ]
