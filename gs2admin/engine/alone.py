"""One host at a time prepares a database: tables and first contents, however many hosts are started at once."""
from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from django.conf import settings
from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS, connections

# One number per database; "gs2admin" in ASCII.
LOCK = int.from_bytes(b"gs2admin")
WAIT_S = 300.0
LOOK_S = 0.2


@contextmanager
def alone(say: Callable[[str], None], *, within_s: float = WAIT_S) -> Iterator[None]:
    """Hold the database's one lock for preparing it; the lock of a process that dies is free again.

    Waits for another host, says so once, and raises CommandError with a sentence after within_s.
    """
    with ExitStack() as stack:
        take = _on_postgres(stack) if connections[DEFAULT_DB_ALIAS].vendor == "postgresql" else _beside_the_file(stack)
        deadline, waiting = time.monotonic() + within_s, False
        while not take():
            if time.monotonic() > deadline:
                raise CommandError(
                    f"Another gs2admin has been preparing this database for {within_s:g} s. Look at its log; start this one again"
                    " when it is done or has ended."
                )
            if not waiting:
                waiting = True
                say(f"Another gs2admin is preparing this database; waiting for it, at most {within_s:g} s ...")
            time.sleep(LOOK_S)
        yield


def _on_postgres(stack: ExitStack) -> Callable[[], bool]:
    # A connection of its own: whatever happens to the one that migrates, the lock stays as long as we do.
    link = connections.create_connection(DEFAULT_DB_ALIAS)
    stack.callback(link.close)

    def take() -> bool:
        with link.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
            return cursor.fetchone()[0]

    return take


def _beside_the_file(stack: ExitStack) -> Callable[[], bool]:
    file = stack.enter_context((settings.DATA_DIR / "preparing.lock").open("w"))

    def take() -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            return False

    return take
