"""`manage.py up` where nothing can be written: one sentence, and no traceback. All cases start beside each other."""
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.conf import settings

from tests.engine.test_up import free_port

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif("not settings.ON_SQLITE", reason="about the server's own disk; once is enough"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk"),
]
# (what is on the small disk, whether it can only be read) -> what is said
CASES = {
    ("data", False): "gs2admin cannot start. The disk of the server is full",
    ("database", False): "gs2admin cannot start. The disk of the database is full",
    ("data", True): "name a writable directory",
    ("database", True): "gs2admin cannot start. The database can only be read",
}


def up(disk: Path, what: str) -> tuple[int, str]:
    environment = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}
    environment |= {"GS2ADMIN_DATA_DIR": str(disk)} if what == "data" else {
        "GS2ADMIN_DATA_DIR": str(disk.parent / f"{disk.name}-data"), "DATABASE_URL": f"sqlite:///{disk}/g.sqlite3"}  # fmt: skip
    ran = subprocess.run([sys.executable, str(settings.BASE_DIR / "manage.py"), "up"], capture_output=True, text=True, timeout=90,
                         env={**environment, "PORT": str(free_port()), "GS2ADMIN_PROCESS": "", "PYTHONWARNINGS": ""},
                         check=False)  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Of each case: exit code and output of an `up` on a file system of 64 kB."""
    place, disks = tmp_path_factory.mktemp("disks"), {}
    try:
        for what, only_read in CASES:
            disk = place / f"{what}-{only_read}"
            disk.mkdir()
            made = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64k,{'ro' if only_read else 'rw'}", "tmpfs", str(disk)],
                                  capture_output=True, check=False)  # fmt: skip
            if made.returncode:
                pytest.skip("this root may not mount")
            disks[what, only_read] = disk
        with ThreadPoolExecutor(len(disks)) as pool:
            yield {case: pool.submit(up, disk, case[0]) for case, disk in disks.items()}
    finally:
        for disk in disks.values():
            subprocess.run(["umount", "-l", str(disk)], check=True)


@pytest.mark.parametrize("what, only_read", CASES)
def test_a_start_where_nothing_can_be_written_says_so(started, what, only_read):
    code, said = started[what, only_read].result()
    assert code and "Traceback" not in said
    assert CASES[what, only_read] in said
