"""Sealed secrets open for what they were sealed for, on this server, unchanged, and for nothing else."""
from __future__ import annotations

import pytest

from gs2admin.identity.sealed import Unreadable, seal, unseal


@pytest.mark.parametrize("secret", ["", "x", "pässwörd ✓", "s" * 10_000])
def test_a_secret_comes_back_and_is_not_readable_in_between(secret):
    sealed = seal(secret, purpose="stamp-key 1")
    assert unseal(sealed, purpose="stamp-key 1") == secret
    assert sealed.isascii() and (len(secret) < 2 or secret not in sealed)
    assert seal(secret, purpose="stamp-key 1") != sealed, "equal secrets must not look equal"


def test_it_opens_for_its_purpose_only():
    sealed = seal("secret", purpose="stamp-key 1")
    for purpose in ("stamp-key 2", "", "credential 1"):
        with pytest.raises(Unreadable):
            unseal(sealed, purpose=purpose)


def test_not_under_another_secret_key(settings):
    sealed = seal("secret", purpose="p")
    settings.SECRET_KEY = "another " * 10
    with pytest.raises(Unreadable):
        unseal(sealed, purpose="p")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "", lambda text: "✓", lambda text: text[:-4], lambda text: "x" + text,
        lambda text: text[:40] + ("A" if text[40] != "A" else "B") + text[41:],
    ],
)  # fmt: skip
def test_a_changed_text_does_not_open(change):
    with pytest.raises(Unreadable):
        unseal(change(seal("secret", purpose="p")), purpose="p")
