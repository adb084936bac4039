"""What tests of canaries share: a metrics server, a canary that is up, and time that goes by."""
from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F

from gs2admin.identity.actors import SYSTEM
from stages.api.sourcedeploy.target_states import target_states
from stages.models import Rollout, RolloutCanary
from stages.rollouts.services import promote_stage
from stages.worker import metrics
from tests.stages.kinds import scenario
from tests.stages.prometheus import Prometheus

PHASES = ("pre", "canary", "deploy", "post")


@pytest.fixture
def prometheus(settings, monkeypatch):
    settings.STEP_HTTP_ALLOW = ["127.0.0.1"]
    monkeypatch.setattr(metrics, "PAUSE_S", 0.01)
    server = Prometheus()
    yield server
    server.close()


@pytest.fixture
def up(stage, run):
    """up(canary plan) promotes until the canary is up."""

    def act(phases=PHASES, targets=("a",), rollback=False, **plan):
        scenario(stage, targets=targets, phases=phases, strategy="canary", canary=plan, rollback=rollback)
        return run(promote_stage(actor=SYSTEM, stage=stage))

    return act


def pass_time(rollout: Rollout, seconds: float) -> None:
    """Let the rollout's clocks be `seconds` later."""
    back = timedelta(seconds=seconds)
    Rollout.objects.filter(pk=rollout.pk).update(woken_at=F("woken_at") - back)
    RolloutCanary.objects.filter(pk=rollout.pk).update(
        **{name: F(name) - back for name in ("wake_at", "weight_until", "hold_until", "analysis_began_at")}
    )


def now(rollout: Rollout) -> Rollout:
    return Rollout.objects.get(pk=rollout.pk)


def status(rollout: Rollout) -> str:
    row = now(rollout)
    return target_states(row.state, True, row.targets.all(), row.steps.all(), started=True)[0].status


METRIC = {"name": "errors", "query": "errors", "threshold": 0.01}


def auto(prometheus, **more):
    return {
        "analysis": "auto", "url": prometheus.url, "metrics": [METRIC], "delay_s": 30, "duration_s": 120, "interval_s": 60,
        "pass_score": 50, **more,
    }
