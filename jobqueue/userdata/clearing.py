"""Takes a player's rows out of sight in one transaction, and removes them afterwards in batches."""
from __future__ import annotations

from django.db import connection
from django.db.models import F

from gs2admin.wire.models import DuplicateRecord
from jobqueue.models import GivenUp, Job, Notification, Queue, UserDataRun
from jobqueue.states import NOBODY, UserDataState
from jobqueue.userdata.runs import Hold

BATCH = 500
_NEW_NAME = {"sqlite": "LOWER(HEX(RANDOMBLOB(16)))", "postgresql": "GEN_RANDOM_UUID()"}


def clean(hold: Hold) -> None:
    """Remove everything of the player, and end the run. Raises LeaseLost."""
    run = hold.run
    if not run.swapped:
        hold.note(f"Erasing, attempt {run.attempts}.")
        with hold.step():
            jobs = Job.objects.filter(queue__in=put_away(run)).count()
            Notification.objects.filter(project=run.project, user_id=run.user_id).delete()
            # Remembered answers hold arguments and results.
            DuplicateRecord.objects.filter(project=run.project, user_id=run.user_id).delete()
            hold.note("The player's queues are empty; removing the rows.", swapped=True, done=0, total=jobs)
    remove_rubbish(hold)
    # What this worker removed is not all, if one before it died in the middle.
    total = UserDataRun.objects.values_list("total", flat=True).get(pk=run.pk)
    hold.end(UserDataState.DONE, f"Done: {total} jobs removed.", done=total)


def rubbish_of(run: UserDataRun) -> str:
    """Who the rows belong to until they are removed: nobody, since no job is pushed for such a user."""
    return f"{NOBODY}rubbish:{run.token.hex}"


def staged_of(run: UserDataRun) -> str:
    """Who an import's rows belong to until it is complete."""
    return f"{NOBODY}import:{run.token.hex}"


def put_away(run: UserDataRun) -> list[int]:
    """The player has nothing any more, from this transaction's end on; who ran a job of his has lost the queue.

    Returns the ids of the queues.
    """
    queues = Queue.objects.filter(namespace__project=run.project, user_id=run.user_id)
    pks = list(queues.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    GivenUp.objects.filter(namespace__project=run.project, user_id=run.user_id).delete()
    Queue.objects.filter(pk__in=pks).update(
        user_id=rubbish_of(run), waiting=0, draining=False, head_at=None, head_tries=0, lease_until=None, next_at=None,
        fence=F("fence") + 1, rev=F("rev") + 1,
    )  # fmt: skip
    # Their names become free at once, for jobs that are imported.
    with connection.cursor() as cursor:
        for pk in pks:
            cursor.execute(f"UPDATE jobqueue_job SET name = {_NEW_NAME[connection.vendor]} WHERE queue_id = %s", [pk])
    return pks


def remove_rubbish(hold: Hold) -> None:
    """Remove what was put away, a batch per transaction. Raises LeaseLost."""
    remove_rows(hold, rubbish_of(hold.run))


def remove_rows(hold: Hold, user_id: str) -> None:
    """Remove the queues of a made-up user with their jobs."""
    queues = Queue.objects.filter(namespace__project=hold.run.project, user_id=user_id)
    while pks := list(Job.objects.filter(queue__in=queues).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with hold.step():
            Job.objects.filter(pk__in=pks).delete()
    with hold.step():
        queues.delete()
