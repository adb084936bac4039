"""Waiting for a child of ours, up to a limit."""
from __future__ import annotations

import contextlib
import os
import select
import signal


def exit_code(child: int, limit_s: float) -> int:
    """The child's exit code, -1 when the time is over; then it and all that it started are ended."""
    handle = os.pidfd_open(child)
    try:
        ended = bool(select.select([handle], [], [], limit_s)[0])
    finally:
        os.close(handle)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) if ended else -1
