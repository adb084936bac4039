"""What a start costs: an empty database with the demo to ready, and a second start; processor seconds by part, and wall time."""
from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median

from django.db import connection

from bench.place import database, environment
from bench.report import machine, table
from bench.server import ROOT, Server
from tests.conditions import until

TIMES = int(os.environ.get("BENCH_START_TIMES", "3"))
# Processor s of an empty database to ready; wall s of a second start.
GOALS = {"first": 4.0, "second": 1.5}
TICK = os.sysconf("SC_CLK_TCK")
# In a process of its own, on an empty database: what `manage.py up` does before it starts its programs.
PARTS = """
import json, os, time
found, began = {}, time.process_time()
def part(name):
    global began
    now = time.process_time()
    found[name], began = now - began, now
import django
django.setup()
part("imports and settings")
from gs2admin.processes import static
static.collect()
part("static files")
from django.core.management import call_command
call_command("migrate", interactive=False, verbosity=0)
part("tables")
from django.contrib.auth.hashers import make_password
make_password("the administrator's")
hashed = time.process_time() - began
began = time.process_time()
from gs2admin.identity.services.bootstrap import bootstrap
bootstrap(say=lambda sentence: None)
part("demo, without the password")
found["demo, without the password"] -= hashed
found["hash of one password"] = hashed
from django.db import connection
from gs2admin.schema.fitness import lacks, require_fit
require_fit(connection), lacks(connection), static.collect(), bootstrap(say=lambda sentence: None)
part("all of it again, when nothing is to do")
print(json.dumps(found))
"""


class Started(Server):
    """A whole start, with the clock running: wall_s and cpu_s until /readyz said yes."""

    def __enter__(self) -> Started:
        began = time.monotonic()
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen([sys.executable, str(ROOT / "manage.py"), "up"], cwd=ROOT, env=self.environ,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)  # fmt: skip
        until(self._ready, 90, lambda: f"a ready server; its log ends with\n{self.tail()}", every_s=0.01)
        self.wall_s = time.monotonic() - began
        self.cpu_s = sum(cpu_s(look.process.pid) for look in self.processes())
        return self

    def _ready(self) -> bool:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            link.request("GET", "/readyz")
            return link.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            link.close()


def cpu_s(pid: int) -> float:
    """Processor time of a process and of its children that have ended."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / TICK
    return 0.0


def parts(environ: dict[str, str]) -> dict[str, float]:
    """Processor seconds of each part, on the empty database of that environment."""
    command = [sys.executable, "-c", PARTS]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout)


def once(kind: str) -> dict[str, float]:
    """One measurement of everything, in directories of its own: {what: s}."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url:
        found |= parts(_environment(Path(name), url))
    with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url:
        environ = _environment(Path(name), url)
        for which in ("first", "second"):
            with Started(environ) as server:
                found[f"{which} start, all processes"] = server.cpu_s
                found[f"{which} start, wall"] = server.wall_s
    return found


def _environment(directory: Path, url: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "LANG")}
    return kept | environment(directory, url) | {"GS2ADMIN_DEMO": "1", "PYTHONDONTWRITEBYTECODE": ""}


def main() -> bool:
    """Print the table; whether the goals are reached."""
    kind = "sqlite" if connection.vendor == "sqlite" else "postgres"
    once(kind)  # whatever is compiled and read for the first time
    runs = [once(kind) for _ in range(TIMES)]
    middle = {name: median(run[name] for run in runs) for name in runs[0]}
    rows = [[name, f"{value:.2f}", f"{min(run[name] for run in runs):.2f}", f"{max(run[name] for run in runs):.2f}"]
            for name, value in middle.items()]  # fmt: skip
    title = f"A start on {connection.vendor}, {TIMES} times ({machine()}); processor s unless said"
    table(title, ["what", "median", "min", "max"], rows)
    return middle["first start, all processes"] <= GOALS["first"] and middle["second start, wall"] <= GOALS["second"]

