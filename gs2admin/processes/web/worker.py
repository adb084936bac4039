"""gunicorn's worker: starts and ends what serves in a web process."""
from __future__ import annotations

import gc
import os
import socket
import sys
import time
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from gunicorn.workers.base import Worker as BaseWorker

from gs2admin.processes.web import application
from gs2admin.processes.web.clients import Clients
from gs2admin.processes.web.connection import Connection
from gs2admin.processes.web.limits import ENOUGH, MEMORY, Limits
from gs2admin.processes.web.long_polls import Made
from gs2admin.processes.web.poller import Poller
from gs2admin.processes.web.pool import Pool
from gs2admin.processes.web.spool import Room

# A stopping process keeps connections that wait for a request so long: one may be on its way already.
STOP_S = 2.0
# So often at least the arbiter is told that we live; it waits for a minute (gunicorn.conf.py: timeout). s.
LOOK_UP_S = 15.0
# A thread that computes lets others go on after so long. Python's own 5 ms are waited for at each of a request's calls of the
# kernel while other requests compute: beside a burst of large answers the median of others was twice as long. s.
SWITCH_S = 0.0005
# What the kernel holds of an answer before it is on its way, and how long a client may be silent about what it was sent.
UNSENT_BYTES = 128 * 1024
SILENT_MS = 60_000


class Worker(BaseWorker):
    """One thread for connections, `threads` for the application, and a few for each probe, which stands behind no request."""

    def init_process(self) -> None:
        self.poller: Poller | None = None
        self._next_look = 0.0
        super().init_process()

    def run(self) -> None:
        """Serve until told to end; gunicorn calls it with the application loaded."""
        # What was loaded stays for good: looking through it took 60 ms each time, for all threads at once.
        gc.collect()
        gc.freeze()
        sys.setswitchinterval(SWITCH_S)
        self.form = import_string(settings.WEB_REFUSALS)
        disk = settings.WEB_SPOOL_MB * 1024**2
        bodies, answers = (Room(str(settings.DATA_DIR), MEMORY, size) for size in (disk, disk // 4))
        limits = Limits.of_settings(self.cfg)
        self.poller = Poller(
            self.cfg, limits, bodies, answers, Clients(settings.TRUSTED_PROXIES), self.form, self.pool_of,
            import_string(settings.WEB_LIVE)(), lambda made: self.pool.put(made), lambda: self.alive)
        self.pool = self.make_pool("web", self.cfg.threads)
        self.probes = {path: self.make_pool(path[1:], settings.WEB_PROBE_THREADS) for path in settings.WEB_PROBES}
        for listener in self.sockets:
            prepare(listener.sock)
        self.poller.listen([listener.sock for listener in self.sockets])
        self.end_with_parent()
        while self.alive:
            self.look_up()
            self.poller.turn(LOOK_UP_S)
        self.finish()

    def make_pool(self, name: str, threads: int) -> Pool:
        """Threads that answer requests."""
        return Pool(name, threads, self.work, ENOUGH, self.poller.wake)

    def pool_of(self, path: str) -> Pool:
        """The threads that answer requests for a path."""
        return self.probes.get(path, self.pool)

    def work(self, item: Connection | Made) -> None:
        """In a thread of a pool."""
        if isinstance(item, Made):
            item.run()
        else:
            self.answer(item)

    def answer(self, connection: Connection) -> None:
        """Answer a request; in a thread of a pool."""
        keep = False
        try:
            self.nr += 1
            if self.nr >= self.max_requests:
                self.leave()
            keep = application.run(connection, self.wsgi, self.cfg, self.form, last=lambda: not self.alive)
        finally:
            self.poller.sender.answered(connection, keep)

    def finish(self) -> None:
        """Let what is under way come to its end, for a while."""
        now = time.monotonic()
        self.poller.deafen(now + min(STOP_S, self.cfg.graceful_timeout))
        while self.poller.busy() and time.monotonic() < now + self.cfg.graceful_timeout:
            self.look_up()
            self.poller.turn(0.25)
        for listener in self.sockets:
            listener.close()

    def look_up(self) -> None:
        """Tell the arbiter that we live."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_UP_S / 2
            self.notify()

    def end_with_parent(self) -> None:
        """The arbiter may be killed at any time, now too."""
        try:
            self.poller.watch_parent(self.ppid, self.leave)
        except OSError:
            self.alive = False
        if self.ppid != os.getppid():
            self.alive = False

    def handle_exit(self, sig: int, frame: Any) -> None:
        """SIGTERM."""
        self.leave()

    def leave(self) -> None:
        """Serve no longer."""
        self.alive = False
        if self.poller is not None:
            self.poller.wake()


def prepare(listener: socket.socket) -> None:
    """What connections inherit: the kernel holds little of an answer that is not on its way, and ends those of silent clients."""
    if listener.family in (socket.AF_INET, socket.AF_INET6):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_MS)
