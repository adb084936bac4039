"""A worker as the engine runs it, in a process that a test may kill: a daemonic child with signals ignored.

Arguments: path of the executable, lease in seconds, timeout in seconds. What the step emits is printed.
"""

import multiprocessing
import os
import signal
import sys

from django.conf import settings


def work(path, lease_s, timeout_s):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    settings.configure(STEP_COMMANDS={"deploy": path}, STEP_HTTP_ALLOW=[], LEASE_S=lease_s, SECRET_KEY="x")
    from stages.steps import KINDS
    from tests.steps.helpers import Context

    print("worker", os.getpid(), flush=True)
    ctx = Context(KINDS["command"].validate({"command": "deploy", "timeout_s": timeout_s}))
    ctx.on_emit = lambda text: print(text, flush=True)
    try:
        print("result", KINDS["command"].run(ctx), flush=True)
    except Exception as error:  # noqa: BLE001 - the test reads it
        print("result", type(error).__name__, error, flush=True)


if __name__ == "__main__":
    child = multiprocessing.get_context("fork").Process(
        target=work, args=(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])), daemon=True
    )
    child.start()
    child.join()
