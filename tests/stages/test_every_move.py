"""Every state and every move of the table is reached by the real functions; every other action is refused at every door.

The moves of approval (C1, A1 to A3) are exercised where approval is; the mesh door makes releases (C5).
"""
from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from gs2admin.errors import Conflict
from gs2admin.identity.actors import SYSTEM
from stages.canary import moves as canary_moves
from stages.canary import services as canary_service
from stages.canary.services import accept_canary, advance_canary, reject_canary, remake_canary, set_weight
from stages.core import journal
from stages.models import Rollout, RolloutCanary
from stages.rollouts import services as rollout_service
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout, rollback_stage
from stages.setup.versions import register_version
from stages.states import CREATIONS, FINAL, MOVES, TIMED, RolloutState, user_actions
from stages.steps import KINDS
from stages.worker import begin, metrics
from stages.worker.chores import move_canaries
from tests.stages.kinds import Kind, breaks, fails, scenario
from tests.stages.prometheus import Prometheus

pytestmark = pytest.mark.django_db
ELSEWHERE = {"C1", "A1", "A2", "A3", "C5"}


class Moves:
    """The ids of the moves that were made, in order."""

    def __init__(self, monkeypatch) -> None:
        self.made: list[str] = []
        for module in (begin, journal, canary_moves, rollout_service, canary_service):
            monkeypatch.setattr(module, "apply", self._watch(module.apply))

    def _watch(self, real):
        def apply(rows, move, **changes):
            moved = real(rows, move, **changes)
            if moved:
                self.made.append(move.id)
            return moved

        return apply


class World:
    """dev with versions 1, and what the flows below need."""

    def __init__(self, stage, kind, run, prometheus) -> None:
        self.stage, self.kind, self.run, self.prometheus = stage, kind, run, prometheus

    def start(self, **facts) -> Rollout:
        scenario(self.stage, phases=("pre", "canary", "deploy", "post"), **facts)
        return promote_stage(actor=SYSTEM, stage=self.stage)

    def up(self, **plan) -> Rollout:
        return self.run(self.start(strategy="canary", canary=plan))

    def judged(self, value=0.0, **more) -> Rollout:
        metric = {"name": "errors", "query": "q", "threshold": 1}
        self.prometheus.values["q"] = value
        plan = {"analysis": "auto", "url": self.prometheus.url, "metrics": [metric], "duration_s": 60, "interval_s": 60}
        rollout = self.up(**plan, **more)
        self.later(rollout, 61)
        return rollout

    @staticmethod
    def later(rollout: Rollout, seconds: int) -> None:
        row = RolloutCanary.objects.get(pk=rollout.pk)
        names = [name for name in ("wake_at", "hold_until", "weight_until", "analysis_began_at") if getattr(row, name)]
        RolloutCanary.objects.filter(pk=row.pk).update(
            **{name: getattr(row, name) - timedelta(seconds=seconds) for name in names}
        )


@pytest.fixture
def moves(monkeypatch):
    return Moves(monkeypatch)


@pytest.fixture
def world(dev, register, run, monkeypatch, settings):
    kind = Kind()
    monkeypatch.setitem(KINDS, "fake", kind)
    monkeypatch.setattr(metrics, "PAUSE_S", 0.01)
    settings.STEP_HTTP_ALLOW = ["127.0.0.1"]
    register(auth="1")
    server = Prometheus()
    yield World(dev, kind, run, server)
    server.close()


def act(w, name, target, how):
    w.kind.acts[name, target] = how


def cancel_inside(w):
    rollout = w.start()
    act(w, "auth", "pre", lambda ctx: cancel_rollout(actor=SYSTEM, rollout=rollout) and None)
    return w.run(rollout)


def cancel_breaks(w):
    """The store fails while the rollout is being canceled: the orchestrator's errored move."""
    rollout = w.start()
    act(w, "auth", "pre", lambda ctx: cancel_rollout(actor=SYSTEM, rollout=rollout) and breaks(ctx))
    return w.run(rollout)


def rollback_flow(w):
    w.run(w.start())
    register_version(actor=SYSTEM, project=w.stage.project, microservice="auth", version="2")
    w.run(promote_stage(actor=SYSTEM, stage=w.stage))
    return w.run(rollback_stage(actor=SYSTEM, stage=w.stage))


def undo_flow(w, how=None):
    rollout = w.start(rollback=True)
    act(w, "auth", "deploy", fails)
    if how:
        act(w, "undo", "deploy", how)
    return w.run(rollout)


def mesh(w) -> Rollout:
    rollout = w.up()
    Rollout.objects.filter(pk=rollout.pk).update(protocol="asm")
    return rollout


def withdrawn(w, how=None):
    rollout = w.up()
    if how:
        act(w, "undo", "canary", how)
    reject_canary(actor=SYSTEM, rollout=rollout)
    return w.run(rollout)


def timed_out(w):
    rollout = w.up(time_limit_s=60)
    w.later(rollout, 61)
    move_canaries()
    return w.run(rollout)


def failing(w):
    act(w, "auth", "deploy", fails)
    return w.run(w.start())


def broken(w):
    act(w, "auth", "deploy", breaks)
    return w.run(w.start())


def unreachable(w):
    rollout = w.judged()
    w.prometheus.status = 500
    return w.run(rollout)


def canceled_here(rollout, w):
    cancel_rollout(actor=SYSTEM, rollout=rollout)
    return w.run(rollout)


# move -> (what brings it about, the state that the rollout ends or rests in)
FLOWS = {
    "C2": (lambda w: promote_stage(actor=SYSTEM, stage=w.stage, protocol="sourcedeploy"), "queued"),
    "C3": (lambda w: w.start(), "queued"),
    "C4": (rollback_flow, "succeeded"),
    "Q1": (lambda w: w.run(w.start()), "succeeded"),
    "Q2": (lambda w: cancel_rollout(actor=SYSTEM, rollout=w.start()), "canceled"),
    "R1": (lambda w: w.run(w.start()), "succeeded"),
    "R2": (failing, "failed"),
    "R3": (undo_flow, "failed"),
    "R4": (broken, "errored"),
    "R5": (cancel_inside, "canceled"),
    "R6": (lambda w: w.judged(), "canary_analyzing"),
    "R7": (lambda w: w.up(), "canary_hold"),
    "B1": (undo_flow, "failed"),
    "B2": (lambda w: undo_flow(w, fails), "errored"),
    "N1": (lambda w: w.run(w.judged()), "succeeded"),
    "N2": (lambda w: w.run(w.judged(value=9)), "canary_rejected"),
    "N3": (lambda w: canceled_here(w.judged(), w), "canceled"),
    "N4": (unreachable, "errored"),
    "H1": (lambda w: w.run(accept_canary(actor=SYSTEM, rollout=w.up())), "succeeded"),
    "H2": (withdrawn, "canary_rejected"),
    "H3": (timed_out, "canary_timeout"),
    "H4": (lambda w: remake_canary(actor=SYSTEM, rollout=mesh(w), versions={"auth": "7"}), "running"),
    "H5": (lambda w: set_weight(actor=SYSTEM, rollout=mesh(w), weight=40), "canary_hold"),
    "H6": (lambda w: canceled_here(w.up(), w), "canceled"),
    "J1": (withdrawn, "canary_rejected"),
    "J2": (timed_out, "canary_timeout"),
    "J3": (lambda w: withdrawn(w, fails), "errored"),
    "X1": (cancel_inside, "canceled"),
    "X2": (cancel_breaks, "errored"),
}


def test_no_move_is_left_out():
    assert set(FLOWS) | ELSEWHERE == {move.id for move in MOVES} | {creation[0] for creation in CREATIONS}


@pytest.mark.parametrize("move", sorted(FLOWS))
def test_every_move_happens(move, world, moves):
    flow, ends = FLOWS[move]
    rollout = Rollout.objects.get(pk=flow(world).pk)
    assert rollout.state == ends
    if move[0] == "C":
        protocol, kind = {"C2": ("sourcedeploy", "promote"), "C3": ("freeze", "promote"), "C4": ("freeze", "rollback")}[move]
        assert (rollout.protocol, rollout.kind) == (protocol, kind)
    else:
        assert move in moves.made
    assert (rollout.ended_at is not None) == (rollout.state in FINAL)
    assert not RolloutCanary.objects.filter(pk=rollout.pk, wake_at__isnull=False).exclude(rollout__state__in=TIMED).exists()


def test_a_new_version_of_a_mesh_release_is_made_from_the_beginning(world, moves):
    rollout = mesh(world)
    set_weight(actor=SYSTEM, rollout=rollout, weight=40)
    remake_canary(actor=SYSTEM, rollout=rollout, versions={"auth": "7"})
    again = world.run(rollout)
    assert (again.state, again.leg, again.gray_weight) == ("canary_hold", "canary", 0)
    assert again.to_set.versions == {"auth": "7"} and again.steps_done == 2
    assert [step.new_version for step in again.steps.filter(phase="canary")] == ["7"]


SERVICES = {
    "cancel": cancel_rollout,
    "canary_accept": accept_canary,
    "canary_reject": reject_canary,
    "advance": advance_canary,
    "set_weight": lambda **who: set_weight(weight=10, **who),
    "release_update": lambda **who: remake_canary(versions={"auth": "9"}, **who),
    "retry": retry_rollout,
}
API = {"cancel": "cancel", "canary_accept": "canary/accept", "canary_reject": "canary/reject", "advance": "canary/advance"}
PAGES = {
    "cancel": ("rollout-cancel", {}), "retry": ("rollout-retry", {}),
    "canary_accept": ("rollout-canary", {"action": "accept"}), "canary_reject": ("rollout-canary", {"action": "reject"}),
    "advance": ("rollout-canary", {"action": "advance"}),
}
CASES = [(state, action) for state in RolloutState for action in SERVICES if action not in user_actions(state)]


@pytest.fixture
def put(dev, register):
    """put(state) is a rollout in that state, as its row would be."""

    def act(state: str) -> Rollout:
        register(auth="1")
        rollout = promote_stage(actor=SYSTEM, stage=dev)
        more = {"ended_at": Now()} if state in FINAL else {}
        Rollout.objects.filter(pk=rollout.pk).update(state=state, **more)
        return Rollout.objects.select_related("stage").get(pk=rollout.pk)

    return act


@pytest.mark.parametrize(("state", "action"), CASES)
def test_what_the_table_does_not_name_is_refused_by_the_service(state, action, put):
    rollout = put(state)
    with pytest.raises(Conflict):
        SERVICES[action](actor=SYSTEM, rollout=rollout)
    now = Rollout.objects.get(pk=rollout.pk)
    assert (now.state, now.leg, now.gray_weight, now.to_set_id) == (state, rollout.leg, 0, rollout.to_set_id)
    assert Rollout.objects.count() == 1


@pytest.mark.parametrize("state", list(RolloutState))
def test_and_by_every_door(state, put, client, credential, owner, project):
    row, secret = credential
    auth = "Basic " + base64.b64encode(f"{row.client_id}:{secret}".encode()).decode()
    rollout = put(state)
    client.force_login(owner)
    for action in (each for each in SERVICES if each not in user_actions(state)):
        if action in API:
            url = f"/api/v1/rollouts/{rollout.number}/{API[action]}"
            answer = client.post(url, json.dumps({}), content_type="application/json", HTTP_AUTHORIZATION=auth)
            assert answer.status_code == 409 and answer.json()["error"]["message"].endswith("."), (action, answer.content)
        if action in PAGES:
            name, more = PAGES[action]
            answer = client.post(reverse(name, kwargs={"project": project.name, "number": rollout.number, **more}), {})
            assert answer.status_code == 302, action
        assert Rollout.objects.get(pk=rollout.pk).state == state and Rollout.objects.count() == 1
