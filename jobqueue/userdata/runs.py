"""Working on a run: one worker at a time, by a lease; whoever lost it can write nothing more."""
from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Concat, Now
from django.utils import timezone

from gs2admin import engine
from gs2admin.lease import LeaseLost, Renewer
from jobqueue.models import UserDataRun
from jobqueue.states import LIVE, UserDataState

LEASE_S = 30
PROGRESS_S = 1.0
MAX_ATTEMPTS = 20
PERFORM = "jobqueue.userdata.tasks.perform"


class Hold:
    """The right to work on a run."""

    def __init__(self, run: UserDataRun) -> None:
        self.run = run
        self._lease = Renewer(PROGRESS_S, self.write)

    @property
    def rows(self):
        """The run, if it is still ours."""
        return UserDataRun.objects.filter(pk=self.run.pk, fence=self.run.fence, state=UserDataState.RUNNING)

    def write(self, **values: Any) -> None:
        """Change the run and renew the lease. Raises LeaseLost."""
        lease = Now() + timedelta(seconds=LEASE_S)
        if not self.rows.update(lease_until=lease, updated_at=Now(), **values):
            raise LeaseLost
        self._lease.restart()

    def tick(self, done: int | None = None) -> None:
        """Call often; renews the lease and the progress about once a second. Raises LeaseLost."""
        if self._lease.due:
            self.write(**({} if done is None else {"done": done}))
            engine.beat("user data")

    def note(self, sentence: str, **values: Any) -> None:
        """A line in the log. Raises LeaseLost."""
        self.write(log=Concat(F("log"), Value(line(sentence))), **values)

    @contextmanager
    def step(self):
        """A transaction that holds only if the run is still ours at its beginning; the run's row stays locked."""
        with transaction.atomic():
            self.write()
            yield

    def end(self, state: UserDataState, sentence: str, **values: Any) -> None:
        """The run is over. Raises LeaseLost."""
        self.note(sentence, state=state, **values)


def line(sentence: str) -> str:
    """A line of a log."""
    return f"{timezone.now():%Y-%m-%d %H:%M:%S}Z {sentence}\n"


def take(run_id: int) -> Hold | None:
    """Begin or go on with a run; None while somebody else does, and when it is over."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    live = UserDataRun.objects.filter(free, pk=run_id, state__in=sorted(LIVE))
    lease = Now() + timedelta(seconds=LEASE_S)
    with transaction.atomic():
        taken = live.update(
            state=UserDataState.RUNNING, lease_until=lease, fence=F("fence") + 1, attempts=F("attempts") + 1, updated_at=Now()
        )
        return Hold(UserDataRun.objects.select_related("project").get(pk=run_id)) if taken else None


@engine.sweeper
def wake_runs() -> int:
    """Ring for runs that nobody works on."""
    lost = Q(lease_until__lt=Now()) | Q(lease_until=None, updated_at__lt=Now() - timedelta(seconds=5))
    woken = 0
    for pk in list(UserDataRun.objects.filter(lost, state__in=sorted(LIVE)).values_list("pk", flat=True)[:100]):
        engine.wake(PERFORM, pk)
        woken += 1
    return woken
