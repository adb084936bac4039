"""Threads that must not end by an exception: what they run is begun anew, and the log says so."""
from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from gs2admin.processes.backoff import Backoff

log = logging.getLogger(__name__)
# What ran for so long before it failed can run. s.
HEALTHY_S = 60.0


def kept(name: str, run: Callable[[], object], *, backoff: Backoff | None = None) -> threading.Thread:
    """A running daemon thread in which `run` is called until it returns; what it raises is logged, and it is called again.

    Again after 0, 0.5, 1, 2, 5, 10, 10, … seconds, from the beginning when it had run well for a minute.
    """
    waits = backoff or Backoff(HEALTHY_S)

    def keep() -> None:
        while True:
            began = time.monotonic()
            try:
                run()
                return
            except BaseException:  # SystemExit ends a thread as well, without a word
                with suppress(BaseException):  # memory may be what is missing
                    log.exception("a thread ended by an exception; it is started again", extra={"name_of": name})
            with suppress(BaseException):
                time.sleep(waits.failed(time.monotonic() - began))

    thread = threading.Thread(target=keep, name=name, daemon=True)
    thread.start()
    return thread
