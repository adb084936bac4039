"""Settings: every mistake in the environment is a sentence, and all are told at once."""
from __future__ import annotations

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from gs2admin.env import Env, SettingsError

BAD = {
    "PORT": "eighty",
    "DEBUG": "maybe",
    "WORKERS": "0",
    "DATABASE_URL": "mysql://x/y",
    "REDIS_URL": "http://x",
    "GS2ADMIN_BROKER": "carrier-pigeon",
    "GS2ADMIN_COMMANDS": "deploy=relative/path",
    "GS2ADMIN_HTTP_ALLOW": "no spaces please",
    "GS2ADMIN_STORAGES": "builds=ftp://example.com",
    "GS2ADMIN_CORS_ORIGINS": "*",
    "SECRET_KEY": "short",
    "FORWARDED_ALLOW_IPS": "*",
    "CSRF_TRUSTED_ORIGINS": "example.com",
    "LOG_LEVEL": "LOUD",
}


def manage(tmp_path, *args: str, **env: str) -> subprocess.CompletedProcess:
    clean = {"PATH": os.environ["PATH"], "GS2ADMIN_DATA_DIR": str(tmp_path)}
    return subprocess.run([sys.executable, "manage.py", *args], env=clean | env, capture_output=True, text=True, timeout=60)


def test_all_mistakes_are_told_together_without_a_traceback(tmp_path):
    done = manage(tmp_path, "check", **BAD)
    assert done.returncode == 1 and done.stdout == ""
    assert "Traceback" not in done.stderr
    for name in BAD:
        assert f"- {name} " in done.stderr, name
    assert done.stderr.count("\n- ") == len(BAD)


def test_a_password_in_a_bad_database_url_is_not_repeated(tmp_path):
    done = manage(tmp_path, "check", DATABASE_URL="postgress://u:hunter2@h/x")
    assert done.returncode == 1 and "hunter2" not in done.stderr + done.stdout


def test_a_production_set_up_has_no_deploy_warning(tmp_path):
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", HTTPS="1", ALLOWED_HOSTS="game.example.com")
    assert done.returncode == 0, done.stderr


def test_the_secret_key_is_made_once_for_the_owner_alone_even_by_many_at_once(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: _key(tmp_path), range(32)))
    assert len(keys) == 1 and len(keys.pop()) >= 50
    assert stat.S_IMODE((tmp_path / "secret_key").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["secret_key"]


def _key(tmp_path) -> str:
    env = Env({})
    key = env.secret_key("SECRET_KEY", tmp_path)
    env.check()
    return key


def test_an_unwritable_data_directory_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    env = Env({"GS2ADMIN_DATA_DIR": str(tmp_path / "file" / "below")})
    env.directory("GS2ADMIN_DATA_DIR", tmp_path)
    with pytest.raises(SettingsError, match="cannot be made or written"):
        env.check()


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a=/x,b=/y", {"a": "/x", "b": "/y"}), ("", {}), (" a = /x ", {"a": "/x"})],
)
def test_commands_are_pairs_of_name_and_absolute_path(value, expected):
    env = Env({"C": value})
    assert env.commands("C") == expected
    env.check()
