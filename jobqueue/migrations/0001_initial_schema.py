import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('identity', '0001_initial_schema'),
    ]

    operations = [
        migrations.CreateModel(
            name='Namespace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='job_namespaces', to='identity.project')),
                ('name', models.CharField(max_length=128, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9._-]{1,128}\\Z')])),
                ('description', models.CharField(blank=True, max_length=1024)),
                ('enable_auto_run', models.BooleanField(default=False)),
                ('transaction_setting', models.JSONField(blank=True, null=True)),
                ('transaction_setting_v2', models.JSONField(blank=True, null=True)),
                ('push_notification', models.JSONField(blank=True, null=True)),
                ('run_notification', models.JSONField(blank=True, null=True)),
                ('log_setting', models.JSONField(blank=True, null=True)),
                ('status', models.CharField(choices=[('ACTIVE', 'Active'), ('DELETING', 'Deleting')], default='ACTIVE', max_length=16)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('revision', models.BigIntegerField(default=1)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('project', 'name'), name='job_namespace_name_once')],
            },
        ),
        migrations.CreateModel(
            name='Queue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('namespace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='queues', to='jobqueue.namespace')),
                ('user_id', models.CharField(max_length=128)),
                ('rev', models.BigIntegerField(default=1)),
                ('waiting', models.IntegerField(default=0)),
                ('draining', models.BooleanField(default=False)),
                ('started_rev', models.BigIntegerField(default=0)),
                ('lease_until', models.DateTimeField(null=True)),
                ('fence', models.BigIntegerField(default=0)),
                ('let_go_fence', models.BigIntegerField(db_default=0)),
                ('leased_by', models.CharField(db_default='', max_length=100)),
                ('next_at', models.DateTimeField(null=True)),
                ('woken_at', models.DateTimeField(null=True)),
                ('head_at', models.DateTimeField(null=True)),
                ('head_tries', models.PositiveSmallIntegerField(default=0)),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('waiting__gt', 0)), fields=['namespace', 'head_at', 'id', 'waiting'], name='queue_with_work'), models.Index(condition=models.Q(('head_tries__gt', 0)), fields=['namespace', 'head_at', 'id'], name='queue_retrying'), models.Index(fields=['user_id'], name='queue_by_user'), models.Index(condition=models.Q(('draining', True)), fields=['next_at', 'woken_at'], name='queue_draining')],
                'constraints': [models.UniqueConstraint(fields=('namespace', 'user_id'), name='one_queue_per_user')],
            },
        ),
        migrations.CreateModel(
            name='Job',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('queue', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='jobs', to='jobqueue.queue')),
                ('name', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('script_id', models.CharField(max_length=1024)),
                ('args', models.TextField(default='{}')),
                ('max_try_count', models.PositiveSmallIntegerField(default=3)),
                ('try_count', models.PositiveSmallIntegerField(default=0)),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Running'), ('done', 'Done'), ('given_up', 'Given up')], default='waiting', max_length=8)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('replay_of', models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='replays', to='jobqueue.job')),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(fields=['queue', 'state', 'id'], name='job_of_queue'), models.Index(condition=models.Q(('replay_of__isnull', False)), fields=['replay_of'], name='job_replays')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'running')), fields=('state', 'queue'), name='one_running_job_per_queue'), models.CheckConstraint(condition=models.Q(('try_count__lte', models.F('max_try_count'))), name='job_tries_within_limit'), models.CheckConstraint(condition=models.Q(('state__in', ['done', 'given_up', 'running', 'waiting'])), name='job_state_known'), models.CheckConstraint(condition=models.Q(('state', 'running'), ('try_count', 0), _negated=True), name='job_runs_by_a_try')],
            },
        ),
        migrations.CreateModel(
            name='JobResult',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='results', to='jobqueue.job')),
                ('try_number', models.PositiveSmallIntegerField()),
                ('status_code', models.PositiveSmallIntegerField()),
                ('result', models.TextField(default='{}')),
                ('output', models.TextField(blank=True, default='')),
                ('tried_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('took_ms', models.PositiveIntegerField(default=0)),
            ],
            options={
                'ordering': ['job_id', 'try_number'],
                'constraints': [models.UniqueConstraint(fields=('job', 'try_number'), name='one_result_per_attempt')],
            },
        ),
        migrations.CreateModel(
            name='GivenUp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('job', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='given_up', to='jobqueue.job')),
                ('namespace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='given_up', to='jobqueue.namespace')),
                ('user_id', models.CharField(max_length=128)),
                ('script', models.CharField(max_length=200)),
                ('status_code', models.PositiveSmallIntegerField()),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('replayed_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['namespace', '-id'], name='given_up_newest'), models.Index(fields=['namespace', 'at'], name='given_up_when'), models.Index(fields=['namespace', 'user_id', '-id'], name='given_up_user'), models.Index(fields=['namespace', 'script', '-id'], name='given_up_script'), models.Index(fields=['namespace', 'status_code', '-id'], name='given_up_status')],
            },
        ),
        migrations.CreateModel(
            name='Tally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('namespace', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tallies', to='jobqueue.namespace')),
                ('at', models.DateTimeField()),
                ('span_s', models.PositiveSmallIntegerField(default=60)),
                ('script', models.CharField(max_length=200)),
                ('shard', models.PositiveSmallIntegerField(default=0)),
                ('ok', models.PositiveIntegerField(default=0)),
                ('failed', models.PositiveIntegerField(default=0)),
                ('given_up', models.PositiveIntegerField(default=0)),
                ('took_ms', models.PositiveBigIntegerField(default=0)),
            ],
            options={
                'ordering': ['at'],
                'indexes': [models.Index(fields=['span_s', 'at'], name='tally_by_age')],
                'constraints': [models.UniqueConstraint(fields=('namespace', 'at', 'span_s', 'script', 'shard'), name='one_tally_per_shard')],
            },
        ),
        migrations.CreateModel(
            name='Notification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='notifications', to='identity.project')),
                ('job', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='notifications', to='jobqueue.job')),
                ('gateway_namespace_id', models.CharField(max_length=1024)),
                ('user_id', models.CharField(max_length=128)),
                ('subject', models.CharField(max_length=128)),
                ('payload', models.CharField(max_length=1024)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('delivered_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['id'],
                'indexes': [models.Index(condition=models.Q(('delivered_at', None)), fields=['id'], name='notification_to_send')],
            },
        ),
        migrations.CreateModel(
            name='ScriptNamespace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='script_namespaces', to='identity.project')),
                ('name', models.CharField(max_length=128, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9._-]{1,128}\\Z')])),
                ('description', models.CharField(blank=True, max_length=1024)),
                ('transaction_setting', models.JSONField(blank=True, null=True)),
                ('transaction_setting_v2', models.JSONField(blank=True, null=True)),
                ('log_setting', models.JSONField(blank=True, null=True)),
                ('status', models.CharField(choices=[('ACTIVE', 'Active'), ('DELETING', 'Deleting')], default='ACTIVE', max_length=16)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('revision', models.BigIntegerField(default=1)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('project', 'name'), name='script_namespace_name_once')],
            },
        ),
        migrations.CreateModel(
            name='Script',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('namespace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scripts', to='jobqueue.scriptnamespace')),
                ('name', models.CharField(max_length=128, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9._-]{1,128}\\Z')])),
                ('description', models.CharField(blank=True, max_length=1024)),
                ('source', models.TextField()),
                ('disable_string_number_to_number', models.BooleanField(default=False)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('revision', models.BigIntegerField(default=1)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('namespace', 'name'), name='script_name_once')],
            },
        ),
        migrations.CreateModel(
            name='ScriptVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('script', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='jobqueue.script')),
                ('revision', models.BigIntegerField()),
                ('source', models.TextField()),
                ('by', models.CharField(max_length=150)),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['-revision'],
                'constraints': [models.UniqueConstraint(fields=('script', 'revision'), name='script_revision_once')],
            },
        ),
        migrations.CreateModel(
            name='UserDataRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='user_data_runs', to='identity.project')),
                ('user_id', models.CharField(max_length=128)),
                ('kind', models.CharField(choices=[('dump', 'Dump'), ('clean', 'Clean'), ('import', 'Import')], max_length=8)),
                ('state', models.CharField(choices=[('prepared', 'Waiting for its file'), ('uploaded', 'Uploaded'), ('waiting', 'Waiting'), ('running', 'Running'), ('done', 'Done'), ('failed', 'Failed')], default='waiting', max_length=8)),
                ('token', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('requested_by', models.CharField(max_length=150)),
                ('file', models.CharField(blank=True, max_length=200)),
                ('size', models.BigIntegerField(default=0)),
                ('swapped', models.BooleanField(default=False)),
                ('done', models.BigIntegerField(default=0)),
                ('total', models.BigIntegerField(default=0)),
                ('log', models.TextField(blank=True)),
                ('error', models.TextField(blank=True)),
                ('lease_until', models.DateTimeField(null=True)),
                ('fence', models.BigIntegerField(default=0)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['project', 'user_id', 'kind', '-id'], name='user_data_of_player'), models.Index(condition=models.Q(('state__in', ['running', 'waiting'])), fields=['lease_until'], name='user_data_live')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['running', 'waiting'])), fields=('project', 'user_id'), name='one_live_user_data_run_per_player'), models.CheckConstraint(condition=models.Q(('state__in', ['done', 'failed', 'prepared', 'running', 'uploaded', 'waiting'])), name='user_data_state_known'), models.CheckConstraint(condition=models.Q(('kind__in', ['clean', 'dump', 'import'])), name='user_data_kind_known')],
            },
        ),
    ]
