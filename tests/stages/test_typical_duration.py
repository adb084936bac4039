"""The typical duration of rollouts: those that only moved pins do not count."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from stages.models import Rollout, Step
from stages.pages.typical_duration import typical_seconds

pytestmark = pytest.mark.django_db


def lasted(rollout: Rollout, seconds: float, kind: str) -> None:
    """As if it had taken so long, with steps of that kind."""
    end = timezone.now()
    Rollout.objects.filter(pk=rollout.pk).update(started_at=end - timedelta(seconds=seconds), ended_at=end)
    Step.objects.filter(rollout=rollout).update(kind=kind)


def test_rollouts_that_ran_nothing_do_not_count(dev, register, promote):
    for version, seconds, kind in (("1", 0.1, "pin"), ("2", 0.1, "pin"), ("3", 0.1, "pin"), ("4", 840, "command")):
        register(auth=version)
        rollout = promote(dev)
        lasted(rollout, seconds, kind)
    assert typical_seconds([dev.pk]) == {dev.pk: 840}


def test_a_stage_on_which_nothing_ever_ran_is_absent(dev, register, promote):
    register(auth="1")
    promote(dev)
    assert typical_seconds([dev.pk]) == {}
