"""The file of results: {database: {axis: {load, long, commit, points: [{x, values: {what: figure}}]}}}."""
from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "scale.json"


@dataclass(frozen=True)
class Axis:
    """One thing that grows. along: what x counts. unit: of what is drawn; drawn: the names of the figures that are."""

    title: str
    along: str
    unit: str
    drawn: tuple[str, ...]
    kinds: tuple[str, ...] = ("sqlite", "postgres")


_READS = ("push of one job", "describeJobs", "players with work", "given-up jobs", "search in arguments")
AXES = {
    "jobs": Axis("One request, by the jobs in the database", "jobs", "ms", _READS),
    "players": Axis("One request, by the players of 100,000 jobs (ten each at least)", "players", "ms", _READS),
    "stages": Axis("One page, by stages × services", "stages × services", "ms",
                   ("board", "board, nothing new", "promote preview", "rollouts")),
    "watchers": Axis("Watchers of one running rollout, one question a second each", "watchers", "ms", ("CPU per answer", "p99")),
    "sockets": Axis("Open connections that ask for nothing", "connections", "ms", ("p50 of others", "p99 of others")),
    "workers": Axis("A backlog of trivial jobs, by worker processes", "worker processes", "jobs/s", ("jobs/s",)),
    "hosts": Axis("A backlog of trivial jobs, by hosts of two worker processes", "hosts", "jobs/s", ("jobs/s",), ("postgres",)),
}


def read() -> dict:
    """All that was measured; empty before the first run."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def keep(kind: str, axis: str, points: list[dict], *, load: str, long: bool) -> None:
    """Put the points in the place of those of the same axis and database."""
    commit = subprocess.run(["git", "rev-parse", "--short=9", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    found = read()
    found.setdefault(kind, {})[axis] = {"load": load, "long": long, "commit": commit.stdout.strip(), "points": points}
    FILE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def point(x: int | str, **values: float) -> dict:
    """One point. Underscores of the names are blanks."""
    return {"x": x, "values": {name.replace("_", " "): rounded(value) for name, value in values.items()}}


def rounded(value: float) -> float:
    """With three digits that say something."""
    return float(f"{value:.3g}")
