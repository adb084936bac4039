"""Wake-ups: who has made work tells those who wait for it, at once, so that nobody has to ask many times a second.

Each waiting process has a Unix datagram socket in the data directory; a wake-up is a datagram to all of one topic. Where nobody
on this machine takes it, PostgreSQL carries it to other hosts (hosts.py). It is sent after the commit, carries nothing, never
waits and never fails its sender. It may be lost or doubled: who waits looks by itself too, about once a second.
"""
from __future__ import annotations

import logging
import os
import secrets
import select
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections

from gs2admin.engine.hosts import Channel, tell_hosts

log = logging.getLogger(__name__)
# What is woken: who takes tasks from the queue, and who looks which chores are due.
TASKS, CHORES = "tasks", "chores"
FOLDER = "wakeup"
# How often somebody looks who can not be woken. s.
POLL_S = 0.05
OLD_S = 86_400


def wake_up(topic: str) -> None:
    """Wake who waits for the topic, once this transaction is committed; at once outside one. Never raises."""
    link = connections[DEFAULT_DB_ALIAS]
    send = _senders[topic]
    # Once per transaction is enough.
    if link.in_atomic_block and any(each[1] is send for each in link.run_on_commit):
        return
    link.on_commit(send, robust=True)


def _sender(topic: str):
    def send() -> None:
        try:
            if not here(topic):
                tell_hosts(topic)
        except Exception:  # whatever it is: the work is committed, and who waits looks by itself
            log.info("a wake-up could not be sent", extra={"topic": topic}, exc_info=True)

    return send


_senders = {topic: _sender(topic) for topic in (TASKS, CHORES)}


def here(topic: str) -> int:
    """Wake who waits on this machine, at once; returns how many were told."""
    told = 0
    with _folder() as folder:
        if folder is None:
            return 0
        for name in os.listdir(folder):
            if name.startswith(f"{_boot()}-{topic}-"):
                told += _send(folder, name)
    return told


def _send(folder: int, name: str) -> bool:
    try:
        _outgoing().sendto(b"", f"/proc/self/fd/{folder}/{name}")
    except BlockingIOError:
        return True  # it has more wake-ups than it could read so far
    except ConnectionRefusedError:
        with suppress(OSError):
            os.unlink(name, dir_fd=folder)  # left by a process that was killed
        return False
    except OSError:
        return False
    return True


@cache
def _outgoing() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.setblocking(False)
    return made


@cache
def _boot() -> str:
    """This machine since it was started: sockets of others, in a directory that several share, lead nowhere."""
    return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]


@contextmanager
def _folder() -> Iterator[int | None]:
    """The open directory of sockets: a name below its descriptor is short, whereas a whole path may be too long for a socket."""
    try:
        folder = os.open(settings.DATA_DIR / FOLDER, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        yield None
        return
    try:
        yield folder
    finally:
        os.close(folder)


def wait_for(timeout_s: float, fds: Iterable[int]) -> None:
    """Wait until one of the descriptors can be read, at most so long."""
    poller = select.poll()
    for fd in fds:
        poller.register(fd, select.POLLIN)
    poller.poll(max(0.0, timeout_s) * 1000)


class Listener:
    """Waits for the wake-ups of one topic, in the thread that has made it. `local`: the last one came from this machine."""

    def __init__(self, topic: str) -> None:
        self.topic, self.local = topic, False
        self._hosts = Channel(topic)
        self._socket: socket.socket | None = None
        self._name = ""
        self._said = False
        self._open()

    @property
    def works(self) -> bool:
        """Whether it can be woken. Else `wait` is short, and its caller looks as often as that."""
        return self._socket is not None

    def attend(self) -> None:
        """Before a look: from now on nothing is missed. Asks the server for the wake-ups of other hosts where it does not yet.

        Raises a database error.
        """
        self._hosts.attend()

    def wait(self, timeout_s: float, *others: int) -> bool:
        """Wait for a wake-up, at most so long; several that came are one. others: descriptors that end the wait, too."""
        if self._socket is None:
            timeout_s = min(timeout_s, POLL_S)
        ours = [fd for fd in (self._socket and self._socket.fileno(), self._hosts.fileno()) if fd is not None]
        wait_for(timeout_s, [*ours, *others])
        self.local = self._read()
        woken = self._hosts.read() or self.local
        if not woken:
            self._keep()
        return woken

    def close(self) -> None:
        """Take no more wake-ups, so that senders know that nobody is here."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            with suppress(OSError):
                os.unlink(settings.DATA_DIR / FOLDER / self._name)

    def _read(self) -> bool:
        found = False
        while self._socket is not None:
            try:
                self._socket.recv(16)
                found = True
            except BlockingIOError:
                break
            except OSError:
                self.close()
        return found

    def _keep(self) -> None:
        """Whoever clears up the data directory may have removed the socket."""
        if self._socket is not None and not (settings.DATA_DIR / FOLDER / self._name).exists():
            self.close()
            self._open()

    def _open(self) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.setblocking(False)
        name = f"{_boot()}-{self.topic}-{os.getpid()}-{secrets.token_hex(3)}"
        try:
            (settings.DATA_DIR / FOLDER).mkdir(mode=0o700, exist_ok=True)
            with _folder() as folder:
                if folder is None:
                    raise OSError("the directory cannot be read")
                _clear(folder)
                made.bind(f"/proc/self/fd/{folder}/{name}")
        except OSError as problem:
            made.close()
            if not self._said:
                self._said = True
                log.warning("there is no socket for wake-ups in the data directory: this process asks the database many times a"
                            " second instead", extra={"topic": self.topic, "problem": str(problem)})
            return
        self._socket, self._name = made, name


def _clear(folder: int) -> None:
    """Remove what was left before the machine was started last."""
    for name in os.listdir(folder):
        with suppress(OSError):
            if not name.startswith(_boot()) and time.time() - os.stat(name, dir_fd=folder).st_mtime > OLD_S:
                os.unlink(name, dir_fd=folder)
