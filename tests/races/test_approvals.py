"""Approve against cancel, the loss of a role and a changed preview: nothing starts without a valid approval."""
from __future__ import annotations

import pytest

from bench import approvals
from gs2admin import engine

pytestmark = pytest.mark.django_db(transaction=True)


def test_races_of_approval(monkeypatch):
    monkeypatch.setattr(engine, "wake", lambda task, pk: None)
    results = approvals.play(12)
    assert [text for one in results.values() for text in one.wrong] == []
    assert sum(sum(one.ended.values()) for one in results.values()) == 12
