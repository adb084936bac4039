"""A SourceDeploy deploy waits for its turn behind the one that runs; the versions of its click, planned anew at its turn."""
from __future__ import annotations

import pytest

from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.services.credentials import revoke_credential
from stages.approval.services import save_rule
from stages.core.status import status_of
from stages.gates.services import resume_promotions, stop_promotions
from stages.models import Rollout
from stages.rollouts.queue import MOST
from stages.rollouts.services import promote_stage
from stages.setup.scenarios import create_scenario, delete_scenario
from stages.setup.versions import register_version
from stages.states import StageStatus
from stages.worker import executor
from stages.worker.chores import start_queued
from tests.published.conftest import ok, sd_error

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(project):
    """version("1.2.0") registers that version of auth."""
    return lambda text: register_version(actor=SYSTEM, project=project, microservice="auth", version=text)


@pytest.fixture
def scenario(stage):
    return create_scenario(actor=SYSTEM, stage=stage, name="usual", use=False)


@pytest.fixture
def deploy(caller, stage, scenario):
    """deploy(role) asks for a rollout and returns its row."""

    def act(role: str = "service") -> Rollout:
        path = f"/project/{stage.project_id}/stage/{stage.pk}/scenario/{scenario.pk}/deploy"
        return Rollout.objects.get(number=ok(caller(role).sd("POST", path))["historyId"])

    return act


@pytest.fixture
def word(caller, stage):
    """word(row) is its status as clients read it."""
    return lambda row: ok(caller().sd("GET", f"/project/{stage.project_id}/history/{row.number}"))["status"]


def test_it_waits_and_begins_when_the_one_before_has_ended(stage, version, deploy, word):
    version("1.2.0")
    first = deploy()
    version("1.3.0")
    second, third = deploy(), deploy()
    version("1.4.0")
    assert [row.waiting for row in (first, second, third)] == [False, True, True]
    assert {word(row) for row in (first, second, third)} == {"waiting"}
    executor.run(second.pk)
    assert start_queued() == 0 and word(second) == "waiting", "one at a time"
    with pytest.raises(Conflict):
        promote_stage(actor=SYSTEM, stage=stage)
    executor.run(first.pk)
    assert (word(first), word(second)) == ("success", "waiting")
    assert start_queued() == 1 and start_queued() == 0
    executor.run(second.pk)
    second.refresh_from_db()
    assert (second.state, second.from_set_id, second.to_set.versions) == ("succeeded", first.to_set_id, {"auth": "1.3.0"})
    assert set(second.steps.values_list("old_version", "new_version")) == {("1.2.0", "1.3.0")}
    assert start_queued() == 1
    executor.run(third.pk)
    third.refresh_from_db()
    assert (third.state, third.steps_total, third.changes_count) == ("succeeded", 0, 0), "nothing was left to do"
    assert "after rollout 1" in second.outputs.order_by("seq").first().text


def test_the_stage_shows_the_one_that_runs_and_not_the_one_that_waits(stage, version, deploy):
    version("1.2.0")
    first = deploy()
    deploy()
    rows = type(stage).objects.with_last_rollout()
    assert rows.get(pk=stage.pk).last_rollout_id == first.pk and status_of(stage) == StageStatus.UPDATING
    executor.run(first.pk)
    assert status_of(rows.get(pk=stage.pk)) == StageStatus.ACTIVE


def test_one_that_waits_can_be_canceled_and_the_next_follows(caller, stage, version, deploy, word):
    version("1.2.0")
    first, second, third = deploy(), deploy(), deploy()
    assert ok(caller().sd("POST", f"/project/{stage.project_id}/history/{second.number}/cancel")) == {"result": True}
    assert word(second) == "canceled"
    ok(caller().sd("POST", f"/project/{stage.project_id}/history/{first.number}/cancel"))
    assert start_queued() == 1
    executor.run(third.pk)
    assert word(third) == "success"


def test_so_many_wait_and_no_more(caller, stage, scenario, version, deploy):
    version("1.2.0")
    for _ in range(MOST + 1):
        deploy()
    path = f"/project/{stage.project_id}/stage/{stage.pk}/scenario/{scenario.pk}/deploy"
    assert str(MOST) in sd_error(caller().sd("POST", path), 400, "100")
    assert Rollout.objects.count() == MOST + 1


def test_a_stopped_line_holds_it_until_it_is_lifted(project, stage, version, deploy, word):
    version("1.2.0")
    first, second = deploy(), deploy()
    stop_promotions(actor=SYSTEM, project=project, stage=stage, reason="incident")
    executor.run(first.pk)
    assert start_queued() == 0 and word(second) == "waiting"
    resume_promotions(actor=SYSTEM, project=project, stage=stage)
    assert start_queued() == 1


@pytest.mark.parametrize("what, says", [("scenario", "was deleted"), ("role", "may no longer promote"), ("rule", "needs approval now")])
def test_what_may_not_begin_any_more_ends_with_a_sentence(caller, stage, scenario, version, deploy, word, what, says):
    version("1.2.0")
    first, second = deploy("admin"), deploy("service")
    if what == "scenario":
        delete_scenario(actor=SYSTEM, scenario=scenario)
    elif what == "role":
        revoke_credential(actor=SYSTEM, credential=caller("service").row)
    else:
        save_rule(actor=SYSTEM, stage=stage, needed=1, roles=["producer"])
    executor.run(first.pk)
    assert start_queued() == 1
    second.refresh_from_db()
    assert (second.state, second.cause, second.waiting) == ("canceled", "system", False) and says in second.error
    assert says in second.outputs.order_by("-seq").first().text
