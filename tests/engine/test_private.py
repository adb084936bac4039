"""What we write is ours alone, and nobody looks into our processes."""
from __future__ import annotations

import logging
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gs2admin import private
from gs2admin.processes import proc
from gs2admin.processes.privacy import say_what_was_mended

ROOT = Path(__file__).resolve().parent.parent.parent
UNIT = ROOT / "docs" / "systemd" / "gs2admin.service"


def loose(path: Path) -> bool:
    return bool(path.lstat().st_mode & 0o077) and not path.is_symlink()


@pytest.fixture
def folder(tmp_path) -> Path:
    """A data directory of before: all can read it, some can write to it."""
    made = tmp_path / "data"
    for name in ("static/css", "user_data/1", "tmp", "lock-counts/ab"):
        (made / name).mkdir(parents=True)
    for name in ("gs2admin.db.sqlite3", "gs2admin.db.sqlite3-wal", "gs2admin.db.sqlite3-shm", "secret_key", "preparing.lock", "user_data/1/dump.zip",
                 "static/css/a.css", "lock-counts/ab/1.counts"):  # fmt: skip
        (made / name).write_text("x")
    for path in [made, *made.rglob("*")]:
        path.chmod(0o777 if path.is_dir() else 0o666)
    return made


def test_loose_files_are_mended_once_and_said(folder):
    count = 1 + len([*folder.rglob("*")])
    sentence = private.mend(folder, [])
    assert sentence.startswith(f"{count} of our files or directories, such as ") and sentence.endswith("they are private now.")
    assert not [path for path in (folder, *folder.rglob("*")) if loose(path)]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
    assert private.mend(folder, []) == ""


@pytest.mark.parametrize("which", ["gs2admin.db.sqlite3-wal", "user_data/1/dump.zip", "static/css", "secret_key", ""])
@pytest.mark.parametrize("mode", [0o040, 0o004, 0o020, 0o001])
def test_one_loose_bit_is_found(folder, which, mode):
    private.mend(folder, [])
    path = folder / which
    path.chmod(path.stat().st_mode | mode)
    assert str(path) in private.mend(folder, []) and not loose(path)


def test_what_is_not_ours_is_left_alone(folder, tmp_path):
    (folder / "theirs.txt").write_text("x")
    outside = tmp_path / "outside"
    outside.write_text("x")
    outside.chmod(0o644)
    (folder / "user_data" / "link").symlink_to(outside)
    (folder / "static" / "loop").symlink_to(folder)
    (folder / "theirs.txt").chmod(0o644)
    private.mend(folder, [])
    assert loose(outside) and loose(folder / "theirs.txt") and loose(folder), "a directory of several people's"
    assert not loose(folder / "secret_key")


def test_a_directory_for_everybody_stays_one(folder):
    folder.chmod(0o1777)
    private.mend(folder, [])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777 and not loose(folder / "secret_key")


def test_a_database_that_lies_elsewhere_is_mended(folder, tmp_path):
    for end in ("", "-wal", "-shm", "-journal"):
        (tmp_path / f"other.db{end}").write_text("x")
        (tmp_path / f"other.db{end}").chmod(0o644)
    private.mend(folder, [tmp_path / "other.db"])
    assert not [path for path in tmp_path.glob("other.db*") if loose(path)]


def test_what_belongs_to_another_user_is_said(folder, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    assert "belong to another user and stay so" in private.mend(folder, [])


def test_a_start_says_it_as_a_warning(folder, settings, caplog):
    settings.DATA_DIR = folder
    say_what_was_mended()
    say_what_was_mended()
    assert [(record.levelno, "private now" in record.getMessage()) for record in caplog.records] == [(logging.WARNING, True)]


def test_a_vanishing_file_is_no_trouble(folder, monkeypatch):
    (folder / "tmp" / "x").write_text("")
    walk = os.walk

    def racing(path):
        for found in walk(path):
            (folder / "tmp" / "x").unlink(missing_ok=True)
            yield found

    monkeypatch.setattr(private.os, "walk", racing)
    assert private.mend(folder, [])


PROBE = "import os; u = os.umask(0); print(f'{u:03o}', [line.split()[1] for line in open('/proc/self/status') if line.startswith('Umask')])"


@pytest.mark.parametrize("entry", ["manage.py", "gunicorn.conf.py", "gs2admin/wsgi.py"])
def test_every_entry_point_is_private_before_it_reads_its_settings(entry, tmp_path):
    data = tmp_path / "data"
    words = {"manage.py": "sys.argv = ['manage.py', 'shell', '-v0', '-c', {say!r}]; runpy.run_path('manage.py', run_name='__main__')"}
    say = "import os, ctypes; u = os.umask(0); print('umask %03o' % u, ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), os.environ['GS2ADMIN_OUTER_UMASK'])"
    code = words.get(entry, "runpy.run_path({entry!r}); exec({say!r})").format(entry=entry, say=say)
    done = subprocess.run(
        [sys.executable, "-c", f"import os, runpy, sys; sys.path.insert(0, '.'); os.umask(0o027); {code}"], cwd=ROOT, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "GS2ADMIN_DATA_DIR": str(data), "DATABASE_URL": ""},
    )  # fmt: skip
    assert "umask 077 0 027" in done.stdout, done.stdout + done.stderr
    # gunicorn's file reads no settings of Django.
    assert not [path for path in (data, *data.rglob("*")) if data.exists() and loose(path)]


def test_commands_of_steps_have_the_umask_of_whoever_started_us(monkeypatch):
    monkeypatch.setenv(private.VARIABLE, "027")
    assert private.outer_umask() == 0o027
    for wrong in ("", "x", "9"):
        monkeypatch.setenv(private.VARIABLE, wrong)
        assert private.outer_umask() == 0o022


def test_what_a_step_stores_is_for_others_too(monkeypatch, tmp_path):
    import io

    from django.core.files.storage import FileSystemStorage

    from stages.steps import places

    monkeypatch.setenv(private.VARIABLE, "022")
    before = os.umask(0o077)
    try:
        places.put(FileSystemStorage(location=tmp_path), "a/b/c.zip", io.BytesIO(b"x"))
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/c.zip")] == [0o755, 0o755, 0o644]


def test_a_process_that_cannot_be_dumped_still_says_its_name():
    code = ("from gs2admin import private; private.begin(); from gs2admin.processes.proc import call_myself, look; import os; call_myself('qc-busy');"
            " print(look(os.getpid()).name)")  # fmt: skip
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout == "qc-busy\n"
    assert proc.look(os.getpid()) is not None


needs_systemd = pytest.mark.skipif(
    not shutil.which("systemd-analyze") and os.environ.get("REQUIRE_SERVICES") != "1", reason="systemd-analyze is missing; `make test` installs it when run as root"
)


@needs_systemd
def test_the_unit_is_one_that_systemd_reads_and_calls_safe(tmp_path):
    # The places of an installation do not exist here; what they are called changes nothing that is checked.
    text = UNIT.read_text().replace("/opt/gs2admin/.venv/bin/python", sys.executable).replace("/opt/gs2admin", str(ROOT))
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", str(copy)], capture_output=True, text=True)
    level = re.search(r"Overall exposure level for .*: ([0-9.]+)", done.stdout)
    assert level and float(level[1]) <= 2.5, done.stdout[-2000:]


def test_the_unit_says_what_we_rely_on():
    text = UNIT.read_text()
    for line in ("KillMode=mixed", "TimeoutStopSec=15", "User=gs2admin", "NoNewPrivileges=yes", "ProcSubset=all"):
        assert f"\n{line}\n" in text
    assert "\nProtectProc" not in text
