"""Promote, roll back, cancel, retry: through the services, with the worker's part run in this process."""
from __future__ import annotations

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid, NotFound
from gs2admin.identity.actors import SYSTEM
from stages.core.status import status_of
from stages.models import Rollout
from stages.plan.previews import preview_promote, preview_rollback
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout, rollback_stage
from stages.setup.stages import create_stage, delete_stage, update_stage
from stages.setup.versions import withdraw_version
from stages.states import RolloutState

pytestmark = pytest.mark.django_db


def test_a_stage_without_source_takes_the_latest_versions_that_were_not_withdrawn(dev, register, promote, pins):
    register(auth="1.0", chat="2.0")
    register(auth="1.1")
    register(auth="0.9")
    assert promote(dev).state == RolloutState.SUCCEEDED
    assert pins(dev) == {"auth": "0.9", "chat": "2.0"}, "registered last wins, not the highest number"
    withdraw_version(actor=SYSTEM, version=dev.project.microservices.get(name="auth").versions.get(version="0.9"))
    promote(dev)
    assert pins(dev) == {"auth": "1.1", "chat": "2.0"}


def test_the_versions_are_those_of_the_click(dev, stg, register, run, promote, pins):
    register(auth="1")
    promote(dev)
    rollout = promote_stage(actor=SYSTEM, stage=stg)
    register(auth="2")
    promote(dev)
    run(rollout)
    assert pins(stg) == {"auth": "1"}


def test_what_the_source_lacks_is_removed(dev, stg, register, promote, pins):
    register(auth="1", mail="1")
    promote(dev), promote(stg)
    withdraw_version(actor=SYSTEM, version=dev.project.microservices.get(name="mail").versions.get())
    promote(dev)
    preview = preview_promote(stg)
    assert {c.name: c.kind for c in preview.changes} == {"auth": "same", "mail": "removed"}
    promote(stg)
    assert pins(stg) == {"auth": "1"}


def test_promoting_when_nothing_differs_ends_at_once_and_says_so(dev, register, promote, texts):
    register(auth="1")
    promote(dev)
    again = promote(dev)
    assert again.state == RolloutState.SUCCEEDED and again.steps_total == 0
    assert "nothing differs" in texts(again)[0]


def test_a_source_that_was_never_deployed_would_empty_the_stage_and_is_refused(dev, stg, register, promote):
    register(auth="1")
    promote(dev), promote(stg)
    fresh = create_stage(actor=SYSTEM, project=stg.project, name="fresh")
    update_stage(actor=SYSTEM, stage=stg, source=fresh)
    with pytest.raises(Invalid, match="Promote fresh first"):
        promote_stage(actor=SYSTEM, stage=stg)


def test_one_live_rollout_per_stage(dev, register, rings):
    register(auth="1")
    first = promote_stage(actor=SYSTEM, stage=dev)
    with pytest.raises(Conflict) as refusal:
        promote_stage(actor=SYSTEM, stage=dev)
    assert refusal.value.code == "freeze.stage.updating"
    assert refusal.value.extra == {"rollout": first.number}
    assert rings == [("stages.worker.tasks.run_rollout", first.pk)]
    assert Rollout.objects.count() == 1


def test_the_same_request_again_is_the_same_rollout(dev, register, run):
    register(auth="1")
    first = promote_stage(actor=SYSTEM, stage=dev, request_key="k")
    assert promote_stage(actor=SYSTEM, stage=dev, request_key="k") == first
    run(first)
    assert promote_stage(actor=SYSTEM, stage=dev, request_key="k") == first
    assert Rollout.objects.count() == 1
    assert promote_stage(actor=SYSTEM, stage=dev, request_key="other").number == first.number + 1, "no number was burnt"


def test_a_preview_that_moved_starts_nothing(dev, stg, register, promote):
    register(auth="1")
    promote(dev)
    seen = preview_promote(stg).digest
    register(auth="2")
    promote(dev)
    with pytest.raises(Conflict) as refusal:
        promote_stage(actor=SYSTEM, stage=stg, preview_digest=seen)
    assert refusal.value.code == "freeze.stage.previewChanged"
    assert not stg.rollouts.exists()
    promote_stage(actor=SYSTEM, stage=stg, preview_digest=preview_promote(stg).digest)


def test_rolling_back_twice_goes_two_back_and_promoting_is_the_redo(dev, register, promote, run, pins):
    for version in ("1", "2", "3"):
        register(auth=version)
        promote(dev)
    seen = []
    for _ in range(2):
        assert run(rollback_stage(actor=SYSTEM, stage=dev)).state == RolloutState.SUCCEEDED
        seen.append(pins(dev))
    assert seen == [{"auth": "2"}, {"auth": "1"}]
    with pytest.raises(Invalid) as refusal:
        rollback_stage(actor=SYSTEM, stage=dev)
    assert refusal.value.code == "freeze.stage.noPreviousVersions"
    promote(dev)
    assert pins(dev) == {"auth": "3"}
    run(rollback_stage(actor=SYSTEM, stage=dev))
    assert pins(dev) == {"auth": "1"}


def test_a_promote_that_changed_nothing_is_no_step_to_go_back_over(dev, register, promote, run, pins):
    register(auth="1")
    promote(dev)
    register(auth="2")
    promote(dev), promote(dev)
    run(rollback_stage(actor=SYSTEM, stage=dev))
    assert pins(dev) == {"auth": "1"}


def test_canceling_a_queued_rollout_ends_it_at_once_and_leaves_the_stage_alone(dev, register, texts, pins):
    register(auth="1")
    rollout = promote_stage(actor=SYSTEM, stage=dev)
    assert status_of(dev) == "Updating"
    ended = cancel_rollout(actor=SYSTEM, rollout=rollout, reason="wrong day")
    assert ended.state == RolloutState.CANCELED and ended.ended_at and pins(dev) == {}
    assert status_of(dev) == "Active"
    assert texts(ended) == ["Canceled by system before it began."]
    with pytest.raises(Conflict):
        cancel_rollout(actor=SYSTEM, rollout=rollout)


def test_output_is_numbered_without_gaps_and_tells_the_whole_story(dev, register, promote, texts):
    register(auth="1", chat="2")
    rollout = promote(dev)
    assert list(rollout.outputs.order_by("seq").values_list("seq", flat=True)) == list(range(1, rollout.last_seq + 1))
    told = texts(rollout)
    assert told[0].startswith("Promote dev by system: set none to set 1, strategy normal, 2 changes")
    assert told[1:3] == ["auth none -> 1", "chat none -> 2"]
    assert sum("started" in text for text in told) == sum("done in" in text for text in told) == 6
    assert told[-1].startswith("Succeeded")
    assert rollout.steps_done == rollout.steps_total == 6


def test_each_act_leaves_one_line_of_activity(dev, register, promote, run):
    register(auth="1")
    promote(dev)
    register(auth="2")
    promote(dev)
    run(rollback_stage(actor=SYSTEM, stage=dev, reason="login spike"))
    actions = list(Activity.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["stage.create", "version.register", "stage.promote", "version.register", "stage.promote", "stage.rollback"]
    last = Activity.objects.latest("id")
    assert last.reason == "login spike" and last.before["set"] == 2 and last.after["set"] == 1


def test_a_retry_needs_a_failure(dev, register, promote):
    register(auth="1")
    with pytest.raises(Conflict, match="only one that failed"):
        retry_rollout(actor=SYSTEM, rollout=promote(dev))


def test_a_reason_is_stored_whole_or_refused(dev, register):
    register(auth="1")
    with pytest.raises(Invalid, match="2,001 characters; at most 2,000") as refusal:
        promote_stage(actor=SYSTEM, stage=dev, reason="x" * 2001)
    assert refusal.value.extra["field"] == "reason" and not Rollout.objects.exists()
    assert promote_stage(actor=SYSTEM, stage=dev, reason="x" * 2000 + " ").reason == "x" * 2000


@pytest.mark.parametrize("act", [promote_stage, rollback_stage])
def test_rights_are_asked_in_the_service(act, dev, register, viewer, stranger, actor_of):
    register(auth="1")
    with pytest.raises(Denied, match="Your role here is viewer"):
        act(actor=actor_of(viewer), stage=dev)
    with pytest.raises(NotFound):
        act(actor=actor_of(stranger), stage=dev)
    assert not Rollout.objects.exists()


def test_a_deleted_stage_keeps_its_history_and_takes_no_more(dev, register, promote):
    register(auth="1")
    rollout = promote(dev)
    delete_stage(actor=SYSTEM, stage=dev)
    with pytest.raises(NotFound):
        promote_stage(actor=SYSTEM, stage=dev)
    assert Rollout.objects.get(pk=rollout.pk).stage.name == "dev"


def test_a_stage_that_feeds_another_or_is_updating_is_not_deleted(dev, stg, live, register):
    register(auth="1")
    with pytest.raises(Conflict, match="source of stg"):
        delete_stage(actor=SYSTEM, stage=dev)
    promote_stage(actor=SYSTEM, stage=live)
    with pytest.raises(Conflict, match="is running on live"):
        delete_stage(actor=SYSTEM, stage=live)


def test_previews_of_rollback_tell_where_it_goes(dev, register, promote):
    register(auth="1")
    promote(dev)
    register(auth="2")
    second = promote(dev)
    preview = preview_rollback(dev)
    assert preview.undoes == second and preview.to_versions == {"auth": "1"}
    with pytest.raises(Invalid, match="nothing to put back"):
        preview_rollback(dev, to="pinned")
