"""SECRET_KEY is changed: everything can be read with the old one as a fallback, and `rotatekeys` seals it anew."""
from __future__ import annotations

import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from gs2admin import cache
from gs2admin.audit.models import Activity
from gs2admin.identity import server_keys, tokens
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Credential, ServerKey, StampKey
from gs2admin.identity.sealed import is_current, seal, secret_hash, unseal
from gs2admin.identity.services import key_rotation
from gs2admin.identity.services.credentials import create_credential
from gs2admin.identity.services.stamp_keys import create_stamp_key, revoke_stamp_key, signature, signed_by
from gs2admin.schema.server_key import SENTENCE, fingerprint, is_of, key_refusal, signing_root
from tests.upgrade.conftest import new_program  # noqa: F401
from tests.upgrade.program import free_port

NEW = "the second key of this server and long enough for a real one"
OTHER = "a key that has nothing to do with it and is long enough as well"


def rotate(*words: str) -> str:
    out = StringIO()
    call_command("rotatekeys", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def known(db):
    """The database knows this server's key, as after each `migrate`."""
    ServerKey.objects.all().delete()
    server_keys.adopt()


def change(settings, key: str = NEW, *fallbacks: str) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = key, list(fallbacks)
    cache.forget_all()


def test_a_fingerprint_is_of_one_key_and_holds_nothing_of_it():
    one, two = fingerprint(NEW), fingerprint(NEW)
    assert one != two and is_of(NEW, one) and is_of(NEW, two) and not is_of(OTHER, one) and not is_of(NEW + " ", one)
    assert len(one) < 100 and not any(word in one for word in NEW.split() if len(word) > 3)
    assert not is_of(NEW, "md5:00:00") and not is_of(NEW, "")


def test_a_database_gets_to_know_a_key_once(known, settings):
    first = dict(ServerKey.objects.values_list("name", "value"))
    assert set(first) == {"fingerprint", "signing_root"} and key_refusal(connection) == ""
    change(settings)
    server_keys.adopt()
    assert dict(ServerKey.objects.values_list("name", "value")) == first
    assert key_refusal(connection) == SENTENCE


def test_a_fallback_fits_too_wherever_it_stands(known, settings):
    old = settings.SECRET_KEY
    for fallbacks in ([old], [OTHER, old], [old, OTHER]):
        change(settings, NEW, *fallbacks)
        assert key_refusal(connection) == ""
    change(settings, NEW, OTHER)
    assert key_refusal(connection) == SENTENCE


def test_everything_is_sealed_anew_in_batches_and_a_second_time_nothing_is_done(known, project, settings, monkeypatch):
    monkeypatch.setattr(key_rotation, "BATCH", 3)
    old = settings.SECRET_KEY
    signers = [create_credential(actor=SYSTEM, project=project, name=f"s{n}", signs=True) for n in range(4)]
    stamps = [create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name=f"k{n}") for n in range(4)]
    revoke_stamp_key(actor=SYSTEM, key=stamps[3][0])
    Credential.objects.filter(pk=signers[0][0].pk).update(secret_sha256="")
    root = server_keys.signing_root()
    change(settings, NEW, old)
    assert signed_by(project, stamps[0][0].key_id, "order", signature(stamps[0][1], "order")), "before anything is written anew"
    said = rotate()
    assert said.startswith("8 secrets were written anew under SECRET_KEY; 0 were under it already.\n")
    assert "The database knows SECRET_KEY as its key now" in said and "may be emptied" in said
    line = Activity.objects.get(action="server_key.rotate")
    assert line.after == {"written": 8, "unreadable": 0} and line.project_id is None and line.actor_kind == "system"
    assert rotate().startswith("0 secrets were written anew under SECRET_KEY; 8 were under it already.\n")
    assert Activity.objects.filter(action="server_key.rotate").count() == 1
    change(settings)
    assert key_refusal(connection) == "" and server_keys.signing_root() == root == signing_root(old)
    assert signed_by(project, stamps[1][0].key_id, "order", signature(stamps[1][1], "order"))
    for row, secret in signers:
        row.refresh_from_db()
        assert unseal(row.sealed_secret, purpose=f"credential {row.client_id}") == secret
        assert tokens.check_secret(row.client_id, secret, ip="") == row
    change(settings, old)
    assert key_refusal(connection) == SENTENCE, "a host that still has the old key alone"
    assert StampKey.objects.get(pk=stamps[3][0].pk).sealed_secret == ""


def test_a_run_that_was_broken_off_is_finished_by_the_next(known, project, settings, monkeypatch):
    monkeypatch.setattr(key_rotation, "BATCH", 1)
    old = settings.SECRET_KEY
    for n in range(3):
        create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name=f"k{n}")
    change(settings, NEW, old)
    calls, real = [], key_rotation._write

    def dies(*given):
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(*given)

    monkeypatch.setattr(key_rotation, "_write", dies)
    with pytest.raises(KeyboardInterrupt):
        rotate()
    assert is_of(old, ServerKey.objects.get(name="fingerprint").value), "the database's key changes last"
    monkeypatch.setattr(key_rotation, "_write", real)
    assert rotate().startswith("2 secrets were written anew under SECRET_KEY; 2 were under it already.")


def test_what_no_key_opens_is_named_and_left_as_it_is(known, project, settings):
    row, _ = create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name="k")
    old = settings.SECRET_KEY
    settings.SECRET_KEY = OTHER
    lost = seal("x", purpose=f"stamp-key {project.pk} shop/k")
    StampKey.objects.update(sealed_secret=lost)
    change(settings, NEW, old)
    assert "No key opens the secret of stamp key shop/k of isles: make a new one." in rotate()
    assert StampKey.objects.get().sealed_secret == lost


def test_without_the_old_key_nothing_is_done_unless_it_is_lost(known, project, credential, settings):
    row, secret = credential
    create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name="k")
    change(settings)
    with pytest.raises(CommandError, match="not the key that this database was used with"):
        rotate()
    with pytest.raises(CommandError, match="not the key"):
        call_command("createcredential", "isles", "another")
    said = rotate("--lost")
    assert "No key opens the secret of stamp key shop/k" in said and "the root of signing keys" in said
    cache.forget_all()
    assert key_refusal(connection) == "" and server_keys.signing_root() == signing_root(NEW)
    assert tokens.check_secret(row.client_id, secret, ip="") == row, "programs go on signing in"
    assert Activity.objects.get(action="server_key.rotate").after["lost"] is True
    assert rotate("--lost").startswith("0 secrets")


def test_credentials_that_only_the_old_key_knows_are_counted(known, credential, settings):
    row, secret = credential
    Credential.objects.update(secret_sha256="", secret_hash=secret_hash(secret))
    change(settings, NEW, settings.SECRET_KEY)
    assert "1 credentials that an earlier release made have not signed in since" in rotate()
    assert tokens.check_secret(row.client_id, secret, ip="") == row
    assert "may be emptied" in rotate()


def test_a_secret_that_was_revoked_meanwhile_stays_gone(known, project, settings):
    row, _ = create_stamp_key(actor=SYSTEM, project=project, namespace="shop", name="k")
    stale = StampKey.objects.get()
    revoke_stamp_key(actor=SYSTEM, key=row)
    change(settings, NEW, settings.SECRET_KEY)
    done = key_rotation.Rotated()
    key_rotation._write(stale, "sealed_secret", "k", f"stamp-key {project.pk} shop/k", done)
    assert StampKey.objects.get().sealed_secret == "" and done.written == 0


def test_is_current(settings):
    text = seal("s", purpose="p")
    assert is_current(text, purpose="p") and not is_current(text, purpose="q")
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], NEW
    assert unseal(text, purpose="p") == "s" and not is_current(text, purpose="p")


@pytest.mark.processes
def test_no_process_starts_with_another_key_and_one_with_the_old_key_as_fallback_does(new_program):  # noqa: F811
    program = new_program()
    program.variables["SECRET_KEY"] = OTHER
    assert program.manage("migrate").returncode == 0
    program.variables["SECRET_KEY"] = NEW
    gunicorn = subprocess.run([sys.executable, "-m", "gunicorn"], cwd=program.tree, env=program.environment | {"PORT": str(free_port())},
                              capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    for done in (gunicorn, *(program.manage(command) for command in ("up", "worker", "migrate", "rotatekeys"))):
        assert done.returncode == 1 and SENTENCE in done.stderr and "Traceback" not in done.stderr, (done.args, done.stderr)
        assert OTHER not in done.stderr and NEW not in done.stderr
    program.variables["SECRET_KEY_FALLBACKS"] = OTHER
    assert program.manage("migrate").returncode == 0
    assert "The database knows SECRET_KEY as its key now" in program.manage("rotatekeys").stdout
    del program.variables["SECRET_KEY_FALLBACKS"]
    assert program.manage("migrate").returncode == 0
    program.variables["SECRET_KEY"] = OTHER
    assert SENTENCE in program.manage("worker").stderr
