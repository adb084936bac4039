"""A worker that is told which queue to run, and at which instant to stop itself (SIGSTOP), as a paused machine would.

    {"queue": 7, "point": "asked", "nth": 1}  ->  stops there  ->  {"ended": "…"}

Points: called (its lease was asked for, the call has not begun), written (all is written, the commit begins), asked (the fence
was asked too, the commit has not begun), "" (it does not stop).
"""
from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

POINTS = ("called", "written", "asked")
_point, _left = "", 1


def stop(point: str) -> None:
    """Stop here if this is the point, at the time that was asked for."""
    global _point, _left
    if _point != point:
        return
    _left -= 1
    if not _left:
        _point = ""
        os.kill(os.getpid(), signal.SIGSTOP)


def install() -> None:
    """Put the points where they belong."""
    from gs2admin.db import fences
    from jobqueue.execution import calls

    ask, dispatch = fences._all_hold, calls._dispatch

    def dispatched(*given: Any) -> Any:
        stop("called")
        return dispatch(*given)

    def all_hold() -> bool:
        stop("written")
        found = ask()
        stop("asked")
        return found

    calls._dispatch, fences._all_hold = dispatched, all_hold


def main() -> None:
    """Until there are no more lines."""
    global _point, _left
    # What anything else prints, such as the log, goes beside it.
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    import django

    django.setup()
    install()
    from jobqueue.execution.drain import drain

    print("{}", file=told, flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        _point, _left = order["point"], order["nth"]
        try:
            drain(order["queue"])
            ended = "left" if _point else "done"
        except Exception as problem:  # noqa: BLE001  told to whoever gave the order
            ended = repr(problem)
        print(json.dumps({"ended": ended}), file=told, flush=True)


if __name__ == "__main__":
    main()
