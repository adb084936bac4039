"""A promote of a part: what it applies, what stays behind, and that approval, retry, rollback and webhooks speak of exactly it."""
from __future__ import annotations

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import SYSTEM
from stages.approval.services import approve_rollout, save_rule
from stages.core.release_notes import MOST_NOTES, release_notes
from stages.core.versions import Change, differences
from stages.models import Rollout, Stage
from stages.plan.part import part_of
from stages.plan.previews import preview_promote
from stages.plan.proven import proven
from stages.rollouts.services import promote_stage, retry_rollout, rollback_stage
from stages.setup.stages import set_targets
from stages.setup.versions import register_version
from tests.stages.kinds import Kind, fails

pytestmark = pytest.mark.django_db
NOW = {"auth": "1", "chat": "1", "old": "1"}
WANTED = {"auth": "2", "chat": "2", "new": "1"}


@pytest.mark.parametrize(("only", "after", "names", "behind"), [
    ((), WANTED, (), []),
    (["auth"], {**NOW, "auth": "2"}, ("auth",), ["chat", "new", "old"]),
    (["new", "auth"], {**NOW, "auth": "2", "new": "1"}, ("auth", "new"), ["chat", "old"]),
    (["old"], {"auth": "1", "chat": "1"}, ("old",), ["auth", "chat", "new"]),
    (["auth", "chat", "new", "old"], WANTED, (), []),
])
def test_what_a_part_applies_and_leaves(only, after, names, behind):
    part = part_of(NOW, WANTED, only)
    assert (dict(part.versions), part.names, [change.name for change in part.behind]) == (after, names, behind)


def test_a_name_that_neither_side_has_is_refused():
    with pytest.raises(Invalid) as refusal:
        part_of(NOW, WANTED, ["auth", "nobody", "other"])
    assert "nobody, other" in refusal.value.sentence


@pytest.fixture
def pair(dev, stg, register, run):
    """stg one promote behind dev: auth and chat differ, mail does not."""
    register(auth="1", chat="1", mail="1")
    for row in (dev, stg):
        run(promote_stage(actor=SYSTEM, stage=row))
    register(auth="2", chat="2")
    run(promote_stage(actor=SYSTEM, stage=dev))
    return Stage.objects.get(pk=stg.pk)


def test_only_the_part_moves_and_the_rest_still_differs(pair, run):
    done = run(promote_stage(actor=SYSTEM, stage=pair, only=["auth"]))
    assert done.state == "succeeded" and done.part == ["auth"]
    assert done.stage.current_set.versions == {"auth": "2", "chat": "1", "mail": "1"}
    assert {step.microservice for step in done.steps.all()} == {"auth"}
    assert [change.name for change in preview_promote(pair).effective] == ["chat"], "what stayed behind is what the next one brings"
    line = Activity.objects.filter(action="stage.promote").latest("id")
    assert line.after["only"] == ["auth"] and line.after["stays_behind"] == ["chat 1 -> 2"]


def test_all_of_them_is_the_whole(pair):
    whole, listed = preview_promote(pair), preview_promote(pair, only=["chat", "auth"])
    assert whole.digest == listed.digest and listed.part == ()
    assert preview_promote(pair, only=["auth"]).digest != whole.digest


def test_a_digest_is_of_one_part(pair):
    seen = preview_promote(pair, only=["auth"]).digest
    with pytest.raises(Conflict) as refusal:
        promote_stage(actor=SYSTEM, stage=pair, only=["chat"], preview_digest=seen)
    assert refusal.value.code == "freeze.stage.previewChanged"
    assert promote_stage(actor=SYSTEM, stage=pair, only=["auth"], preview_digest=seen).part == ["auth"]


def test_what_is_approved_is_the_part(pair, owner, producer, actor_of, run):
    save_rule(actor=SYSTEM, stage=pair, needed=1, roles=["admin", "producer"])
    asked = promote_stage(actor=actor_of(producer), stage=pair, only=["auth"])
    assert asked.state == "awaiting_approval"
    register_version(actor=SYSTEM, project=pair.project, microservice="chat", version="3")
    approved = approve_rollout(actor=actor_of(owner), rollout=asked)
    assert approved.state == "queued", "what is not part of it may move"
    assert run(approved).stage.current_set.versions["chat"] == "1"


def test_an_approval_of_a_part_ends_when_the_part_moves(pair, dev, owner, producer, actor_of, run, register):
    save_rule(actor=SYSTEM, stage=pair, needed=1, roles=["admin", "producer"])
    asked = promote_stage(actor=actor_of(producer), stage=pair, only=["auth"])
    register(auth="3")
    run(promote_stage(actor=SYSTEM, stage=dev))
    assert approve_rollout(actor=actor_of(owner), rollout=asked).state == "canceled"


def test_a_retry_is_of_the_same_part_and_a_rollback_takes_back_exactly_it(pair, run, kind: Kind):
    set_targets(actor=SYSTEM, stage=pair, targets=[{"name": "one", "kind": "fake", "config": {"deploy": {}}}])
    kind.acts[("auth", "deploy")] = fails
    failed = run(promote_stage(actor=SYSTEM, stage=pair, only=["auth"]))
    assert failed.state == "failed"
    kind.acts.clear()
    again = run(retry_rollout(actor=SYSTEM, rollout=failed))
    assert (again.state, again.part) == ("succeeded", ["auth"])
    assert again.stage.current_set.versions == {"auth": "2", "chat": "1", "mail": "1"}
    back = run(rollback_stage(actor=SYSTEM, stage=pair))
    assert back.stage.current_set.versions == {"auth": "1", "chat": "1", "mail": "1"} and back.part is None


def test_what_a_failure_left_unsure_is_deployed_again_as_it_is_pinned(pair, run, kind: Kind):
    set_targets(actor=SYSTEM, stage=pair, targets=[{"name": "one", "kind": "fake", "config": {"deploy": {}}}])
    kind.acts[("chat", "deploy")] = fails
    run(promote_stage(actor=SYSTEM, stage=pair, only=["chat"]))
    preview = preview_promote(Stage.objects.get(pk=pair.pk), only=["auth"])
    assert [(c.name, c.new, c.kind) for c in preview.effective] == [("auth", "2", "changed"), ("chat", "1", "redeployed")]
    assert [c.name for c in preview.behind] == ["chat"]


def test_notes_of_every_version_between(project, django_assert_num_queries):
    for version, note in (("1.9.0", "old"), ("2.0.0", "two"), ("2.1.0", ""), ("1.9.1", "fix"), ("3.0.0-rc1", "three"), ("3.0.0", "")):
        register_version(actor=SYSTEM, project=project, microservice="auth", version=version, note=note)
    for version in ("abc", "def", "fed"):
        register_version(actor=SYSTEM, project=project, microservice="mail", version=version, note=f"commit {version}")
    for number in range(MOST_NOTES + 5):
        register_version(actor=SYSTEM, project=project, microservice="chat", version=f"1.{number}", note=f"note {number}")
    changes = differences({"auth": "1.9.0", "mail": "abc", "chat": "1.0", "gone": "1"}, {"auth": "3.0.0", "mail": "fed", "chat": "1.24"})
    with django_assert_num_queries(1):
        found = {each.change.name: each for each in release_notes(project.pk, changes)}
    assert [note.version for note in found["auth"].notes] == ["3.0.0-rc1", "2.0.0", "1.9.1"]
    assert [note.version for note in found["mail"].notes] == ["fed", "def"]
    assert len(found["chat"].notes) == MOST_NOTES and found["chat"].more == 4
    assert "gone" not in found
    back = release_notes(project.pk, [Change("auth", "2.0.0", "1.9.0", "downgraded")])[0]
    assert back.back and [note.version for note in back.notes] == ["2.0.0", "1.9.1"]


def test_where_these_versions_ran_before(pair, dev, run):
    whole = proven(preview_promote(pair))
    assert whole is not None and (whole.stage, whole.now) == ("dev", True)
    assert whole.rollout == Rollout.objects.filter(stage=dev).latest("id").number
    assert proven(preview_promote(pair, only=["auth"])) is None, "nobody has run this mixture"
