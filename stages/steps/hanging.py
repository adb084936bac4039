"""What a thread that does not come back waits for, in words, and the end of the programs that it has started. Linux.

Libraries that steps use start programs (a kubeconfig's plug-in, AWS's credential_process), ask name servers and import
modules, all without a time limit. A step that gives up on such a call has to say which of these it was.
"""
from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple

from . import launcher

DNS = "the name server's answer (DNS)"
# (end of the file's name, function or "" for any, what it waits for). The innermost frame that is listed counts.
_PLACES = (
    ("socket.py", "getaddrinfo", DNS),
    ("ssl.py", "do_handshake", "the TLS handshake"),
    ("util/connection.py", "create_connection", "a connection"),
    ("http/client.py", "getresponse", "the server's answer"),
)
# Outer frames that say more than the innermost one.
_WHY = (("botocore/credentials.py", "the AWS credentials"), ("botocore/tokens.py", "the AWS credentials"))


class Child(NamedTuple):
    """A program that the thread has started and that still runs. started: in ticks since boot, as launcher has it."""

    pid: int
    name: str
    started: str


def waits_for(thread: threading.Thread) -> str:
    """What the thread waits for, such as "the program aws-iam-authenticator"; "" when it cannot be seen."""
    found = children(thread)
    if found:
        return "the program " + ", ".join(child.name for child in found[:3])
    frames = list(_frames(thread))
    why = next((f" for {words}" for frame in frames for place, words in _WHY if _file(frame).endswith(place)), "")
    for frame in frames:
        if module := _importing(frame):
            return f"the import of {module}"
        for place, function, words in _PLACES:
            if _file(frame).endswith(place) and function == frame.f_code.co_name:
                return words + why
    return why.removeprefix(" for ")


def children(thread: threading.Thread) -> list[Child]:
    """The programs that this thread has started and that still run."""
    try:
        with open(f"/proc/self/task/{thread.native_id}/children") as file:
            pids = [int(pid) for pid in file.read().split()]
    except OSError:
        return []
    if not pids:
        return []
    table = launcher.processes()
    return [Child(pid, _name(pid, table[pid][1]), table[pid][3]) for pid in pids if pid in table and table[pid][2] not in "ZX"]


def end_children(thread: threading.Thread) -> list[str]:
    """Kill the programs that this thread has started, with all below them; returns their names."""
    ended = []
    for child in children(thread):
        below = launcher.descendants(child.pid)
        launcher.send(child.pid, child.started, (signal.SIGKILL,))
        for pid, _, started in below:
            launcher.send(pid, started, (signal.SIGKILL,))
        ended.append(child.name)
    return ended


def _name(pid: int, short: str) -> str:
    """The program by its file's name; of a script its own, not its interpreter's. short: what the kernel shows."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = [word.decode("utf-8", "replace") for word in file.read().split(b"\0") if word]
    except OSError:
        return short
    paths = [word for word in words[:3] if "/" in word and not word.startswith("-")]
    named = [os.path.basename(path) for path in paths]
    return next((name for name in named if name.startswith(short)), named[0] if named else short)


def _frames(thread: threading.Thread) -> Iterator[FrameType]:
    """Its frames, the innermost first."""
    frame = sys._current_frames().get(thread.ident or 0)
    while frame is not None:
        yield frame
        frame = frame.f_back


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename


def _importing(frame: FrameType) -> str:
    """The module that this frame imports, "" for any other frame."""
    if _file(frame) == "<frozen importlib._bootstrap>" and frame.f_code.co_name == "_find_and_load":
        return str(frame.f_locals.get("name") or "")
    return ""
