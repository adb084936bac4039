"""Stages are made, changed and deleted by page, and refused with a sentence where the domain refuses."""
from __future__ import annotations

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.models import Stage
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage
from stages.setup.versions import register_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def page(project):
    return lambda name, **more: reverse(name, kwargs={"project": project.name, **more})


@pytest.fixture
def mika(client, producer):
    client.force_login(producer)
    return client


@pytest.fixture
def stage(project):
    return lambda name, source=None: create_stage(actor=SYSTEM, project=project, name=name, source=source)


def test_a_stage_is_made_with_its_source_and_place(mika, page, stage, project):
    dev = stage("dev")
    answer = mika.post(page("stage-new"), {"name": "stg", "source": "dev", "sort_number": "40", "reason": "for testers"})
    made = Stage.objects.get(project=project, name="stg")
    assert answer.headers["Location"] == page("stage", stage="stg")
    assert (made.source, made.sort_number) == (dev, 40)
    line = Activity.objects.get(action="stage.create", object_name="stg")
    assert (line.actor_name, line.reason, line.after["source"]) == ("mika", "for testers", "dev")


@pytest.mark.parametrize(("data", "status"), [
    ({"name": "dev"}, 409), ({"name": "a b"}, 400), ({"name": "null"}, 400), ({"name": ""}, 400), ({"name": "x" * 129}, 400),
    ({"name": "stg", "sort_number": "101"}, 400), ({"name": "stg", "sort_number": "-1"}, 400),
    ({"name": "stg", "sort_number": "x"}, 400), ({"name": "stg", "source": "nowhere"}, 400),
])
def test_what_cannot_be_a_stage_is_refused_in_the_form(mika, page, stage, data, status):
    stage("dev")
    answer = mika.post(page("stage-new"), {"sort_number": "1", "source": "", "reason": "", **data})
    assert answer.status_code == status and 'role="alert"' in answer.content.decode()
    assert Stage.objects.count() == 1


def test_a_stage_called_new_has_its_own_page(mika, page, stage):
    stage("new")
    assert "Takes the latest version" in mika.get(page("stage", stage="new")).content.decode()


def test_a_circle_of_sources_is_spelled_out(mika, page, stage):
    dev = stage("dev")
    stg = stage("stg", dev)
    stage("live", stg)
    answer = mika.post(page("stage-edit", stage="dev"), {"name": "dev", "source": "live", "sort_number": "0", "reason": ""})
    assert answer.status_code == 400
    assert "dev takes from live takes from stg takes from dev" in answer.content.decode()
    assert Stage.objects.get(name="dev").source is None


def test_a_stage_is_not_offered_as_its_own_source(mika, page, stage):
    stage("dev")
    stage("stg")
    html = mika.get(page("stage-edit", stage="dev")).content.decode()
    assert '<option value="stg">' in html and '<option value="dev"' not in html


def test_changes_are_saved_with_before_after_and_reason(mika, page, stage):
    stage("dev")
    answer = mika.post(page("stage-edit", stage="dev"), {"name": "qa", "source": "", "sort_number": "9", "reason": "renamed"})
    assert answer.headers["Location"] == page("stage", stage="qa")
    line = Activity.objects.get(action="stage.update")
    assert line.before["name"] == "dev" and line.after == {"name": "qa", "source": None, "sort_number": 9}
    assert line.reason == "renamed"


def test_deleting_asks_tells_and_keeps_the_history(mika, page, stage, project, run):
    register_version(actor=SYSTEM, project=project, microservice="auth", version="1")
    dev = stage("dev")
    rollout = run(promote_stage(actor=SYSTEM, stage=dev))
    asked = mika.get(page("stage-delete", stage="dev")).content.decode()
    assert "Its 1 pinned version and its targets" in asked and Stage.objects.get(pk=dev.pk).deleted_at is None
    done = mika.post(page("stage-delete", stage="dev"), {"reason": "not used any more"}, follow=True)
    assert "dev is deleted" in done.content.decode()
    assert Activity.objects.get(action="stage.delete").reason == "not used any more"
    assert mika.get(page("stage", stage="dev")).status_code == 404
    assert mika.get(page("rollout", number=rollout.number)).status_code == 200


def test_a_stage_that_feeds_another_or_is_updated_is_kept(mika, page, stage, project):
    register_version(actor=SYSTEM, project=project, microservice="auth", version="1")
    dev = stage("dev")
    stage("stg", dev)
    feeding = mika.post(page("stage-delete", stage="dev"), {"reason": ""})
    assert feeding.status_code == 409 and "dev is the source of stg" in feeding.content.decode()
    stage("lone")
    rollout = promote_stage(actor=SYSTEM, stage=Stage.objects.get(name="lone"))
    busy = mika.post(page("stage-delete", stage="lone"), {"reason": ""})
    assert busy.status_code == 409 and f"Rollout {rollout.number} is running on lone" in busy.content.decode()
    assert Stage.objects.filter(deleted_at=None).count() == 3


def test_a_viewer_has_no_way_in(client, viewer, page, stage):
    stage("dev")
    client.force_login(viewer)
    html = client.get(page("stage", stage="dev")).content.decode()
    assert page("stage-edit", stage="dev") not in html and page("target-new", stage="dev") not in html
