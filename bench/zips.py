"""What an upload of 1,000,000 entries costs the worker that looks at it, beside what Python's zipfile needs to list it."""
from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.report import table
from tests.userdata.test_zips import many

COUNT = 1_000_000
LIST = "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).infolist()"


def main() -> bool:
    """Print the table; True when the file was refused."""
    from jobqueue.userdata.format import Refused
    from jobqueue.userdata.inspecting import check, look

    rows, refused = [], 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "many.zip"
        path.write_bytes(many(COUNT))
        for name, read in (("look, after an upload", look), ("check, before an import", check)):
            with path.open("rb") as file:
                began = _used()
                try:
                    read(file, path.stat().st_size, lambda: None)
                except Refused:
                    refused += 1
            rows.append([name, *_since(began)])
        began = _used()
        subprocess.run([sys.executable, "-c", LIST, str(path)], check=True)
        rows.append(["zipfile lists it", *_since(began)])
        size = path.stat().st_size
    table(f"A zip of {COUNT:,} entries, {size:,} bytes", ["", "s", "s of processor", "MB of the largest process so far"], rows)
    return refused == 2


def _used() -> tuple[float, float]:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), spent.ru_utime + spent.ru_stime


def _since(began: tuple[float, float]) -> list[str]:
    now, most = _used(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return [f"{now[0] - began[0]:.2f}", f"{now[1] - began[1]:.2f}", str(most)]
