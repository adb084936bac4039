"""Erases a player: one transaction moves the rows to a made-up user, then batches delete them."""
from __future__ import annotations

from django.db import connection
from django.db.models import F

from gs2admin.audit.notes import forget_player
from gs2admin.wire.models import DuplicateRecord
from jobqueue.models import GivenUp, Job, Notification, Queue, UserDataRun
from jobqueue.states import NOBODY, UserDataState
from jobqueue.userdata.runs import RunLease

BATCH = 500
_NEW_NAME = {"sqlite": "LOWER(HEX(RANDOMBLOB(16)))", "postgresql": "GEN_RANDOM_UUID()"}


def clean(lease: RunLease) -> None:
    """Delete everything of the player, and end the run. Raises LeaseLost."""
    run = lease.run
    if not run.swapped:
        lease.note(f"Erasing, attempt {run.attempts}.")
        with lease.step():
            jobs = Job.objects.filter(queue__in=put_away(run)).count()
            Notification.objects.filter(project=run.project, user_id=run.user_id).delete()
            # Stored answers of repeated calls hold arguments and results.
            DuplicateRecord.objects.filter(project=run.project, user_id=run.user_id).delete()
            forget_player(run.project_id, run.user_id)
            lease.note("The player's queues are empty; removing the rows.", swapped=True, done=0, total=jobs)
    delete_put_away(lease)
    # The total that the run has, not what this worker deleted: one before it may have died in the middle.
    total = UserDataRun.objects.values_list("total", flat=True).get(pk=run.pk)
    lease.end(UserDataState.DONE, f"Done: {total} jobs removed.", done=total)


def put_away_as(run: UserDataRun) -> str:
    """The made-up user id of rows that are to be deleted; no job is pushed for such an id."""
    return f"{NOBODY}rubbish:{run.token.hex}"


def staged_of(run: UserDataRun) -> str:
    """The made-up user id of an import's rows until it is complete."""
    return f"{NOBODY}import:{run.token.hex}"


def put_away(run: UserDataRun) -> list[int]:
    """Move the player's rows to the user put_away_as(run), in the caller's transaction; leases of the queues are lost.

    Returns the ids of the queues.
    """
    queues = Queue.objects.filter(namespace__project=run.project, user_id=run.user_id)
    pks = list(queues.select_for_update(of=("self",)).order_by("pk").values_list("pk", flat=True))
    GivenUp.objects.filter(namespace__project=run.project, user_id=run.user_id).delete()
    Queue.objects.filter(pk__in=pks).update(
        user_id=put_away_as(run), waiting=0, draining=False, head_at=None, head_tries=0, lease_until=None, next_at=None,
        fence=F("fence") + 1, rev=F("rev") + 1,
    )  # fmt: skip
    # New names, so that imported jobs can have the old ones at once.
    with connection.cursor() as cursor:
        for pk in pks:
            cursor.execute(f"UPDATE jobqueue_job SET name = {_NEW_NAME[connection.vendor]} WHERE queue_id = %s", [pk])
    return pks


def delete_put_away(lease: RunLease) -> None:
    """Delete what was put away, a batch per transaction. Raises LeaseLost."""
    remove_rows(lease, put_away_as(lease.run))


def remove_rows(lease: RunLease, user_id: str) -> None:
    """Delete the queues of a made-up user with their jobs, a batch per transaction. Raises LeaseLost."""
    queues = Queue.objects.filter(namespace__project=lease.run.project, user_id=user_id)
    while pks := list(Job.objects.filter(queue__in=queues).order_by("pk").values_list("pk", flat=True)[:BATCH]):
        with lease.step():
            Job.objects.filter(pk__in=pks).delete()
    with lease.step():
        queues.delete()
