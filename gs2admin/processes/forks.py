"""Children that are forks of this process: nothing is loaded twice, and parent and child share the memory of what is loaded.

Only a process without other threads and without connections may fork: a lock that another thread holds is held in the child
for ever, and a connection would be shared. Descriptors are numbers here, not objects, so that the child can close the parent's.
"""
from __future__ import annotations

import atexit
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress

from gs2admin.processes import proc

log = logging.getLogger(__name__)
CHILD_S = 0.01


class Child:
    """A child of this process. fd: readable from the moment when it has ended. returncode: as subprocess has it, None before."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.fd = os.pidfd_open(pid)
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Reap it when it has ended; its exit code, negative for a signal."""
        if self.returncode is None:
            try:
                found, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                found, status = self.pid, 0  # somebody else has reaped it
            if found:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout_s: float) -> int | None:
        """Its exit code, as soon as it has ended, or None after timeout_s."""
        deadline = time.monotonic() + timeout_s
        while self.poll() is None and time.monotonic() < deadline:
            time.sleep(CHILD_S)
        return self.returncode

    def signal(self, number: int) -> None:
        """Signal exactly this process, if it still runs."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.fd, number)

    def close(self) -> None:
        """Let its descriptor go; it is reaped."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def settle() -> None:
    """What is loaded stays for good: no collection of garbage looks at it and so copies its memory. Before the first fork."""
    gc.collect()
    gc.freeze()


def fork(run: Callable[[], object], *, name: str, keep: Iterable[int] = (), variables: dict[str, str] | None = None) -> Child:
    """Start `run` in a child, in a session of its own. It ends when `run` returns, by code 1 when that raises.

    name: what the process calls itself (15 characters). keep: the descriptors, besides input, output and errors, that it
    goes on to have. variables: of its environment, besides ours.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        _live(run, name, frozenset(keep), variables or {})
    return Child(pid)


def run_in_child(run: Callable[[], object]) -> int:
    """Call run() in a child that ends with us and with our terminal, and wait for it; its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        proc.die_with_parent()
        _end(run)
    while True:
        with suppress(InterruptedError):
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _live(run: Callable[[], object], name: str, keep: frozenset[int], variables: dict[str, str]) -> None:
    with suppress(BaseException):
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        proc.call_myself(name)
        close_others(keep)
        os.environ.update(variables)
    _end(run)


def close_others(keep: Iterable[int]) -> None:
    """Close all descriptors but input, output, errors and these; input is from nowhere from now on."""
    lowest = 3
    for fd in sorted(keep):
        os.closerange(lowest, fd)
        lowest = max(lowest, fd + 1)
    os.closerange(lowest, 1 << 20)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _end(run: Callable[[], object]) -> None:
    """Run it, and end this process without a word to what our parent would do at its end."""
    code = 1
    try:
        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except KeyboardInterrupt:
        code = 130
    except BaseException:
        log.exception("a process ended by an exception")
    finally:
        with suppress(BaseException):
            atexit._run_exitfuncs()
        with suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code & 0xFF)
