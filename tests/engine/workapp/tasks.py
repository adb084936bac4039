"""Jobs as a domain writes them: claimed with a lease, beating, handed over when asked, woken by a sweeper."""
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from gs2admin import engine
from gs2admin.engine.models import EngineChore
from tests.conditions import looks

LEASE_S = 2.0


def ledger() -> Path:
    return Path(os.environ["TEST_LEDGER"])


def note(job: str, event: str) -> None:
    """One line, appended at once: "<job> <event> <worker's pid>"."""
    descriptor = os.open(ledger() / "events", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{job} {event} {os.getpid()}\n".encode())
    os.close(descriptor)


def fresh(job: str) -> bool:
    try:
        return time.time() - (ledger() / f"{job}.lease").stat().st_mtime < LEASE_S
    except FileNotFoundError:
        return False


def claim(job: str) -> bool:
    """Lease the job; False while another worker has it. Of two that are woken at the same moment, one gets it."""
    with (ledger() / f"{job}.claim").open("w") as claims:
        fcntl.flock(claims, fcntl.LOCK_EX)
        if fresh(job):
            return False
        (ledger() / f"{job}.lease").touch()
        return True


def run(job: str) -> None:
    """Work until the file <job>.stop appears, or the seconds in <job>.todo are over."""
    todo, lease = ledger() / f"{job}.todo", ledger() / f"{job}.lease"
    try:
        seconds = float(todo.read_text())
    except FileNotFoundError:
        return
    if not claim(job):
        return
    note(job, "start")
    if (ledger() / f"{job}.child").exists():
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        note(job, f"child:{child.pid}")
    deaf = (ledger() / f"{job}.deaf").exists()
    for passed in looks(seconds, every_s=0.05):
        if passed >= seconds or (ledger() / f"{job}.stop").exists():
            break
        lease.touch()
        if engine.beat(f"job {job}") and not deaf:
            note(job, "handover")
            lease.unlink()
            engine.wake("tests.engine.workapp.tasks.run", job)
            return
    todo.unlink()
    note(job, "end")


def freeze(job: str) -> None:
    """Stop in the middle of a transaction that has written."""
    with transaction.atomic():
        EngineChore.objects.update_or_create(name=job, defaults={"ran_at": timezone.now()})
        note(job, "frozen")
        os.kill(os.getpid(), signal.SIGSTOP)
    note(job, "committed")


def silent(job: str) -> None:
    """A short task that does not beat."""
    note(job, "end")


def fail(job: str) -> None:
    raise ValueError("as asked")


@engine.sweeper
def wake() -> int:
    lost = [todo.stem for todo in ledger().glob("*.todo") if not fresh(todo.stem)]
    for job in lost:
        engine.wake("tests.engine.workapp.tasks.run", job)
    return len(lost)


@engine.sweeper
def broken() -> int:
    raise RuntimeError("one broken sweeper must not stop the others")


@engine.on_worker_lost
def bury(label: str) -> int:
    note(label, "buried")
    return 0
