"""Has a file from outside read by a process of its own (inspector.py), and says what it found. Called by workers alone."""
from __future__ import annotations

import json
import logging
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from jobqueue.userdata.checking import Content
from jobqueue.userdata.format import MANIFEST, Manifest, Refused, parse

log = logging.getLogger(__name__)
PROGRAM = Path(__file__).resolve().parent / "inspector.py"
TICK_S = 0.25
# 2,000,000 results, or one line of 22,000,000 characters, need less than half of it.
MEMORY = 768 * 1024 * 1024
# Seconds of processor time, and twice as much by the clock and a minute on top, for `look` and `check`.
LOOK_S, CHECK_S = 10, 600
_MOST = 1024 * 1024


def look(file: BinaryIO, size: int, tick: Callable[[], object]) -> Manifest:
    """The manifest of a file. file: a real one; size: of it, in bytes. tick: called several times a second. Raises Refused."""
    return _inspect("look", file, size, tick, LOOK_S).manifest


def check(file: BinaryIO, size: int, tick: Callable[[], object]) -> Content:
    """Check every line of a file. Arguments: as `look`. Raises Refused, and what tick raises."""
    return _inspect("check", file, size, tick, CHECK_S)


def _inspect(what: str, file: BinaryIO, size: int, tick: Callable[[], object], seconds: int) -> Content:
    file.seek(0)
    child = subprocess.Popen(
        [sys.executable, "-I", "-B", str(PROGRAM), str(settings.BASE_DIR), what, str(size), str(MEMORY), str(seconds)],
        stdin=file, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={"LC_ALL": "C.UTF-8"}, cwd="/", start_new_session=True,
    )  # fmt: skip
    try:
        data = _read(child, tick, time.monotonic() + 2 * seconds + 60)
        code = child.wait()
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        raise Refused("Reading the file took more time or memory than any dump of ours takes, so it was stopped.")
    try:
        answer = json.loads(data)
    except ValueError:
        log.error("the process that reads a file from outside ended without an answer", extra={"code": code})
        raise Refused("The file could not be read: the process that reads it was ended.") from None
    if "refused" in answer:
        raise Refused(answer["refused"])
    return Content(parse(Manifest, json.dumps(answer["manifest"]).encode(), MANIFEST), frozenset(answer["namespaces"]))


def _read(child: subprocess.Popen, tick: Callable[[], object], end: float) -> bytes:
    """All that it prints, until it closes its output; what came until then at `end`."""
    data, poller = b"", select.poll()
    poller.register(child.stdout, select.POLLIN)
    while len(data) < _MOST and time.monotonic() < end:
        tick()
        if poller.poll(TICK_S * 1000):
            piece = child.stdout.read1(65536)
            if not piece:
                break
            data += piece
    else:
        child.kill()
    return data
