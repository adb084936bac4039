"""Scenarios of a stage and decisions about canaries, in the browser's words."""
from __future__ import annotations

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from stages.core.scenarios import plan_of
from stages.models import Rollout, Scenario, Stage

pytestmark = pytest.mark.django_db
FORM = {
    "name": "night", "description": "Slowly", "strategy": "canary", "order": "sequence", "batch_size": "1", "rollback": "on",
    "weights": "5 for 10 min, 20 for 1 h, 50", "analysis": "manual", "time_limit": "2 h", "approvals_required": "2",
    "approver_roles": ["producer"], "use": "on", "reason": "calm nights",
}
PROMETHEUS = "https://prometheus.example.com"
GOOD = {"name": "errors", "query": "up", "better": "lower", "threshold": "1", "weight": "1", "base": ""}


def rows(name, *each):
    """A list as the form sends it."""
    found = {f"{name}-rows": str(len(each))}
    for at, row in enumerate(each):
        found |= {f"{name}-{at}-{field}": value for field, value in row.items()}
    return found


def metrics(*each):
    return rows("metrics", *each)


@pytest.fixture
def mika(client, producer):
    client.force_login(producer)
    return client


def at(name, stage, **more):
    return reverse(name, kwargs={"project": stage.project.name, "stage": stage.name, **more})


def decide(world, action):
    return reverse("rollout-canary", kwargs={"project": world.project.name, "number": world.holding.number, "action": action})


def test_a_scenario_is_made_used_changed_and_deleted(mika, world):
    stg = world.stg
    page = mika.post(at("scenario-new", stg), FORM, follow=True).content.decode()
    made = Scenario.objects.get(name="night")
    assert "night is created" in page and "5 % for 10 min, then 20 % for 60 min, then 50 % until somebody goes on" in page
    plan = plan_of(made.canary)
    assert [(w.percent, w.pause_s) for w in plan.weights] == [(5, 600), (20, 3600), (50, None)]
    assert (plan.analysis, plan.time_limit_s, made.rollback, made.approvals_required) == ("manual", 7200, True, 2)
    assert made.approvers == {"roles": ["producer"], "people": []}
    stg.refresh_from_db()
    assert stg.scenario == made
    preview = mika.get(at("stage-promote", stg)).content.decode()
    assert "night" in preview and "A person accepts or rejects it within 2 h" in preview
    assert "night" in mika.get(at("stage", stg)).content.decode()
    edit = mika.get(at("scenario-edit", stg, pk=made.pk)).content.decode()
    assert 'value="5 for 10 min, 20 for 1 h, 50"' in edit
    answer = mika.post(at("scenario-edit", stg, pk=made.pk), FORM | {"strategy": "rolling", "batch_size": "3"}, follow=True)
    assert "night is saved" in answer.content.decode()
    made.refresh_from_db()
    assert (made.strategy, made.batch_size, made.canary) == ("rolling", 3, {})
    mika.post(at("stage-scenarios", stg), {"scenario": ""})
    assert Stage.objects.get(pk=stg.pk).scenario is None
    mika.post(at("stage-scenarios", stg), {"scenario": made.pk})
    assert "is then promoted and rolled back without a scenario" in mika.get(at("scenario-delete", stg, pk=made.pk)).content.decode()
    mika.post(at("scenario-delete", stg, pk=made.pk), {"reason": "done"})
    assert not Scenario.objects.filter(name="night").exists() and Stage.objects.get(pk=stg.pk).scenario is None
    actions = set(Activity.objects.filter(action__contains="scenario").values_list("action", flat=True))
    assert actions == {"scenario.create", "scenario.update", "scenario.delete", "stage.scenario"}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "careful"}, "has a scenario called careful already"),
        ({"weights": "5 for ever"}, "cannot be read"),
        ({"weights": "20, 5"}, "higher than the one before"),
        ({"weights": "0"}, "from 1 to 100 percent"),
        ({"analysis": "none"}, "each weight needs a pause"),
        ({"time_limit": "soon"}, "cannot be read"),
        ({"analysis": "auto", **metrics({})}, "correct metric 1"),
        ({"analysis": "auto", "url": ""} | metrics(GOOD), "Where the metrics are"),
        ({"approvals_required": "11"}, "10"),
    ],
)
def test_what_is_wrong_is_said_in_the_form(mika, world, wrong, sentence):
    answer = mika.post(at("scenario-new", world.stg), FORM | wrong)
    assert answer.status_code in {400, 409} and sentence in answer.content.decode()
    assert not Scenario.objects.filter(name="night").exists()


def test_the_metrics_of_a_canary_are_kept_as_they_were_written(mika, world):
    auto = {"analysis": "auto", "url": PROMETHEUS, "delay_s": "30", "duration_s": "300", "interval_s": "60", "pass_score": "90"}
    auto |= metrics(GOOD | {"query": 'rate(errors{gray="1"}[1m])', "threshold": "0.01"})
    mika.post(at("scenario-new", world.stg), FORM | auto)
    plan = plan_of(Scenario.objects.get(name="night").canary)
    assert (plan.metrics[0].query, plan.metrics[0].threshold, plan.reports) == ('rate(errors{gray="1"}[1m])', 0.01, 5)
    page = mika.get(at("scenario-edit", world.stg, pk=Scenario.objects.get(name="night").pk)).content.decode()
    assert "rate(errors{gray=&quot;1&quot;}[1m])" in page


def test_a_canary_that_waits_is_shown_and_decided(mika, world):
    page = reverse("rollout", kwargs={"project": world.project.name, "number": world.holding.number})
    shown = mika.get(page).content.decode()
    assert "5 % of the players have the new versions" in shown and "A person has to accept or withdraw it" in shown
    assert 'id="do-accept"' in shown and 'id="do-reject"' in shown and 'id="do-cancel"' in shown
    assert 'id="do-advance"' not in shown, "5 % is its only weight"
    board = mika.get(reverse("board", kwargs={"project": world.project.name})).content.decode()
    assert "waits for a decision" in board and "Decide" in board
    assert "everybody gets them" in mika.get(decide(world, "accept")).content.decode()
    assert mika.get(decide(world, "advance")).status_code == 302
    assert mika.get(decide(world, "dance")).status_code == 404
    assert mika.post(decide(world, "reject"), {"reason": "errors"}).status_code == 302
    assert Rollout.objects.get(pk=world.holding.pk).state == "canary_rejecting"
    late = mika.post(decide(world, "accept"), {}, follow=True).content.decode()
    assert "Nothing was changed" in late and Activity.objects.filter(action="rollout.canary_reject", reason="errors").exists()


def test_a_canary_is_accepted_and_ends(mika, world, run):
    mika.post(decide(world, "accept"), {})
    assert run(world.holding).state == "succeeded"
    shown = mika.get(reverse("rollout", kwargs={"project": world.project.name, "number": world.holding.number})).content.decode()
    assert "is-past" in shown and "canary" in shown


def test_a_viewer_sees_the_canary_and_decides_nothing(client, viewer, world):
    client.force_login(viewer)
    shown = client.get(reverse("rollout", kwargs={"project": world.project.name, "number": world.holding.number})).content.decode()
    assert "5 % of the players" in shown and 'id="do-accept"' not in shown
    assert client.get(decide(world, "accept")).status_code == 403
    assert client.post(decide(world, "accept")).status_code == 403
