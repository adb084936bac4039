"""The board: what it says, to whom, and what it costs."""
from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from gs2admin.dashboard import health
from gs2admin.identity.actors import SYSTEM
from stages.core.versions import Change, differences, digest
from stages.models import Rollout, Stage, Version, VersionSet
from stages.pages import board
from stages.pages.board import drift_sentence, read_board
from stages.pages.board_html import boards
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage
from stages.setup.versions import register_version
from stages.states import RolloutState

pytestmark = pytest.mark.django_db


def page(client, project, name="board", **more) -> str:
    answer = client.get(reverse(name, kwargs={"project": project.name}), more)
    assert answer.status_code == 200
    return answer.content.decode()


def test_it_says_how_far_each_stage_is_from_its_source(world, viewer, sign_in):
    html = page(sign_in(viewer), world.project)
    assert "1 new version" in html, "quest 1.0.1 was registered after dev was promoted"
    assert "Same versions as dev" in html
    assert "1 behind, 1 ahead of stg" in html, "auth is newer there, chat is lower"
    assert "0 of 18 steps done" in html


def test_what_failed_needs_a_human_and_names_the_rollout(world, viewer, sign_in):
    html = page(sign_in(viewer), world.project)
    assert "Needs a human" in html
    assert re.search(rf"Rollout {world.failed.number}</a> on <b>live</b> failed", html)


def test_a_missing_worker_is_said_with_what_to_do(world, viewer, sign_in, monkeypatch):
    monkeypatch.setattr(health, "_ask", lambda: health.Health(False, "No worker is running."))
    html = page(sign_in(viewer), world.project)
    assert "No worker is running: nothing that is started goes on." in html
    assert "manage.py worker" in html


def test_a_rollout_that_takes_much_longer_than_usual_is_named(world, viewer, sign_in):
    long_ago = timezone.now() - timedelta(hours=1)
    done = Rollout.objects.filter(stage=world.stg, state=RolloutState.SUCCEEDED)
    done.update(stage=world.canary, started_at=long_ago, ended_at=long_ago + timedelta(seconds=40))
    Rollout.objects.filter(pk=world.running.pk).update(started_at=timezone.now() - timedelta(seconds=70))
    assert "has been running for" not in page(sign_in(viewer), world.project)
    Rollout.objects.filter(pk=world.running.pk).update(started_at=timezone.now() - timedelta(seconds=90))
    boards.clear()
    assert "has been running for 1 min 30 s" in page(sign_in(viewer), world.project)


def test_who_may_make_stages_is_offered_to_when_there_are_some_and_when_there_are_none(world, viewer, producer, sign_in):
    link = f'href="{reverse("stage-new", kwargs={"project": world.project.name})}"'
    assert page(sign_in(producer), world.project).count(link) == 1
    assert link not in page(sign_in(viewer), world.project)
    Stage.objects.update(deleted_at=timezone.now())
    boards.clear()
    assert page(sign_in(producer), world.project).count(link) == 1, "in the empty state alone"


def test_a_viewer_sees_no_button_that_changes_anything(world, viewer, producer, sign_in):
    html = page(sign_in(viewer), world.project)
    assert "Promote…" not in html and "Roll back…" not in html and "Cancel…" not in html
    assert "Watch" in html
    html = page(sign_in(producer), world.project)
    assert "Promote…" in html and "Roll back…" in html and "Cancel…" in html


def test_a_poll_answers_204_until_something_changes(world, producer, viewer, sign_in):
    client = sign_in(viewer)
    cursor = re.search(r'data-after="(\d+)"', page(client, world.project))[1]
    live = reverse("board-live", kwargs={"project": world.project.name})
    assert client.get(live, {"after": cursor}).status_code == 204
    promote_stage(actor=SYSTEM, stage=world.dev)
    answer = client.get(live, {"after": cursor})
    assert answer.status_code == 200
    html = answer.content.decode()
    assert html.lstrip().startswith('<div id="board"') and "Updating" in html
    assert re.search(r'data-after="(\d+)"', html)[1] != cursor


def test_it_asks_every_second_only_while_something_runs(world, viewer, sign_in, run):
    assert 'data-every="1000"' in page(sign_in(viewer), world.project)
    Rollout.objects.filter(pk__in=[world.running.pk, world.holding.pk]).update(
        state=RolloutState.CANCELED, ended_at=timezone.now(), lease_until=None
    )
    create_stage(actor=SYSTEM, project=world.project, name="qa", sort_number=90)
    assert 'data-every="10000"' in page(sign_in(viewer), world.project)


def test_the_number_of_queries_does_not_grow_with_stages_and_microservices(
    world, owner, sign_in, django_assert_max_num_queries
):
    project = world.project
    versions = {f"service-{n:03d}": "1.0.0" for n in range(200)}
    services = [world.project.microservices.model(project=project, name=name) for name in versions]
    world.project.microservices.model.objects.bulk_create(services)
    Version.objects.bulk_create(Version(microservice=row, version="1.0.1", registered_by="ci") for row in services)
    left = None
    for number in range(50):
        content = versions | {"service-000": f"1.{number}.0"}
        found = VersionSet.objects.create(
            project=project, number=900 + number, digest=digest(content), versions=content, size=200
        )
        left = Stage.objects.create(project=project, name=f"stage-{number}", source=left, sort_number=50, current_set=found)
    client = sign_in(owner)
    page(client, project)
    boards.clear()
    with django_assert_max_num_queries(17):
        html = page(client, project)
    assert html.count("gs-stage__head") == 55
    with django_assert_max_num_queries(9):
        assert len(read_board(project).cards) == 55


def test_a_stage_that_was_never_promoted_and_an_empty_project_say_what_to_do(project, owner, viewer, sign_in):
    assert "Create the first one" in page(sign_in(owner), project)
    assert "A producer or an admin of this project can create the first one" in page(sign_in(viewer), project)
    create_stage(actor=SYSTEM, project=project, name="dev", sort_number=0)
    assert "No version is registered yet" in page(sign_in(owner), project)
    register_version(actor=SYSTEM, project=project, microservice="auth", version="1")
    assert "Nothing has been promoted here yet" in page(sign_in(owner), project)


@pytest.mark.parametrize(
    ("kinds", "source", "said"),
    [
        ("", "dev", "Same versions as dev"),
        ("", "", "Has the latest versions"),
        ("changed", "dev", "1 version behind dev"),
        ("changed added removed", "dev", "3 versions behind dev"),
        ("downgraded", "dev", "1 version ahead of dev"),
        ("changed downgraded", "dev", "1 behind, 1 ahead of dev"),
        ("changed changed", "", "2 new versions"),
    ],
)
def test_drift_in_words(kinds, source, said):
    changes = [Change(str(n), "1", "2", kind) for n, kind in enumerate(kinds.split())]
    assert drift_sentence(changes, source, True, True) == said


def test_a_large_board_is_compared_once_however_many_look(monkeypatch):
    made = []
    monkeypatch.setattr(board, "differences", lambda *sets: made.append(sets) or differences(*sets))
    versions = [{f"service-{n:03}": f"{stage}.{n}.0" for n in range(200)} for stage in range(101)]
    keys = [board.VersionKey(f"{stage:064}", found) for stage, found in enumerate(versions)]
    for _ in range(3):
        for before, after in zip(keys, keys[1:], strict=False):
            assert len(board._between(before, after)[0]) == 200
    assert len(made) == 100
