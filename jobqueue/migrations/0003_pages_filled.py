from django.db import migrations


class Migration(migrations.Migration):
    """What the pages' columns and lines say of rows that are older than they are."""

    dependencies = [("jobqueue", "0002_pages")]

    operations = [
        migrations.RunSQL(
            "UPDATE jobqueue_queue SET (head_at, head_tries) = (SELECT created_at, try_count FROM jobqueue_job"
            " WHERE queue_id = jobqueue_queue.id AND state = 'waiting' ORDER BY id LIMIT 1) WHERE EXISTS"
            " (SELECT 1 FROM jobqueue_job WHERE queue_id = jobqueue_queue.id AND state = 'waiting')",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            "INSERT INTO jobqueue_givenup (job_id, namespace_id, user_id, script, status_code, at)"
            " SELECT job.id, queue.namespace_id, queue.user_id, SUBSTR(job.script_id, 1, 200), COALESCE((SELECT status_code"
            " FROM jobqueue_jobresult result WHERE result.job_id = job.id ORDER BY try_number DESC LIMIT 1), 0),"
            " job.updated_at FROM jobqueue_job job JOIN jobqueue_queue queue ON queue.id = job.queue_id"
            " WHERE job.state = 'given_up' ORDER BY job.id",
            migrations.RunSQL.noop,
        ),
    ]
