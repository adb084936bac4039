"""Stops and freeze windows: every way to start a rollout obeys them, an override needs a right and a reason."""
from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid, NotFound, Quota
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Role
from gs2admin.identity.services.credentials import create_credential
from stages.gates.reads import closed, stopped_since_request
from stages.gates.services import WindowPlan, remove_window, resume_promotions, save_window, stop_promotions
from stages.models import Rollout
from stages.models.governance import FreezeWindow, Stop
from stages.rollouts.services import promote_stage, retry_rollout, rollback_stage
from stages.setup.stages import delete_stage, set_targets
from stages.steps import KINDS
from stages.steps.base import StepFailed

pytestmark = pytest.mark.django_db


@pytest.fixture
def freeze(project):
    """freeze(stage) makes a window that is on now."""

    def act(stage=None, **more) -> FreezeWindow:
        now = timezone.now()
        plan = WindowPlan("Launch", stage, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=1), **more)
        return save_window(actor=SYSTEM, project=project, plan=plan)

    return act


@pytest.fixture
def closing(project, freeze):
    """Ways to close the gate of a stage."""
    return {
        "stop of the stage": lambda stage, **more: stop_promotions(actor=SYSTEM, project=project, stage=stage, reason="bad", **more),
        "stop of all": lambda stage, **more: stop_promotions(actor=SYSTEM, project=project, reason="bad", **more),
        "window of the stage": freeze,
        "window of all": lambda stage, **more: freeze(None, **more),
    }


WAYS = ["stop of the stage", "stop of all", "window of the stage", "window of all"]


@pytest.mark.parametrize("way", WAYS)
def test_a_closed_gate_holds_promotes_and_lets_rollbacks_pass(way, closing, dev, register, promote, run):
    register(auth="1")
    promote(dev)
    register(auth="2")
    promote(dev)
    closing[way](dev)
    before = Rollout.objects.count()
    with pytest.raises(Conflict) as refusal:
        promote_stage(actor=SYSTEM, stage=dev)
    assert refusal.value.code == ("freeze.stage.stopped" if "stop" in way else "freeze.stage.frozen")
    assert refusal.value.sentence.endswith("Nothing was started.") and Rollout.objects.count() == before
    assert run(rollback_stage(actor=SYSTEM, stage=dev)).state == "succeeded"


@pytest.mark.parametrize("way", WAYS)
def test_a_gate_may_hold_rollbacks_too(way, closing, dev, register, promote):
    for version in ("1", "2"):
        register(auth=version)
        promote(dev)
    closing[way](dev, holds_rollbacks=True)
    with pytest.raises(Conflict, match="Nothing was started"):
        rollback_stage(actor=SYSTEM, stage=dev)


def test_a_retry_is_held_back_as_well(dev, register, run, monkeypatch, project):
    class Failing:
        name = label = "command"
        validate = staticmethod(lambda config: dict(config))
        repeatable = staticmethod(lambda config, memo: True)

        @staticmethod
        def run(ctx):
            raise StepFailed("no")

    monkeypatch.setitem(KINDS, "command", Failing())
    set_targets(actor=SYSTEM, stage=dev, targets=[{"name": "c", "kind": "command", "config": {"deploy": {"command": "x"}}}])
    register(auth="1")
    failed = run(promote_stage(actor=SYSTEM, stage=dev))
    assert failed.state == "failed"
    stop_promotions(actor=SYSTEM, project=project, reason="look first.")
    with pytest.raises(Conflict, match="Promotions are stopped on all stages by system: look first. Nothing"):
        retry_rollout(actor=SYSTEM, rollout=failed)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["promote", "rollback"])
def test_what_waited_for_a_worker_when_the_line_was_stopped_does_not_begin(way, kind, closing, dev, register, promote, run):
    for version in ("1", "2"):
        register(auth=version)
        promote(dev)
    register(auth="3")
    queued = promote_stage(actor=SYSTEM, stage=dev) if kind == "promote" else rollback_stage(actor=SYSTEM, stage=dev)
    closing[way](dev)
    ended = run(queued)
    if kind == "promote" and "stop" in way:
        said = list(ended.outputs.order_by("seq").values_list("text", flat=True))
        assert (ended.state, ended.started_at, ended.consistent) == ("canceled", None, True)
        assert said[-1].startswith("Canceled before it began. Promotions are stopped on ")
        dev.refresh_from_db()
        assert dev.current_set.versions == {"auth": "2"}
    else:
        assert ended.state == "succeeded", "a window holds back what is asked for from now on, and rollbacks pass"


def test_who_overrode_a_stop_begins_unless_it_is_stopped_again(dev, register, run, owner, project, actor_of):
    register(auth="1")
    boss = actor_of(owner)
    stop_promotions(actor=SYSTEM, project=project, reason="look")
    queued = promote_stage(actor=boss, stage=dev, override=True, reason="I am sure")
    assert run(queued).state == "succeeded"
    register(auth="2")
    queued = promote_stage(actor=boss, stage=dev, override=True, reason="I am sure")
    stop_promotions(actor=SYSTEM, project=project, stage=dev, reason="no, you are not")
    assert run(queued).state == "canceled"


def test_a_gate_of_another_stage_or_project_holds_nothing(dev, stg, register, project, other_project, freeze):
    register(auth="1")
    stop_promotions(actor=SYSTEM, project=project, stage=stg, reason="x")
    stop_promotions(actor=SYSTEM, project=other_project, reason="x")
    freeze(stg)
    assert promote_stage(actor=SYSTEM, stage=dev).state == "queued"


def test_an_override_needs_the_right_and_a_reason_and_is_written_down(dev, register, freeze, owner, producer, actor_of):
    register(auth="1")
    freeze(dev)
    with pytest.raises(Denied, match="in spite of a stop or a freeze window"):
        promote_stage(actor=actor_of(producer), stage=dev, override=True, reason="must")
    with pytest.raises(Invalid, match="needs a reason"):
        promote_stage(actor=actor_of(owner), stage=dev, override=True, reason="  ")
    assert not Rollout.objects.exists()
    promote_stage(actor=actor_of(owner), stage=dev, override=True, reason="login is down")
    line = Activity.objects.get(action="stage.promote")
    assert line.reason == "login is down" and "freeze window Launch" in line.after["in_spite_of"][0]


def test_overriding_where_nothing_is_closed_needs_no_right(dev, register, producer, actor_of):
    register(auth="1")
    rollout = promote_stage(actor=actor_of(producer), stage=dev, override=True)
    assert rollout.state == "queued" and "in_spite_of" not in Activity.objects.get(action="stage.promote").after


def test_a_repeated_request_finds_its_rollout_though_the_gate_closed_since(dev, register, project):
    register(auth="1")
    first = promote_stage(actor=SYSTEM, stage=dev, request_key="k")
    stop_promotions(actor=SYSTEM, project=project, reason="x")
    assert promote_stage(actor=SYSTEM, stage=dev, request_key="k") == first


def test_stop_and_resume(dev, project, viewer, support, producer, actor_of, register):
    register(auth="1")
    with pytest.raises(Denied):
        stop_promotions(actor=actor_of(viewer), project=project, reason="x")
    with pytest.raises(Invalid, match="Say why"):
        stop_promotions(actor=actor_of(support), project=project, reason=" ")
    with pytest.raises(Invalid, match="1,025 characters; at most 1,024"):
        stop_promotions(actor=actor_of(support), project=project, reason="x" * 1025)
    stop_promotions(actor=actor_of(support), project=project, stage=dev, reason="players lose items")
    with pytest.raises(Conflict, match="on dev already, by sora: players lose items"):
        stop_promotions(actor=actor_of(producer), project=project, stage=dev, reason="x")
    with pytest.raises(Denied):
        resume_promotions(actor=actor_of(support), project=project, stage=dev)
    with pytest.raises(Conflict, match="not stopped on all stages"):
        resume_promotions(actor=actor_of(producer), project=project)
    resume_promotions(actor=actor_of(producer), project=project, stage=dev, reason="fixed")
    assert promote_stage(actor=SYSTEM, stage=dev).state == "queued"
    said = list(Activity.objects.filter(action__startswith="line.").order_by("id").values_list("action", "actor_name", "reason"))
    assert said == [("line.stop", "sora", "players lose items"), ("line.resume", "mika", "fixed")]


def test_the_database_holds_one_open_stop_per_place(dev, project):
    for stage in (None, dev):
        Stop.objects.create(project=project, stage=stage, reason="x", stopped_by="y")
        with pytest.raises(IntegrityError), transaction.atomic():
            Stop.objects.create(project=project, stage=stage, reason="x", stopped_by="y")


@pytest.mark.parametrize("plan, field", [
    ({"name": " "}, "name"), ({"name": "x" * 129}, "name"), ({"name": "x", "time_zone": "Mars"}, "time_zone"),
    ({"name": "x"}, "starts_at"), ({"name": "x", "weekly": True}, "from_time"),
    ({"name": "x", "weekly": True, "from_day": 7, "to_day": 0, "from_time": "a", "to_time": "b"}, "from_day"),
])
def test_a_window_that_makes_no_sense_is_refused_beside_its_field(plan, field, project):
    with pytest.raises(Invalid) as refusal:
        save_window(actor=SYSTEM, project=project, plan=WindowPlan(**plan))
    assert refusal.value.extra == {"field": field}


def test_windows_are_made_changed_and_removed_by_admins_of_their_project(
    dev, project, other_project, owner, producer, stranger, actor_of, freeze
):
    window = freeze(dev)
    for person, refused in ((producer, Denied), (stranger, NotFound)):
        with pytest.raises(refused):
            remove_window(actor=actor_of(person), window=window)
        with pytest.raises(refused):
            save_window(actor=actor_of(person), project=project, plan=WindowPlan("x"), window=window)
    now = timezone.now()
    foreign = WindowPlan("x", dev, starts_at=now, ends_at=now + timedelta(hours=1))
    with pytest.raises(NotFound):
        save_window(actor=SYSTEM, project=other_project, plan=foreign)
    past = WindowPlan("Launch", dev, starts_at=now - timedelta(hours=2), ends_at=now - timedelta(hours=1))
    save_window(actor=actor_of(owner), project=project, plan=past, window=window, reason="over")
    line = Activity.objects.get(action="window.update")
    assert line.before["when"] != line.after["when"] and line.reason == "over"
    remove_window(actor=actor_of(owner), window=window)
    with pytest.raises(NotFound):
        remove_window(actor=actor_of(owner), window=window)


def test_there_is_an_end_to_windows(project, freeze, monkeypatch):
    monkeypatch.setattr("stages.gates.services.MOST", 1)
    freeze()
    with pytest.raises(Quota):
        freeze()


def test_gates_of_a_deleted_stage_hold_nothing(dev, stg, register, project, freeze):
    from stages.gates.reads import closed

    stop_promotions(actor=SYSTEM, project=project, stage=dev, reason="x")
    freeze(stg)
    for stage in (stg, dev):
        delete_stage(actor=SYSTEM, stage=stage)
    assert closed(project.pk) == []


class Door:
    """Calls the GS2 door and the JSON API in this process with one credential."""

    def __init__(self, project, role=Role.SERVICE) -> None:
        row, secret = create_credential(actor=SYSTEM, project=project, name=f"door-{role}", role=role)
        self.client, self.id, self.secret = Client(), row.client_id, secret
        body = {"client_id": row.client_id, "client_secret": secret}
        token = self.client.post("/identifier/projectToken/login", body, content_type="application/json").json()
        self.headers = {"Authorization": f"Bearer {token['access_token']}", "X-GS2-CLIENT-ID": row.client_id}

    def __call__(self, path: str, body: dict):
        return self.client.post(path, body, content_type="application/json", headers=self.headers)


def test_gs2_clients_and_the_json_api_are_refused_with_409_and_the_reason(dev, register, project):
    register(auth="1")
    game, admin = Door(project), Door(project, Role.ADMIN)
    stopped = game("/api/v1/line/stop", {"reason": "error rate 4 %", "stage": "dev"}).json()
    assert stopped["closed"][0]["sentence"] == "Promotions are stopped on dev by door-service: error rate 4 %."
    answer = game("/freeze/dev/promote", {})
    assert answer.status_code == 409
    problem, = json.loads(answer.json()["message"])
    assert problem == {"component": "stage", "message": "freeze.stage.stage.error.conflict", "code": "freeze.stage.stopped"}
    own = game("/api/v1/stages/dev/promote", {})
    assert own.status_code == 409 and own.json()["error"]["message"].endswith("Nothing was started.")
    assert game("/api/v1/stages/dev/promote", {"override": True, "reason": "x"}).status_code == 403
    assert game("/api/v1/line/resume", {"stage": "dev"}).status_code == 403
    assert admin("/api/v1/stages/dev/promote", {"override": True, "reason": "x"}).status_code == 202
    assert admin("/api/v1/line/resume", {"stage": "dev"}).json()["closed"] == []


def test_the_worker_sees_the_open_stops_of_its_project_that_came_after_the_request_the_first_of_them(
    dev, register, project, other_project
):
    register(auth="1")
    rollout = promote_stage(actor=SYSTEM, stage=dev)
    Rollout.objects.filter(pk=rollout.pk).update(created_at=timezone.now() - timedelta(seconds=5))
    rollout.refresh_from_db()
    stop_promotions(actor=SYSTEM, project=other_project, reason="theirs")
    stop_promotions(actor=SYSTEM, project=project, reason="over")
    resume_promotions(actor=SYSTEM, project=project)
    assert stopped_since_request(rollout) == ""
    stop_promotions(actor=SYSTEM, project=project, reason="one.")
    stop_promotions(actor=SYSTEM, project=project, stage=dev, reason="two.")
    assert stopped_since_request(rollout) == "Promotions are stopped on all stages by system: one."


def test_a_refusal_names_all_gates_and_has_the_code_of_the_first(dev, register, project, freeze):
    register(auth="1")
    stop_promotions(actor=SYSTEM, project=project, reason="bad")
    freeze(dev)
    with pytest.raises(Conflict) as refusal:
        promote_stage(actor=SYSTEM, stage=dev)
    assert (refusal.value.component, refusal.value.message, refusal.value.code) == (
        "stage", "freeze.stage.stage.error.conflict", "freeze.stage.stopped")
    stopped, frozen = refusal.value.extra["gates"]
    assert refusal.value.sentence == f"{stopped} {frozen} Nothing was started."
    assert stopped == "Promotions are stopped on all stages by system: bad." and frozen.startswith("The freeze window Launch")


def test_what_is_closed_is_of_the_project_and_has_its_name(dev, project, other_project, freeze):
    elsewhere = WindowPlan("Theirs", starts_at=timezone.now() - timedelta(hours=1), ends_at=timezone.now() + timedelta(hours=1))
    save_window(actor=SYSTEM, project=other_project, plan=elsewhere)
    stop_promotions(actor=SYSTEM, project=project, reason="bad")
    stop_promotions(actor=SYSTEM, project=project, stage=dev, reason="bad")
    freeze(dev)
    assert [(gate.kind, gate.name) for gate in closed(project.pk)] == [
        ("stop", "all stages"), ("stop", "dev"), ("freeze", "Launch")]
