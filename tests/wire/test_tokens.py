"""Tokens: what they let in, for how long, and what never passes for one."""

from __future__ import annotations

import hashlib
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django.db import DatabaseError
from django.utils import timezone

from gs2admin.errors import Unavailable
from gs2admin.identity import throttle, tokens
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import AccessToken, Credential, Guesses
from gs2admin.identity.sealed import secret_hash
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from tests.conditions import until


def refused(kind, call, *args, **more):
    with pytest.raises(tokens.BadToken) as bad:
        call(*args, **more)
    assert bad.value.kind == kind


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    """[Unix seconds]: the time that `tokens` sees."""
    found = [1_800_000_000.0]
    now = SimpleNamespace(seconds=lambda: found[0], now=lambda: datetime.fromtimestamp(found[0], UTC))
    monkeypatch.setattr(tokens, "clock", now)
    return found


def test_a_project_token_lets_in_for_an_hour(credential, clock):
    row, _ = credential
    token = tokens.issue_project_token(row)
    assert tokens.credential_of(token) == row and token.count(".") == 1
    clock[0] += 3599.5
    assert tokens.credential_of(token) == row
    clock[0] += 0.5
    refused("expired", tokens.credential_of, token)


def test_a_project_token_is_of_the_project_that_its_credential_had(credential, other_project):
    row, _ = credential
    row.project = other_project
    refused("revoked", tokens.credential_of, tokens.issue_project_token(row))


def test_tokens_of_players_end_after_an_hour(project, clock):
    token, expire = tokens.issue_access_token(project=project, user_id="u", time_offset_s=0)
    offset, offset_expire = tokens.issue_time_offset_token(project=project, user_id="u", time_offset_s=5)
    assert expire == offset_expire == 1_800_003_600_000 and len(token) == 64
    clock[0] += 3599.5
    assert tokens.access_of(token, project).user_id == tokens.offset_of(offset, project).user_id == "u"
    clock[0] += 0.5
    refused("expired", tokens.access_of, token, project)
    refused("expired", tokens.offset_of, offset, project)


def test_rows_of_access_tokens_are_removed_an_hour_after_their_end_the_oldest_first(project, clock):
    issued = []
    for second in (0, 10, 20):
        clock[0] = 1_800_000_000.0 + second
        issued.append(tokens.issue_access_token(project=project, user_id="u", time_offset_s=0)[0])
    clock[0] = 1_800_000_000.0 + 7200
    assert tokens.delete_expired_access_tokens() == 0
    clock[0] += 15
    assert tokens.delete_expired_access_tokens(1) == 1
    refused("invalid", tokens.access_of, issued[0], project)
    refused("expired", tokens.access_of, issued[1], project)
    assert (tokens.delete_expired_access_tokens(), AccessToken.objects.count()) == (1, 1)


def test_a_token_survives_the_change_of_the_key_as_long_as_the_old_one_is_a_fallback(credential, project, settings):
    token = tokens.issue_project_token(credential[0])
    offset, _ = tokens.issue_time_offset_token(project=project, user_id="u", time_offset_s=5)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another key altogether, which is long enough for this"
    assert tokens.credential_of(token) == credential[0] and tokens.offset_of(offset, project).user_id == "u"
    settings.SECRET_KEY_FALLBACKS = ["a third one that nobody has used for anything so far"]
    refused("invalid", tokens.credential_of, token)
    refused("invalid", tokens.offset_of, offset, project)


def test_a_token_is_refused_when_a_letter_changes_or_it_is_of_another_kind(credential, project):
    row, _ = credential
    token = tokens.issue_project_token(row)
    for index in range(len(token)):
        changed = token[:index] + ("A" if token[index] != "A" else "B") + token[index + 1 :]
        refused("invalid", tokens.credential_of, changed)
    offset, _ = tokens.issue_time_offset_token(project=project, user_id="u", time_offset_s=5)
    access, _ = tokens.issue_access_token(project=project, user_id="u", time_offset_s=0)
    for other in (offset, access, "", ".", "é", "\x00"):
        refused("invalid", tokens.credential_of, other)
    refused("invalid", tokens.offset_of, token, project)


@pytest.fixture
def reads(monkeypatch):
    """What is read by the driver's own cursor, which Django does not count."""
    asked, row = [], tokens._row
    monkeypatch.setattr(tokens, "_row", lambda *words: asked.append(words) or row(*words))
    return asked


def test_checking_tokens_costs_one_query_in_half_a_second(credential, django_assert_num_queries, reads):
    token = tokens.issue_project_token(credential[0])
    with django_assert_num_queries(0):
        for _ in range(50):
            tokens.credential_of(token).project.owner_id  # noqa: B018
    assert len(reads) == 1


def test_a_credential_is_read_as_its_row_says(credential):
    made = credential[0]
    for _ in range(2):
        tokens.forget_all()
        found, row = tokens.find_credential(made.client_id), Credential.objects.select_related("project").get(pk=made.pk)
        assert found.project == row.project
        for one, other in ((found, row), (found.project, row.project)):
            names = [field.attname for field in other._meta.concrete_fields]
            assert {name: getattr(one, name) for name in names} == {name: getattr(other, name) for name in names}
        revoke_credential(actor=SYSTEM, credential=made)


def test_revoking_ends_tokens_within_a_second(credential):
    row, _ = credential
    token = tokens.issue_project_token(row)
    tokens.credential_of(token)
    revoke_credential(actor=SYSTEM, credential=row)

    def kind() -> str:
        try:
            tokens.credential_of(token)
        except tokens.BadToken as bad:
            return bad.kind
        return ""

    assert until(kind, 1, "it ends") == "revoked"


def test_access_tokens_belong_to_one_project_and_end(project, other_project):
    token, expire = tokens.issue_access_token(project=project, user_id="u" * 128, time_offset_s=60)
    assert len(token) <= 128 and expire == pytest.approx(time.time() * 1000 + 3_600_000, abs=5000)
    row = tokens.access_of(token, project)
    assert (row.user_id, row.time_offset_s) == ("u" * 128, 60)
    assert token not in AccessToken.objects.get().token_hash
    refused("invalid", tokens.access_of, token, other_project)
    AccessToken.objects.update(expires_at=timezone.now())
    refused("expired", tokens.access_of, token, project)
    assert tokens.delete_expired_access_tokens() == 0
    AccessToken.objects.update(expires_at=timezone.now() - timedelta(hours=2))
    assert tokens.delete_expired_access_tokens() == 1


def test_time_offset_tokens_carry_any_user_id(project, other_project):
    for user_id in ("u", "a:b:c", "利用者" * 42, "😀" * 128):
        token, _ = tokens.issue_time_offset_token(project=project, user_id=user_id, time_offset_s=315_360_000)
        assert len(token) <= 1024
        assert tokens.offset_of(token, project) == tokens.Offset(user_id, 315_360_000)
        refused("invalid", tokens.offset_of, token, other_project)


def test_wrong_secrets_are_slowed_and_the_right_one_never_is(credential):
    row, secret = credential
    for _ in range(throttle.FAILURES):
        refused("secret", tokens.check_secret, row.client_id, "wrong", ip="10.0.0.1")
    with pytest.raises(Unavailable) as slowed:
        tokens.check_secret(row.client_id, "wrong", ip="10.0.0.1")
    assert (slowed.value.component, slowed.value.message) == ("projectToken", "identifier.projectToken.login.error.tooMany")
    assert 0 < slowed.value.extra["retry_after_s"] <= 60 and 59_000 < slowed.value.extra["retry_after_ms"] <= 60_000
    for ip in ("10.0.0.1", "10.0.0.2"):
        assert tokens.check_secret(row.client_id, secret, ip=ip) == row
    refused("secret", tokens.check_secret, "someone-else", "wrong", ip="10.0.0.1")


def test_signing_in_rightly_is_never_slowed_and_counts_nothing(credential):
    row, secret = credential
    for _ in range(throttle.FAILURES * 3):
        assert tokens.check_secret(row.client_id, secret, ip="10.0.0.1") == row
    assert not Guesses.objects.exists()


def before_this_release(row, secret, key=""):
    Credential.objects.filter(pk=row.pk).update(secret_sha256="", secret_hash=secret_hash(secret, key))
    tokens.forget_all()


def test_a_credential_of_the_release_before_gets_its_plain_hash_at_its_first_sign_in(credential):
    row, secret = credential
    before_this_release(row, secret)
    refused("secret", tokens.check_secret, row.client_id, "wrong", ip="10.0.0.1")
    assert Credential.objects.get().secret_sha256 == ""
    assert tokens.check_secret(row.client_id, secret, ip="10.0.0.1") == row
    now = Credential.objects.get()
    assert now.secret_sha256 == hashlib.sha256(secret.encode()).hexdigest()
    assert now.secret_hash == secret_hash(secret), "the release before still signs in"
    refused("secret", tokens.check_secret, row.client_id, "wrong", ip="10.0.0.1")


def test_a_lost_key_ends_no_sign_in_and_a_fallback_still_moves_rows_over(credential, settings):
    row, secret = credential
    old, settings.SECRET_KEY = settings.SECRET_KEY, "another key altogether, which is long enough for this"
    assert tokens.check_secret(row.client_id, secret, ip="10.0.0.1") == row
    before_this_release(row, secret, old)
    refused("secret", tokens.check_secret, row.client_id, secret, ip="10.0.0.1")
    settings.SECRET_KEY_FALLBACKS = ["a third one that nobody has used for anything so far", old]
    assert tokens.check_secret(row.client_id, secret, ip="10.0.0.1") == row
    settings.SECRET_KEY_FALLBACKS = []
    tokens.forget_all()
    assert tokens.check_secret(row.client_id, secret, ip="10.0.0.1") == row


def test_a_database_that_takes_no_writes_lets_a_right_secret_in(credential, monkeypatch):
    row, secret = credential
    before_this_release(row, secret)

    def full(*args, **more):
        raise DatabaseError("disk full")

    monkeypatch.setattr(Credential.objects._queryset_class, "update", full)
    assert tokens.check_secret(row.client_id, secret, ip="10.0.0.1") == row


def test_a_revoked_credential_and_a_wrong_secret_look_alike(credential):
    row, secret = credential
    revoke_credential(actor=SYSTEM, credential=row)
    refused("secret", tokens.check_secret, row.client_id, secret, ip="10.0.0.1")
    refused("secret", tokens.check_secret, "gs2a-unknown", secret, ip="10.0.0.1")
    refused("secret", tokens.check_secret, row.client_id, "\ud800", ip="10.0.0.1")


def test_the_process_that_revokes_lets_in_nobody_any_more(credential, django_capture_on_commit_callbacks):
    row, secret = credential
    token = tokens.issue_project_token(row)
    assert tokens.credential_of(token) == row, "it is remembered from here on"
    with django_capture_on_commit_callbacks(execute=True):
        revoke_credential(actor=SYSTEM, credential=row)
    refused("revoked", tokens.credential_of, token)
    refused("secret", tokens.check_secret, row.client_id, secret, ip="10.0.0.1")


@pytest.mark.parametrize("client_id", ["x" * 8000, "gs2a-\0", "a" * 65])
def test_an_id_that_can_be_nobody_s_is_neither_looked_up_nor_remembered(client_id, db, django_assert_num_queries):
    """Strangers choose it: a NUL is an error for PostgreSQL, and long ones would fill the memory of every process."""
    with django_assert_num_queries(0):
        assert tokens.find_credential(client_id) is None
    refused("secret", tokens.check_secret, client_id, "wrong", ip="10.0.0.1")
    assert tokens._credentials.get(client_id, "none") == "none"


def test_an_id_of_full_length_is_looked_up(credential):
    row, secret = credential
    Credential.objects.filter(pk=row.pk).update(client_id="c" * 64)
    assert tokens.check_secret("c" * 64, secret, ip="10.0.0.1") == row


def test_a_credential_is_found_by_its_whole_id_alone(credential, project, reads):
    other, _ = create_credential(actor=SYSTEM, project=project, name="other")
    Credential.objects.filter(pk=other.pk).update(client_id="a:b:c")
    other.refresh_from_db()
    assert tokens.find_credential("gs2a-nobody") is None and tokens.find_credential("a:b:c") == other
    assert tokens.credential_of(tokens.issue_project_token(other)) == other
    tokens.forget_all()
    reads.clear()
    tokens.find_credential("a:b:c")
    assert len(reads) == 1


def test_a_bad_token_says_its_kind():
    assert str(tokens.BadToken("expired")) == tokens.BadToken("expired").kind == "expired"


def test_an_access_token_that_is_no_text_is_refused_like_any_other(project):
    refused("invalid", tokens.access_of, "\ud800", project)
