"""The database refuses the impossible, whoever writes it."""
from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gs2admin.identity.actors import SYSTEM
from stages.models import Output, Rollout, Stage, VersionSet
from stages.rollouts.services import promote_stage
from stages.states import FINAL, LIVE, RolloutState

pytestmark = pytest.mark.django_db


def refused(act) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        act()


def test_a_second_live_rollout_of_a_stage(dev, register):
    register(auth="1")
    first = promote_stage(actor=SYSTEM, stage=dev)
    for state in sorted(LIVE):
        refused(
            lambda state=state: Rollout.objects.create(
                project=dev.project, stage=dev, number=99, kind="promote", to_set=first.to_set, requested_by="x", state=state
            )
        )
    Rollout.objects.create(
        project=dev.project, stage=dev, number=99, kind="promote", to_set=first.to_set, requested_by="x",
        state=RolloutState.AWAITING_APPROVAL,
    )  # fmt: skip


def test_an_end_without_its_time_and_a_time_without_an_end(dev, register):
    register(auth="1")
    rollout = promote_stage(actor=SYSTEM, stage=dev)
    for state in sorted(FINAL):
        refused(lambda state=state: Rollout.objects.filter(pk=rollout.pk).update(state=state))
    refused(lambda: Rollout.objects.filter(pk=rollout.pk).update(ended_at=Now()))
    refused(lambda: Rollout.objects.filter(pk=rollout.pk).update(state="succeeded", ended_at=Now(), lease_until=Now()))
    refused(lambda: Rollout.objects.filter(pk=rollout.pk).update(state="sleeping"))
    refused(lambda: Rollout.objects.filter(pk=rollout.pk).update(steps_done=1000))


def test_a_circle_of_sources_of_any_length(dev, stg, live):
    refused(lambda: Stage.objects.filter(pk=dev.pk).update(source=dev))
    refused(lambda: Stage.objects.filter(pk=dev.pk).update(source=stg))
    refused(lambda: Stage.objects.filter(pk=dev.pk).update(source=live))
    Stage.objects.filter(pk=live.pk).update(source=dev)


@pytest.mark.parametrize("value", [-1, 101])
def test_a_sort_number_outside_0_to_100(dev, value):
    refused(lambda: Stage.objects.filter(pk=dev.pk).update(sort_number=value))


def test_two_stages_of_one_name_unless_one_is_deleted(project, dev):
    refused(lambda: Stage.objects.create(project=project, name="dev"))
    Stage.objects.filter(pk=dev.pk).update(deleted_at=Now())
    Stage.objects.create(project=project, name="dev")


def test_two_outputs_of_one_number(dev, promote, register):
    register(auth="1")
    rollout = promote(dev)
    refused(lambda: Output.objects.create(rollout=rollout, stage=dev, seq=1, text="again"))
    refused(lambda: Output.objects.create(rollout=rollout, stage=dev, seq=0, text="none"))


def test_a_version_set_never_changes(project):
    row = VersionSet.objects.create(project=project, number=1, digest="d", versions={}, size=0)
    with pytest.raises(TypeError):
        row.save()
