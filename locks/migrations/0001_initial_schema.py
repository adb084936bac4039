import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import locks.expressions
import locks.migrations._triggers
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('identity', '0001_initial_schema'),
    ]

    operations = [
        migrations.CreateModel(
            name='LockNamespace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='lock_namespaces', to='identity.project')),
                ('name', models.CharField(max_length=128, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9._-]{1,128}\\Z')])),
                ('description', models.CharField(blank=True, max_length=1024)),
                ('log_setting', models.JSONField(blank=True, null=True)),
                ('status', models.CharField(choices=[('ACTIVE', 'Active'), ('DELETING', 'Deleting')], default='ACTIVE', max_length=16)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('revision', models.BigIntegerField(default=1)),
                ('floor', models.BigIntegerField(default=0)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('project', 'name'), name='lock_namespace_name_once'), models.UniqueConstraint(condition=models.Q(('project', None)), fields=('name',), name='lock_namespace_of_server_once')],
            },
        ),
        migrations.CreateModel(
            name='Watermark',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='lock_watermark', serialize=False, to='identity.project')),
                ('value', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='Mutex',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('namespace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='mutexes', to='locks.locknamespace')),
                ('key', models.BinaryField(max_length=20, unique=True)),
                ('user_id', models.CharField(max_length=128)),
                ('property_id', models.CharField(max_length=1024)),
                ('transaction_id', models.CharField(blank=True, default='', max_length=256)),
                ('counter', models.BigIntegerField(default=0)),
                ('revision', models.BigIntegerField(default=0)),
                ('acquired_ms', models.BigIntegerField(default=0)),
                ('until_ms', models.BigIntegerField(default=0)),
                ('ended_ms', models.BigIntegerField(default=0)),
                ('ended', models.CharField(blank=True, choices=[('unlocked', 'Unlocked'), ('expired', 'Expired without unlock'), ('deleted', 'Deleted'), ('forced', 'Released by force')], default='', max_length=8)),
                ('ended_by', models.CharField(blank=True, default='', max_length=150)),
                ('denied', models.BigIntegerField(default=0)),
                ('expired', models.BigIntegerField(default=0)),
            ],
            options={
                'verbose_name_plural': 'mutexes',
                'ordering': ['id'],
                'indexes': [models.Index(fields=['namespace', 'user_id', 'id'], name='mutex_of_player'), models.Index(condition=models.Q(('counter__gt', 0)), fields=['namespace', 'acquired_ms', 'id', 'until_ms'], name='mutex_held'), models.Index(models.F('namespace'), locks.expressions.Front('property_id'), models.F('id'), name='mutex_by_property')],
                'constraints': [models.CheckConstraint(condition=models.Q(('counter__gte', 0)), name='mutex_counter_never_negative'), models.CheckConstraint(condition=models.Q(('counter', 0), models.Q(('transaction_id', ''), _negated=True), _connector='OR'), name='mutex_held_by_somebody')],
            },
        ),
        migrations.CreateModel(
            name='Holding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('mutex', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='holdings', to='locks.mutex')),
                ('transaction_id', models.CharField(max_length=256)),
                ('revision', models.BigIntegerField()),
                ('acquired_ms', models.BigIntegerField()),
                ('ended_ms', models.BigIntegerField()),
                ('ended', models.CharField(choices=[('unlocked', 'Unlocked'), ('expired', 'Expired without unlock'), ('deleted', 'Deleted'), ('forced', 'Released by force')], max_length=8)),
                ('ended_by', models.CharField(blank=True, default='', max_length=150)),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('mutex', 'revision'), name='one_holding_per_revision')],
            },
        ),
        migrations.CreateModel(
            name='LockTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('namespace', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tallies', to='locks.locknamespace')),
                ('at', models.DateTimeField()),
                ('span_s', models.PositiveSmallIntegerField(default=60)),
                ('shard', models.PositiveSmallIntegerField(default=0)),
                ('acquired', models.PositiveBigIntegerField(default=0)),
                ('denied', models.PositiveBigIntegerField(default=0)),
                ('expired', models.PositiveBigIntegerField(default=0)),
                ('held', models.PositiveIntegerField(default=0)),
            ],
            options={
                'ordering': ['at'],
                'indexes': [models.Index(fields=['span_s', 'at'], name='lock_tally_by_age')],
                'constraints': [models.UniqueConstraint(fields=('namespace', 'at', 'span_s', 'shard'), name='one_lock_tally_per_shard')],
            },
        ),
        migrations.CreateModel(
            name='LockBatch',
            fields=[
                ('id', models.UUIDField(primary_key=True, serialize=False)),
                ('parts', models.PositiveIntegerField()),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
        ),
        migrations.RunPython(
            code=locks.migrations._triggers.create,
            reverse_code=locks.migrations._triggers.drop,
        ),
    ]
