"""An endpoint that hangs keeps delivery threads waiting, and no rollout, even with a single worker."""
from __future__ import annotations

import time

import pytest

from gs2admin.identity.actors import SYSTEM
from stages.models import Rollout
from stages.models.webhooks import WebhookDelivery
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from stages.webhooks.services import save_webhook
from tests.conditions import until
from tests.steps.helpers import Receiver

pytestmark = pytest.mark.processes


@pytest.fixture
def hanging():
    receiver = Receiver(lambda handler: handler.hang())
    yield receiver
    receiver.stop()


def under_way() -> set[tuple[int, int]]:
    """(message, attempt) of what was sent and has no end yet."""
    rows = WebhookDelivery.objects.filter(state="pending", attempt__gt=0).prefetch_related("attempts")
    return {(row.pk, row.attempt) for row in rows if all(made.number != row.attempt for made in row.attempts.all())}


def test_rollouts_run_while_every_endpoint_hangs(serve, project, settings, hanging, record_property):
    settings.STEP_HTTP_ALLOW = ["127.0.0.1"]
    serve(WORKERS="1", JOB_WORKERS="0", GS2ADMIN_HTTP_ALLOW="127.0.0.1")
    stage = create_stage(actor=SYSTEM, project=project, name="dev", sort_number=0)
    for number in range(3):
        save_webhook(actor=SYSTEM, project=project, name=f"silent-{number}", url=f"{hanging.url}/{number}")
    took, beside = [], set()
    for number in range(12):
        if number:
            until(under_way, 40, "somebody on the way")
        before, began = under_way(), time.monotonic()
        register_version(actor=SYSTEM, project=project, microservice="auth", version=f"1.{number}")
        rollout = promote_stage(actor=SYSTEM, stage=stage)
        until(lambda pk=rollout.pk: Rollout.objects.get(pk=pk).state == "succeeded", 60, f"rollout {number}")
        took.append(time.monotonic() - began)
        # On a crowded machine a hanging call may end before the rollout does; once is enough, and only delivery threads can do it.
        beside = before & under_way()
        if beside:
            break
    record_property("seconds", [round(one, 2) for one in took])
    print("seconds per rollout:", [round(one, 2) for one in took])
    assert beside, f"each rollout waited until the endpoints had been given up: {took}"
