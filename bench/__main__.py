"""`python -m bench [--sqlite | --postgres] [NAME …]`: runs each bench in turn, on a database of its own, and prints tables."""
from __future__ import annotations

import argparse
import contextlib
import ctypes
import importlib
import logging
import signal
import subprocess
import sys
import time

from bench import place
from bench.report import machine

# name -> how many seconds it may take at most per database. In this order.
BENCHES = {
    "promotes": 240, "approvals": 1500, "cancels": 900, "resolve": 300, "published": 300, "board": 420, "live_delay": 240,
    "watchers": 480, "sockets": 600, "faults": 1200, "jobs_faults": 2400, "jobs": 1500, "fair": 90, "jobs_pages": 900,
    "player_pages": 1500, "lua": 300, "zips": 120, "frozen_calls": 1800, "locks": 600, "locks_check": 600, "locks_pages": 600,
    "requests": 400, "hostile_polls": 600, "fuzz": 1200, "away": 600, "windows": 2400, "start": 240, "growth": 3600,
    "held": 300, "mixed": 2400, "idle": 240,
}  # fmt: skip
INSIDE = "--inside"
PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Returns the exit code: 1 when a bench found something wrong or did not end in time."""
    if arguments[:1] == [INSIDE]:
        return inside(arguments[1])
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--sqlite", action="store_true", help="on SQLite only")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL only")
    asked = parser.parse_args(arguments)
    if unknown := set(asked.names) - set(BENCHES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; there are: {', '.join(BENCHES)}")
    kinds = [kind for kind in ("sqlite", "postgres") if getattr(asked, kind)] or ["sqlite", "postgres"]
    if "postgres" in kinds and not place.postgres_answers():
        print("PostgreSQL does not answer at TEST_POSTGRES_URL: its half is left out.")
        kinds.remove("postgres")
    end_on_signals()
    bad = []
    try:
        for name in asked.names or BENCHES:
            for kind in kinds:
                if outside(name, kind):
                    bad.append(f"{name} on {kind}")
    except KeyboardInterrupt:
        return 130
    print(f"Not as it should be: {', '.join(bad)}." if bad else "Nothing was found wrong.")
    return 1 if bad else 0


def end_on_signals() -> None:
    """SIGTERM ends us as Ctrl-C does, so that everything is put away; and Ctrl-C does, wherever we were started."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


def outside(name: str, kind: str) -> int:
    """Run one bench in a process of its own, with the environment of its own place; returns its exit code."""
    print(f"\n== {name} on {kind} ({machine()})", flush=True)
    began = time.monotonic()
    with place.place(kind) as environ:
        child = subprocess.Popen([sys.executable, "-m", "bench", INSIDE, name], cwd=place.ROOT, env=environ)
        try:
            code = child.wait(BENCHES[name])
        except subprocess.TimeoutExpired:
            print(f"{name} did not end within {BENCHES[name]} s.")
            code = 1
        finally:
            end(child)
    print(f"   {name} on {kind} took {time.monotonic() - began:.0f} s ({machine()})", flush=True)
    return code


def end(child: subprocess.Popen) -> None:
    """Ask it to put its servers away, then kill it; they end by themselves when it is gone."""
    for number, patience_s in ((signal.SIGINT, 30), (signal.SIGKILL, 10)):
        if child.poll() is None:
            child.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience_s)


def inside(name: str) -> int:
    """In the child: everything of ours can be imported now, and the database is empty."""
    end_on_signals()
    # Whoever waits for us may be killed; then nobody wants the figures.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    import django

    django.setup()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("gs2admin.access").setLevel(logging.WARNING)
    from bench.world import migrate

    migrate()
    try:
        return 0 if importlib.import_module(f"bench.{name}").main() else 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
