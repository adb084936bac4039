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
            name='Activity',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('project', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='activity', to='identity.project')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ('actor_kind', models.CharField(max_length=16)),
                ('actor_id', models.CharField(blank=True, max_length=64)),
                ('actor_name', models.CharField(max_length=150)),
                ('action', models.CharField(max_length=64)),
                ('object_type', models.CharField(max_length=32)),
                ('object_id', models.CharField(max_length=64)),
                ('object_name', models.CharField(max_length=300)),
                ('player', models.CharField(blank=True, db_default='', default='', max_length=128)),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
                ('reason', models.TextField(blank=True)),
                ('door', models.CharField(max_length=16)),
                ('ip', models.CharField(blank=True, max_length=45)),
                ('request_id', models.CharField(blank=True, max_length=64)),
            ],
            options={
                'verbose_name_plural': 'activity',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['project', '-id'], name='activity_newest'), models.Index(fields=['project', 'action', '-id'], name='activity_by_action'), models.Index(fields=['project', 'actor_name', '-id'], name='activity_by_actor'), models.Index(fields=['project', 'object_type', 'object_id', '-id'], name='activity_by_object'), models.Index(condition=models.Q(('player', ''), _negated=True), fields=['project', 'player', '-id'], name='activity_by_player')],
            },
        ),
    ]
