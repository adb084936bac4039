"""What an ended rollout has left, as people see it: on its page, on the board, and how it is taken back."""
from __future__ import annotations

import pytest
from django.urls import reverse

from gs2admin.dashboard import attention
from gs2admin.identity.actors import SYSTEM
from stages.models import Leftover, Rollout
from stages.rollouts.services import promote_stage
from stages.setup.scenarios import create_scenario
from stages.setup.stages import create_stage, set_targets
from stages.setup.versions import register_version
from stages.steps import KINDS
from stages.worker import executor, tasks
from tests.stages.kinds import Kind, fails

pytestmark = pytest.mark.django_db


@pytest.fixture
def kind(monkeypatch):
    found = Kind()
    monkeypatch.setitem(KINDS, "fake", found)
    found.acts["lottery", "canary"] = lambda ctx: (ctx.remember(made="Deployment lottery-gray in the namespace game of tokyo"), fails(ctx))
    return found


@pytest.fixture
def failed(project, kind, monkeypatch):
    """A rollout whose canary failed and stays."""
    monkeypatch.setattr("gs2admin.engine.beat", lambda *_: False)
    register_version(actor=SYSTEM, project=project, microservice="lottery", version="2.0.0")
    stage = create_stage(actor=SYSTEM, project=project, name="live")
    config = {phase: {} for phase in ("pre", "canary", "deploy")}
    set_targets(actor=SYSTEM, stage=stage, targets=[{"name": "tokyo", "kind": "fake", "config": config}])
    create_scenario(actor=SYSTEM, stage=stage, name="careful", use=True, strategy="canary")
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    executor.run(rollout.pk)
    attention.forget()
    return Rollout.objects.get(pk=rollout.pk)


def test_the_page_names_it_and_has_it_taken_back(client, producer, viewer, project, failed, kind):
    at = {"project": project.name, "number": failed.number}
    page, take = reverse("rollout", kwargs=at), reverse("rollout-take-back", kwargs=at)
    sentence = "Deployment lottery-gray in the namespace game of tokyo: canary of lottery 2.0.0 on tokyo."
    client.force_login(viewer)
    html = client.get(page).content.decode()
    assert "This stays and still serves players" in html and sentence in html and take not in html
    assert client.get(take).status_code == 403
    client.force_login(producer)
    board = client.get(reverse("board", kwargs={"project": project.name})).content.decode()
    assert f"Rollout {failed.number} on live failed, and something of it stays." in board and sentence in board
    assert take in client.get(page).content.decode() and sentence in client.get(take).content.decode()
    kind.acts["undo", "canary"] = fails
    html = client.post(take, {"reason": "players see it"}, follow=True).content.decode()
    assert html.count("A worker takes it back now.") == 2 and 'id="live"' in html and take not in html
    live = client.get(reverse("rollout-live", kwargs=at))
    assert live.status_code == 200, "the page goes on asking"
    tasks.take_back(Leftover.objects.get().pk)
    assert "It could not be taken back: the game said no" in client.get(page).content.decode()
    del kind.acts["undo", "canary"]
    client.post(take, {})
    tasks.take_back(Leftover.objects.get().pk)
    html = client.get(page).content.decode()
    assert "This stays" not in html and "Taken back: Deployment lottery-gray" in html
    assert "Nothing of rollout" in client.get(take, follow=True).content.decode()


def test_what_was_removed_by_hand_is_forgotten_with_a_reason(client, producer, project, failed):
    take = reverse("rollout-take-back", kwargs={"project": project.name, "number": failed.number})
    client.force_login(producer)
    answer = client.post(take, {"gone": "on"})
    assert answer.status_code == 400 and "Say how you know that it is gone." in answer.content.decode()
    assert "It is forgotten." in client.post(take, {"gone": "on", "reason": "kubectl delete"}, follow=True).content.decode()
    assert not Leftover.objects.exists()


def test_the_page_of_a_cancel_says_that_the_canary_goes(client, producer, project, kind, failed):
    kind.acts.clear()
    again = promote_stage(actor=SYSTEM, stage=failed.stage)
    executor.run(again.pk)
    client.force_login(producer)
    cancel = reverse("rollout-cancel", kwargs={"project": project.name, "number": again.number})
    html = client.get(cancel).content.decode()
    assert "The canary is withdrawn" in html and "nothing is undone" not in html
    assert "stops within a few seconds, and its canary is withdrawn." in client.post(cancel, {}, follow=True).content.decode()
    executor.run(again.pk)
    assert kind.ran[-1] == "undo canary lottery tokyo"
