"""The lease of a run: one worker at a time works on it; a worker that lost its lease can write nothing more."""
from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Now

from gs2admin import engine
from gs2admin.db import clock
from gs2admin.lease import LeaseLost, Renewer
from gs2admin.limits import in_turns
from jobqueue.models import UserDataRun
from jobqueue.states import LIVE, UserDataState

LEASE_S = 30
PROGRESS_S = 1.0
MAX_ATTEMPTS = 20
PERFORM, EXAMINE = "jobqueue.userdata.tasks.perform", "jobqueue.userdata.tasks.examine"
LOOKED_AT = 2_000


class RunLease:
    """The right to work on a run."""

    def __init__(self, run: UserDataRun) -> None:
        self.run = run
        self._lease = Renewer(PROGRESS_S, self.write)

    @property
    def rows(self):
        """The run's row, while this lease counts; else nothing."""
        return UserDataRun.objects.filter(pk=self.run.pk, fence=self.run.fence, state=UserDataState.RUNNING)

    def write(self, **values: Any) -> None:
        """Change columns of the run, and renew the lease. Raises LeaseLost."""
        lease = Now() + timedelta(seconds=LEASE_S)
        if not self.rows.update(lease_until=lease, updated_at=Now(), **values):
            raise LeaseLost
        self._lease.restart()

    def tick(self, done: int | None = None) -> None:
        """Call it often: writes the progress and renews the lease about once a second. done: lines or rows. Raises LeaseLost."""
        if self._lease.due:
            self.write(**({} if done is None else {"done": done}))
            engine.beat("user data")

    def note(self, sentence: str, **values: Any) -> None:
        """Add a line to the log and change columns. Raises LeaseLost."""
        self.write(log=Concat(F("log"), Value(line(sentence))), **values)

    @contextmanager
    def step(self):
        """A transaction that keeps the run's row locked. Raises LeaseLost at its beginning when the lease is lost."""
        with transaction.atomic():
            self.write()
            yield

    def end(self, state: UserDataState, sentence: str, **values: Any) -> None:
        """End the run, with a last line in the log. Raises LeaseLost."""
        self.note(sentence, state=state, **values)


def line(sentence: str) -> str:
    """A line of a log."""
    return f"{clock.now():%Y-%m-%d %H:%M:%S}Z {sentence}\n"


def waiting(**more: Any) -> list[int]:
    """Runs that no worker has a lease of, those of each project in turns, the oldest first. more: conditions."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    rows = UserDataRun.objects.filter(free, state__in=sorted(LIVE), **more).order_by("pk").values_list("pk", "project_id")
    return [pk for pk, _ in in_turns(rows[:LOOKED_AT], lambda row: row[1])]


def take(run_id: int) -> RunLease | None:
    """Lease a run for LEASE_S seconds; None while another worker has a lease, and when the run is over."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    live = UserDataRun.objects.filter(free, pk=run_id, state__in=sorted(LIVE))
    lease = Now() + timedelta(seconds=LEASE_S)
    with transaction.atomic():
        taken = live.update(
            state=UserDataState.RUNNING, lease_until=lease, fence=F("fence") + 1, attempts=F("attempts") + 1, updated_at=Now()
        )
        return RunLease(UserDataRun.objects.select_related("project").get(pk=run_id)) if taken else None
