"""`manage.py up`: everything, with one command, in the foreground."""
from __future__ import annotations

import http.client
import os
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.core.management.base import BaseCommand

from gs2admin.engine.preparing import prepare
from gs2admin.processes import forks
from gs2admin.processes.kinds import become
from gs2admin.processes.lifeline import ChildEnd
from gs2admin.processes.privacy import say_what_was_mended
from gs2admin.processes.programs import Program, Programs
from gs2admin.processes.supervisor import stop_on_signals

BACKLOG = 2048
# Between two questions whether we are ready. s.
ASK_S = 0.1
PRELOADED = ("gs2admin.urls", "gs2admin.wsgi", "gs2admin.engine.supervising", "gs2admin.processes.webserver")


def listen(host: str, port: int) -> socket.socket:
    """Take the port. Raises CommandError with a sentence when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except PermissionError:
        raise CommandError(f"Port {port} needs more rights than this user has; choose another with PORT=8080.") from None
    except OSError as problem:
        if problem.errno == 98:  # EADDRINUSE
            raise CommandError(
                f"Port {port} on {host} is taken by another program; end that, or choose another with PORT={port + 1}."
            ) from None
        raise CommandError(f"gs2admin cannot listen on {host} port {port}: {problem.strerror}.") from None


class Readiness:
    """Asks /readyz until it says yes once."""

    def __init__(self, host: str, port: int, say) -> None:
        self.host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        self.port = port
        self.say = say
        self.ready = False
        self.hint_at = time.monotonic() + 30

    def ask(self) -> None:
        """One question, at most a second."""
        if self.ready:
            return
        if self._answer() == 200:
            self.ready = True
            name = f"[{self.host}]" if ":" in self.host else self.host
            self.say(f"gs2admin is ready on http://{name}:{self.port}")
        elif time.monotonic() > self.hint_at:
            self.hint_at = float("inf")
            self.say("gs2admin is still starting; the lines above may say what it waits for.")

    def _answer(self) -> int:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=1)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()


class Command(BaseCommand):
    help = "Prepares the database and the static files, then serves web and worker until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser) -> None:
        parser.add_argument("--end-with-parent", action="store_true", help="end when the starting process (make) is gone")

    def handle(self, *args: Any, **options: Any) -> None:
        lifeline = ChildEnd.from_environment()
        self.check()
        say_what_was_mended()
        with listen(settings.HOST, settings.PORT) as server:
            # What preparing needs in memory goes with its process, and what forks has no connections.
            if code := forks.run_in_child(lambda: self.prepare_or_refuse(server)):
                sys.exit(code)
            preload()
            forks.settle()
            programs = Programs(self.programs(server), late_s=settings.LATE_S)
            stop_on_signals(programs.stop)
            readiness = Readiness(settings.HOST, settings.PORT, self.say)
            programs.run(Looks(programs, options["end_with_parent"], lifeline, readiness))

    def say(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()

    def prepare_or_refuse(self, server: socket.socket) -> None:
        """Prepare, and end this process with a sentence where that cannot be."""
        try:
            prepare(server, self.say)
        except CommandError as refusal:
            sys.exit(f"CommandError: {refusal}")

    def programs(self, server: socket.socket) -> list[Program]:
        """The worker first: it takes longer until it is ready."""
        fd = server.fileno()
        return [
            Program("gs-worker", work),
            Program("gs-web", serve_web, keep=(fd,), variables={"GS2ADMIN_LISTEN_FD": str(fd)}),
        ]


def preload() -> None:
    """Import what the programs need, once for all of them."""
    for name in PRELOADED:
        import_module(name)


def work() -> None:
    """The worker."""
    become("worker")
    from gs2admin.engine import supervising

    supervising.serve()


def serve_web() -> None:
    """The web server."""
    become("web")
    from gs2admin.processes import webserver

    webserver.serve()


class Looks:
    """What happens between looks at the programs."""

    def __init__(self, programs: Programs, end_with_parent: bool, lifeline: ChildEnd, readiness: Readiness) -> None:
        self.parent = os.getppid() if end_with_parent else None
        self.programs, self.readiness = programs, readiness
        if self.parent is not None:
            with suppress(OSError):  # else it is gone already
                programs.waiter.watch(os.pidfd_open(self.parent))
        if lifeline.fd is not None:
            programs.waiter.watch(lifeline.fd, end_only=True)
        self.lifeline_fd = lifeline.fd

    def __call__(self, ready: dict[int, int]) -> float | None:
        gone = self.lifeline_fd in ready or (self.parent is not None and os.getppid() != self.parent)
        if gone:
            self.programs.stop()
            return None
        with suppress(OSError):  # nobody reads what we say any more
            self.readiness.ask()
        return None if self.readiness.ready else ASK_S
