"""The request signature: the contract's vectors, the five minutes, and that every byte of the address counts."""
from __future__ import annotations

import time

import pytest
from django.utils import timezone

from gs2admin.identity import throttle, tokens
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Credential
from gs2admin.identity.services.credentials import create_credential, revoke_credential
from gs2admin.wire.protocol import Refused
from stages.api.sourcedeploy import signature
from stages.api.sourcedeploy.signature import _NOBODY, WINDOW_MS, caller, sign

NOW = 1_700_000_000_000


@pytest.fixture(autouse=True)
def _nothing_remembered():
    tokens.forget_all()
    yield
    tokens.forget_all()


@pytest.fixture
def signer(project):
    """(client id, secret) of a credential that signs."""
    row, secret = create_credential(actor=SYSTEM, project=project, name="signer", signs=True)
    return row.client_id, secret


def headers(key: str, signature: str, timestamp: str = str(NOW), version: str = "V2") -> dict[str, str]:
    return {
        "HTTP_X_NCP_IAM_ACCESS_KEY": key,
        "HTTP_X_NCP_APIGW_TIMESTAMP": timestamp,
        f"HTTP_X_NCP_APIGW_SIGNATURE_{version}": signature,
    }


@pytest.mark.parametrize(
    "line, expected",
    [
        ("GET /api/v1/project/12/history/345", "VaUxebs56/hRfZq8YxZXAkkwGXED1uMPv7L6Vr53Ao8="),
        ("GET /api/v1/project/12/history?pageNo=1&pageSize=20", "UsISGVhZbRVI0mRCIR49qcicqFyuupiajF4ToHt+Z8s="),
        ("POST /api/v1/project/12/history/345/canary/accept", "wK55LQCY0JoXZ6MT9VXzg6dUbYvVAB2qCB3a8ng5QWE="),
    ],
)
def test_the_contracts_vectors(line, expected):
    method, uri = line.split(" ")
    assert sign("SKTEST", method, uri, "1700000000000", "AKTEST") == expected
    assert sign("SKTEST", method.lower(), uri, "1700000000000", "AKTEST") == expected


@pytest.mark.parametrize("version", ["V1", "V2"])
def test_a_right_signature_is_its_credential_and_the_go_clients_header_does_too(signer, version):
    key, secret = signer
    uri = "/sourcedeploy/api/v1/project?projectName=%ea%b2%8c%EC%9E%84&pageNo=1"
    good = sign(secret, "GET", uri, str(NOW), key)
    assert caller(headers(key, good, version=version), "GET", uri, NOW).client_id == key


def test_v2_wins_over_v1(signer):
    key, secret = signer
    good = sign(secret, "GET", "/x", str(NOW), key)
    both = headers(key, "nonsense") | headers(key, good, version="V1")
    with pytest.raises(Refused):
        caller(both, "GET", "/x", NOW)


@pytest.mark.parametrize("change", [
    lambda uri: uri.replace("%2F", "/"), lambda uri: uri.replace("%2F", "%2f"), lambda uri: uri + "&",
    lambda uri: uri.replace("b=2&a=1", "a=1&b=2"), lambda uri: uri.replace("+", "%20"), lambda uri: uri.partition("?")[0],
    lambda uri: uri.replace("//", "/"), lambda uri: uri.upper(),
])  # fmt: skip
def test_every_byte_of_the_address_is_signed(signer, change):
    key, secret = signer
    uri = "/api/v1//project%2F1?b=2&a=1+1"
    good = headers(key, sign(secret, "GET", uri, str(NOW), key))
    assert caller(good, "GET", uri, NOW)
    with pytest.raises(Refused) as refused:
        caller(good, "GET", change(uri), NOW)
    assert refused.value.status == 401
    with pytest.raises(Refused):
        caller(good, "POST", uri, NOW)


@pytest.mark.parametrize("off, valid", [
    (0, True), (WINDOW_MS - 1, True), (1 - WINDOW_MS, True), (WINDOW_MS, False), (-WINDOW_MS, False), (10**12, False),
])  # fmt: skip
def test_five_minutes_both_ways_and_the_edge_is_out(signer, off, valid):
    key, secret = signer
    stamp = str(NOW + off)
    sent = headers(key, sign(secret, "GET", "/x", stamp, key), stamp)
    if valid:
        assert caller(sent, "GET", "/x", NOW)
    else:
        with pytest.raises(Refused, match="five minutes"):
            caller(sent, "GET", "/x", NOW)


def test_without_a_given_moment_the_servers_clock_counts(signer):
    key, secret = signer
    for off_s, valid in ((0, True), (-290, True), (-310, False), (310, False)):
        stamp = str(int((time.time() + off_s) * 1000))
        sent = headers(key, sign(secret, "GET", "/x", stamp, key), stamp)
        if valid:
            assert caller(sent, "GET", "/x").client_id == key
        else:
            with pytest.raises(Refused, match="five minutes"):
                caller(sent, "GET", "/x")


@pytest.mark.parametrize("without", ["HTTP_X_NCP_IAM_ACCESS_KEY", "HTTP_X_NCP_APIGW_TIMESTAMP", "HTTP_X_NCP_APIGW_SIGNATURE_V2"])
def test_where_one_of_the_three_headers_is_missing_the_refusal_names_them(signer, without):
    key, secret = signer
    sent = headers(key, sign(secret, "GET", "/x", str(NOW), key))
    del sent[without]
    with pytest.raises(Refused, match="Sign the request"):
        caller(sent, "GET", "/x", NOW)


def test_the_secret_that_stands_in_for_none_lets_nobody_in(credential):
    plain, _ = credential
    for who in (plain.client_id, "gs2a-nobody"):
        with pytest.raises(Refused) as refused:
            caller(headers(who, sign(_NOBODY, "GET", "/x", str(NOW), who)), "GET", "/x", NOW)
        assert refused.value.status == 401


def test_a_revoked_credential_signs_nothing_even_with_its_secret_there(signer):
    key, secret = signer
    Credential.objects.filter(client_id=key).update(revoked_at=timezone.now())
    with pytest.raises(Refused, match="access key or the signature"):
        caller(headers(key, sign(secret, "GET", "/x", str(NOW), key)), "GET", "/x", NOW)


@pytest.mark.parametrize(("kind", "sentence"), [
    ("expired", "This token has expired; sign in again."), ("revoked", "The credential behind this token was revoked."),
    ("invalid", "This token is not one of ours."),
])  # fmt: skip
def test_a_token_that_does_not_let_in_is_refused_with_the_reason(monkeypatch, kind, sentence):
    def bad(token: str):
        raise tokens.BadToken(kind)

    monkeypatch.setattr(signature, "credential_of", bad)
    with pytest.raises(Refused) as refused:
        caller({"HTTP_AUTHORIZATION": "Bearer x"}, "GET", "/x", NOW)
    assert (refused.value.status, refused.value.sentence) == (401, sentence)


@pytest.mark.parametrize("stamp", ["", "now", "1e12", "-1", "１７００００００００００００", "1700000000000.0", "9" * 400, "0x18"])
def test_a_timestamp_that_is_none_is_refused(signer, stamp):
    key, secret = signer
    with pytest.raises(Refused) as refused:
        caller(headers(key, sign(secret, "GET", "/x", stamp, key), stamp), "GET", "/x", NOW)
    assert refused.value.status == 401


def test_who_does_not_sign_is_told_like_who_is_nobody(project, signer, credential):
    key, secret = signer
    plain, plain_secret = credential
    assert plain.sealed_secret == ""
    said = set()
    for who, using in ((key, "x" * 43), ("gs2a-nobody", secret), (plain.client_id, plain_secret), ("\xff", "é")):
        with pytest.raises(Refused) as refused:
            caller(headers(who, sign(using, "GET", "/x", str(NOW), who)), "GET", "/x", NOW)
        said.add((refused.value.status, refused.value.sentence))
    assert len(said) == 1


@pytest.mark.parametrize("garbage", ["", " ", "é\xff", "=" * 44, "a" * 5000])
def test_a_signature_that_is_none_is_refused(signer, garbage):
    with pytest.raises(Refused) as refused:
        caller(headers(signer[0], garbage), "GET", "/x", NOW)
    assert refused.value.status == 401


def test_a_revoked_credential_signs_no_more_and_its_secret_is_gone(signer):
    key, secret = signer
    good = headers(key, sign(secret, "GET", "/x", str(NOW), key))
    assert caller(good, "GET", "/x", NOW)
    revoke_credential(actor=SYSTEM, credential=Credential.objects.get(client_id=key))
    assert Credential.objects.get(client_id=key).sealed_secret == ""
    tokens.forget_all()
    with pytest.raises(Refused):
        caller(good, "GET", "/x", NOW)


def test_the_secret_is_kept_sealed_and_opens_for_no_other_row(project, signer):
    key, secret = signer
    row = Credential.objects.get(client_id=key)
    assert secret not in row.sealed_secret and row.sealed_secret
    other, other_secret = create_credential(actor=SYSTEM, project=project, name="b", signs=True)
    Credential.objects.filter(pk=other.pk).update(sealed_secret=row.sealed_secret)
    with pytest.raises(Refused):
        caller(headers(other.client_id, sign(secret, "GET", "/x", str(NOW), other.client_id)), "GET", "/x", NOW)


def test_another_secret_key_lets_nobody_sign_and_breaks_nothing(signer, settings):
    key, secret = signer
    settings.SECRET_KEY = "another key altogether, which is long enough for this"
    with pytest.raises(Refused) as refused:
        caller(headers(key, sign(secret, "GET", "/x", str(NOW), key)), "GET", "/x", NOW)
    assert refused.value.status == 401


def test_a_fallback_of_the_key_lets_them_sign_on(signer, settings):
    key, secret = signer
    settings.SECRET_KEY_FALLBACKS = ["one that was never used, and is long enough for one", settings.SECRET_KEY]
    settings.SECRET_KEY = "another key altogether, which is long enough for this"
    assert caller(headers(key, sign(secret, "GET", "/x", str(NOW), key)), "GET", "/x", NOW).client_id == key


def test_wrong_signatures_are_slowed_and_right_ones_never_are(signer, client):
    key, secret = signer
    uri, now = "/sourcedeploy/api/v1/project", str(int(time.time() * 1000))
    for _ in range(10):
        assert client.get(uri, **headers(key, "wrong", now)).status_code == 401
    answer = client.get(uri, **headers(key, "wrong", now))
    assert answer.status_code == 429 and 0 < int(answer["Retry-After"]) <= 60
    assert answer.json()["error"]["errorCode"] == "400" and "try again in" in answer.json()["error"]["details"]
    assert client.get(uri, **headers(key, sign(secret, "GET", uri, now, key), now)).status_code == 200


def test_wrong_signatures_of_strangers_elsewhere_are_not_added_up(signer, client):
    """Nobody can spend the tries of a key that they know, so that its owner's mistakes are called too many."""
    key, _ = signer
    uri, now = "/sourcedeploy/api/v1/project", str(int(time.time() * 1000))
    for n in range(throttle.OF_A_NAME // 10 + 1):
        for _ in range(10):
            assert client.get(uri, REMOTE_ADDR=f"203.0.{n}.1", **headers(key, "wrong", now)).status_code == 401
    assert client.get(uri, REMOTE_ADDR="198.51.100.7", **headers(key, "wrong", now)).status_code == 401


def test_a_project_token_does_as_well(credential):
    row, _ = credential
    token = tokens.issue_project_token(row)
    assert caller({"HTTP_AUTHORIZATION": f"Bearer {token}"}, "GET", "/x", NOW) == row
    for bad in ("Bearer", "Bearer x.y.z", f"Bearer {token}x"):
        with pytest.raises(Refused) as refused:
            caller({"HTTP_AUTHORIZATION": bad}, "GET", "/x", NOW)
        assert refused.value.status == 401
    with pytest.raises(Refused, match="Sign the request"):
        caller({"HTTP_AUTHORIZATION": "Basic eDp5"}, "GET", "/x", NOW)
