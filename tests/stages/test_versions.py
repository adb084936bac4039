"""Differences between sets of versions, as people read them."""
from __future__ import annotations

import pytest

from stages.core.versions import differences, digest, is_downgrade


@pytest.mark.parametrize(
    ("old", "new"),
    [("1.9.1", "1.9.0"), ("1.10.0", "1.9.9"),
     ("2.0.0", "2.0.0-rc1"), ("2.0.0-rc10", "2.0.0-rc2"), ("v3", "v2.9"), ("1.0.1", "1.0")],
)
def test_a_lower_number_is_a_downgrade(old, new):
    assert is_downgrade(old, new)
    assert not is_downgrade(new, old)


@pytest.mark.parametrize(
    ("old", "new"), [("1.0", "1.0.0"), ("9fceb02", "aa11bb2"), ("build-7", "build-6"), ("", "1.0"), ("1.0", "")]
)
def test_what_has_no_order_is_never_called_a_downgrade(old, new):
    assert not is_downgrade(old, new)
    assert not is_downgrade(new, old)


def test_every_kind_of_change_is_told():
    old = {"auth": "3.2.2", "chat": "1.4", "mail": "2.0.7", "quest": "1.9.1", "shop": "1"}
    new = {"auth": "3.2.2", "chat": "1.5", "pass": "0.4", "quest": "1.9.0", "shop": "1"}
    found = {c.name: c.kind for c in differences(old, new, unsure=["shop", "auth"])}
    assert found == {
        "auth": "redeployed", "chat": "changed", "mail": "removed", "pass": "added", "quest": "downgraded", "shop": "redeployed",
    }  # fmt: skip
    assert [c.name for c in differences(old, new)] == sorted(set(old) | set(new))


def test_a_service_that_a_failed_first_rollout_touched_is_listed_though_nothing_pins_it():
    (change,) = differences({}, {}, unsure=["ghost"])
    assert (change.old, change.new, change.kind) == ("", "", "redeployed")


def test_a_digest_depends_on_content_alone():
    assert digest({"a": "1", "b": "2"}) == digest({"b": "2", "a": "1"}) != digest({"a": "2", "b": "1"})
