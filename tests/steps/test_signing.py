"""Signatures can be checked by anybody who was given the key, and keys tell nothing about each other."""

import hashlib
import hmac

from stages.steps.signing import signature, signing_key


def test_keys_differ_by_target_rotation_and_server(settings):
    keys = {signing_key(uid, rotation) for uid in ("1", "11") for rotation in (1, 2, 12)}
    settings.SECRET_KEY = "another server's key"
    keys.add(signing_key("1", 1))
    assert len(keys) == 7
    assert all(key.startswith("whsec_") and len(key) == 70 for key in keys)
    assert signing_key("1", 1) == signing_key("1", 1)


def test_a_key_is_for_ever():
    # Receivers keep it: whoever changes the derivation breaks them all.
    assert signing_key("tokyo-7", 1) == "whsec_8129b592092ca1f2ece33e213f7d6f555e8e84f721acc0ba2c65905d20ed7035"


def test_a_signature_is_what_the_page_says():
    mac = hmac.new(b"whsec_abc", b"1700000000.{}", hashlib.sha256).hexdigest()
    assert signature("whsec_abc", "1700000000", b"{}") == f"v1={mac}"
