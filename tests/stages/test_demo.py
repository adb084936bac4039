"""The demo's rollouts are ended at once; their rows are those of rollouts that a worker carried."""
from __future__ import annotations

import re

import pytest

from gs2admin.identity.actors import SYSTEM
from stages.models import Output, Rollout, Step
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage, set_targets
from stages.setup.versions import register_version
from stages.worker import at_once, executor

OF_ROLLOUT = ("state", "attempt", "steps_done", "steps_total", "last_seq", "changes_count", "consistent", "error", "lease_until")


def rows_of(rollout: Rollout) -> tuple:
    """All that its page shows, without times and names."""
    row = Rollout.objects.select_related("stage").get(pk=rollout.pk)
    texts = [
        (re.sub(r"in [\d.]+ s", "in 0.0 s", text).replace(row.stage.name, "it"), *more)
        for text, *more in row.outputs.order_by("seq").values_list("text", "seq", "microservice", "step_position", "stream")
    ]
    steps = [
        (*more, began <= ended) for began, ended, *more in row.steps.order_by("position").values_list(
            "started_at", "ended_at", "position", "microservice", "phase", "kind", "state", "attempt", "summary", "memo")
    ]  # fmt: skip
    return ([getattr(row, name) for name in OF_ROLLOUT], row.stage.current_set_id == row.to_set_id,
            row.started_at <= row.ended_at, texts, steps)  # fmt: skip


def test_a_rollout_that_is_ended_at_once_has_the_rows_of_one_that_a_worker_carried(project):
    for service in ("auth", "mail"):
        register_version(actor=SYSTEM, project=project, microservice=service, version="1.0")
    found = []
    for name, run in (("north", executor.run), ("south", at_once.run)):
        rollout = promote_stage(actor=SYSTEM, stage=create_stage(actor=SYSTEM, project=project, name=name))
        run(rollout.pk)
        found.append(rows_of(rollout))
    assert found[0] == found[1]
    assert Output.objects.count() == 2 * Output.objects.filter(rollout=rollout).count() > 0 and Step.objects.count() == 12


def test_a_rollout_that_does_something_outside_is_left_alone(project):
    stage = create_stage(actor=SYSTEM, project=project, name="north")
    set_targets(actor=SYSTEM, stage=stage, targets=[
        {"name": "it", "kind": "command", "config": {"deploy": {"command": "demo-step", "timeout_s": 60, "repeatable": True}}}])
    register_version(actor=SYSTEM, project=project, microservice="auth", version="1.0")
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    with pytest.raises(ValueError, match="cannot be ended at once"):
        at_once.run(rollout.pk)
    assert Rollout.objects.values_list("state", "attempt").get(pk=rollout.pk) == ("queued", 0)
