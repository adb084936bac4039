"""SourceDeploy's deploys wait for their turn behind a live rollout; everybody else is refused."""
from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout
from stages.rollout import executor
from stages.rollout.steps import KINDS
from stages.services import cancel_rollout, promote_stage, queueing, register_version
from stages.status import status_of
from stages.sweep import admit_waiting, wake_lost_rollouts
from tests.stages.kinds import Kind, scenario

pytestmark = pytest.mark.django_db


@pytest.fixture
def kind(monkeypatch):
    found = Kind()
    monkeypatch.setitem(KINDS, "fake", found)
    return found


@pytest.fixture
def deploy(dev, register, kind):
    register(auth="1")
    made = scenario(dev, phases=("deploy",))
    return lambda **more: promote_stage(actor=SYSTEM, stage=dev, scenario=made, family="sourcedeploy", **more)


def test_a_second_deploy_waits_and_begins_with_what_is_there_then(dev, deploy, run, pins, rings, project):
    first, second, third = deploy(), deploy(), deploy()
    assert [first.waiting, second.waiting, third.waiting] == [False, True, True]
    assert [pk for _, pk in rings] == [first.pk]
    executor.run(second.pk)
    assert Rollout.objects.get(pk=second.pk).state == "queued", "no worker takes it before its turn"
    assert admit_waiting() == 0 and wake_lost_rollouts() == 0 and status_of(dev) == "Updating"
    run(first)
    register_version(actor=SYSTEM, project=project, microservice="auth", version="2")
    assert admit_waiting() == 1 and admit_waiting() == 0, "one at a time"
    second = Rollout.objects.get(pk=second.pk)
    assert (second.waiting, second.from_set, second.to_set.versions) == (False, first.to_set, {"auth": "2"})
    assert rings[-1] == ("stages.tasks.run_rollout", second.pk)
    assert run(second).state == "succeeded" and pins(dev) == {"auth": "2"}
    assert admit_waiting() == 1
    third = run(third)
    assert (third.state, third.changes_count) == ("succeeded", 0), "nothing is left to do, and it says so"


def test_a_waiting_deploy_can_be_canceled_without_touching_the_live_one(deploy, run):
    first, second = deploy(), deploy()
    ended = cancel_rollout(actor=SYSTEM, rollout=second)
    assert (ended.state, ended.waiting) == ("canceled", False)
    assert Rollout.objects.get(pk=first.pk).state == "queued" and run(first).state == "succeeded"
    assert admit_waiting() == 0


def test_everybody_else_is_refused_while_something_is_live_or_waits(dev, deploy, run):
    first = deploy()
    deploy()
    with pytest.raises(Conflict, match=f"Rollout {first.number} by"):
        promote_stage(actor=SYSTEM, stage=dev)
    run(first)
    with pytest.raises(Conflict):
        promote_stage(actor=SYSTEM, stage=dev)
    admit_waiting()
    with pytest.raises(IntegrityError), transaction.atomic():
        Rollout.objects.filter(pk=first.pk).update(state="running", ended_at=None)


def test_the_queue_has_an_end(deploy, monkeypatch):
    monkeypatch.setattr(queueing, "MOST", 2)
    deploy(), deploy(), deploy()
    with pytest.raises(Conflict, match="2 deploys of dev wait already"):
        deploy()
    assert Rollout.objects.count() == 3
