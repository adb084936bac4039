"""Tables of locks, and the trigger that writes a holding into the history in the statement that ends it.

A later migration that rebuilds the table of mutexes on SQLite drops the trigger; tests/locks/test_history.py notices.
"""
import django.core.validators
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

VALUES = """
    INSERT INTO locks_holding (mutex_id, transaction_id, revision, acquired_ms, ended_ms, ended, ended_by) VALUES (
        OLD.id, OLD.transaction_id, OLD.revision, OLD.acquired_ms,
        CASE WHEN NEW.counter = 0 THEN NEW.ended_ms ELSE OLD.until_ms END,
        CASE WHEN NEW.counter = 0 THEN NEW.ended ELSE 'expired' END, NEW.ended_by);
"""
OVER = "OLD.counter > 0 AND (NEW.counter = 0 OR NEW.revision <> OLD.revision)"
SQLITE = f"""
CREATE TRIGGER locks_mutex_history AFTER UPDATE OF counter, revision ON locks_mutex WHEN {OVER}
BEGIN
    {VALUES}
END
"""
POSTGRES = f"""
CREATE FUNCTION locks_mutex_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {VALUES}
    RETURN NULL;
END $$;
CREATE TRIGGER locks_mutex_history AFTER UPDATE OF counter, revision ON locks_mutex
    FOR EACH ROW WHEN ({OVER}) EXECUTE FUNCTION locks_mutex_history();
"""


def forwards(apps, schema_editor) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRES)


def backwards(apps, schema_editor) -> None:
    with schema_editor.connection.cursor() as cursor:
        if schema_editor.connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER IF EXISTS locks_mutex_history")
        else:
            cursor.execute("DROP TRIGGER IF EXISTS locks_mutex_history ON locks_mutex")
            cursor.execute("DROP FUNCTION IF EXISTS locks_mutex_history()")


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('identity', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Watermark',
            fields=[
                ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='lock_watermark', serialize=False, to='identity.project')),
                ('value', models.BigIntegerField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name='LockNamespace',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, validators=[django.core.validators.RegexValidator('^[A-Za-z0-9._-]{1,128}\\Z')])),
                ('description', models.CharField(blank=True, max_length=1024)),
                ('log_setting', models.JSONField(blank=True, null=True)),
                ('status', models.CharField(choices=[('ACTIVE', 'Active'), ('DELETING', 'Deleting')], default='ACTIVE', max_length=16)),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('updated_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('revision', models.BigIntegerField(default=1)),
                ('floor', models.BigIntegerField(default=0)),
                ('project', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='lock_namespaces', to='identity.project')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='LockTally',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField()),
                ('span_s', models.PositiveSmallIntegerField(default=60)),
                ('shard', models.PositiveSmallIntegerField(default=0)),
                ('acquired', models.PositiveBigIntegerField(default=0)),
                ('denied', models.PositiveBigIntegerField(default=0)),
                ('expired', models.PositiveBigIntegerField(default=0)),
                ('held', models.PositiveIntegerField(default=0)),
                ('namespace', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tallies', to='locks.locknamespace')),
            ],
            options={
                'ordering': ['at'],
            },
        ),
        migrations.CreateModel(
            name='Mutex',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
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
                ('namespace', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='mutexes', to='locks.locknamespace')),
            ],
            options={
                'verbose_name_plural': 'mutexes',
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Holding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('transaction_id', models.CharField(max_length=256)),
                ('revision', models.BigIntegerField()),
                ('acquired_ms', models.BigIntegerField()),
                ('ended_ms', models.BigIntegerField()),
                ('ended', models.CharField(choices=[('unlocked', 'Unlocked'), ('expired', 'Expired without unlock'), ('deleted', 'Deleted'), ('forced', 'Released by force')], max_length=8)),
                ('ended_by', models.CharField(blank=True, default='', max_length=150)),
                ('mutex', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='holdings', to='locks.mutex')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.AddConstraint(
            model_name='locknamespace',
            constraint=models.UniqueConstraint(fields=('project', 'name'), name='lock_namespace_name_once'),
        ),
        migrations.AddConstraint(
            model_name='locknamespace',
            constraint=models.UniqueConstraint(condition=models.Q(('project', None)), fields=('name',), name='lock_namespace_of_server_once'),
        ),
        migrations.AddIndex(
            model_name='locktally',
            index=models.Index(fields=['span_s', 'at'], name='lock_tally_by_age'),
        ),
        migrations.AddConstraint(
            model_name='locktally',
            constraint=models.UniqueConstraint(fields=('namespace', 'at', 'span_s', 'shard'), name='one_lock_tally_per_shard'),
        ),
        migrations.AddIndex(
            model_name='mutex',
            index=models.Index(fields=['namespace', 'user_id', 'id'], name='mutex_of_player'),
        ),
        migrations.AddIndex(
            model_name='mutex',
            index=models.Index(condition=models.Q(('counter__gt', 0)), fields=['namespace', 'acquired_ms', 'id', 'until_ms'], name='mutex_held'),
        ),
        migrations.AddConstraint(
            model_name='mutex',
            constraint=models.CheckConstraint(condition=models.Q(('counter__gte', 0)), name='mutex_counter_never_negative'),
        ),
        migrations.AddConstraint(
            model_name='mutex',
            constraint=models.CheckConstraint(condition=models.Q(('counter', 0), models.Q(('transaction_id', ''), _negated=True), _connector='OR'), name='mutex_held_by_somebody'),
        ),
        migrations.AddConstraint(
            model_name='holding',
            constraint=models.UniqueConstraint(fields=('mutex', 'revision'), name='one_holding_per_revision'),
        ),
        migrations.RunPython(forwards, backwards),
    ]
