"""`manage.py up` where nothing can be written: one sentence, and no traceback."""
import os
import subprocess
import sys

import pytest
from django.conf import settings

from tests.engine.test_up import free_port

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif("not settings.ON_SQLITE", reason="about the server's own disk; once is enough"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a small disk"),
]


@pytest.fixture
def disk(tmp_path):
    """A file system of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("this root may not mount")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def started(**variables: str) -> tuple[int, str]:
    environment = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}
    ran = subprocess.run([sys.executable, str(settings.BASE_DIR / "manage.py"), "up"], capture_output=True, text=True, timeout=60,
                         env={**environment, "PORT": str(free_port()), "GS2ADMIN_PROCESS": "", "PYTHONWARNINGS": "", **variables},
                         check=False)  # fmt: skip
    return ran.returncode, ran.stdout + ran.stderr


def test_a_full_disk_is_called_a_full_disk(disk):
    code, said = started(GS2ADMIN_DATA_DIR=str(disk))
    assert code and "Traceback" not in said
    assert "gs2admin cannot start. The disk of the server is full" in said


def test_a_full_disk_of_the_database(disk, tmp_path):
    code, said = started(GS2ADMIN_DATA_DIR=str(tmp_path / "data"), DATABASE_URL=f"sqlite:///{disk}/g.sqlite3")
    assert code and "Traceback" not in said
    assert "gs2admin cannot start. The disk of the database is full" in said


def test_a_disk_that_can_only_be_read(disk, tmp_path):
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    code, said = started(GS2ADMIN_DATA_DIR=str(disk))
    assert code and "Traceback" not in said and "name a writable directory" in said
    code, said = started(GS2ADMIN_DATA_DIR=str(tmp_path / "data"), DATABASE_URL=f"sqlite:///{disk}/g.sqlite3")
    assert code and "Traceback" not in said and "gs2admin cannot start. The database can only be read" in said
