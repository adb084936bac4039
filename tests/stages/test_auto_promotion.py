"""A stage that follows its source: once per promote, after the soak time, by the same rules as everybody."""
from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gs2admin.audit.models import Activity
from gs2admin.errors import Conflict, Denied, Invalid
from gs2admin.identity.actors import SYSTEM
from stages.approval.services import save_rule
from stages.auto_promotion.decide import Promote, Rest, SourceFacts, decide
from stages.auto_promotion.services import end_hold, save_auto_promotion
from stages.gates.services import resume_promotions, stop_promotions
from stages.models import Rollout
from stages.models.governance import AutoPromotion
from stages.pages.attention import held
from stages.rollouts.services import promote_stage, rollback_stage
from stages.worker import chores as sweep

pytestmark = pytest.mark.django_db
T = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.mark.parametrize("source, seen, held, soak, verdict, said", [
    (SourceFacts(), None, "", 0, Rest, ""),
    (SourceFacts(7, "promote", "succeeded", T), 7, "", 0, Rest, ""),
    (SourceFacts(7, "promote", "succeeded", T), 6, "", 0, Promote, ""),
    (SourceFacts(7, "promote", "succeeded", T), None, "", 60, Rest, "stay Active until 2026-11-27 12:01:00"),
    (SourceFacts(7, "promote", "succeeded", T - timedelta(seconds=60)), None, "", 60, Promote, ""),
    (SourceFacts(7, "promote", "running", None), 6, "", 0, Rest, "is not Active"),
    (SourceFacts(7, "promote", "failed", T), 6, "", 0, Rest, "is not Active"),
    (SourceFacts(7, "rollback", "succeeded", T), 6, "", 0, Rest, "was rolled back"),
    (SourceFacts(7, "promote", "succeeded", T), 6, "mika rolled back", 0, Rest, "Held: mika rolled back"),
])
def test_the_decision(source, seen, held, soak, verdict, said):
    found = decide(source, "stg", seen, held, soak, T)
    assert isinstance(found, verdict) and said in getattr(found, "sentence", "")


@pytest.fixture
def follow(dev, stg, register, promote):
    """stg follows dev, which is Active with auth 1 already."""
    register(auth="1")
    promote(dev)
    save_auto_promotion(actor=SYSTEM, stage=stg, enabled=True)
    return lambda: AutoPromotion.objects.get(stage=stg)


def last(stage) -> Rollout | None:
    return Rollout.objects.filter(stage=stage).order_by("-id").first()


def test_it_follows_what_is_promoted_from_now_on_once(follow, dev, stg, register, promote, run, pins):
    assert sweep.promote_by_themselves() == 0 and last(stg) is None, "what was there before is nobody's order"
    register(auth="2")
    source = promote(dev)
    assert sweep.promote_by_themselves() == 1 and sweep.promote_by_themselves() == 0
    rollout = run(last(stg))
    assert (rollout.state, rollout.requested_by) == ("succeeded", "auto-promotion") and pins(stg) == {"auth": "2"}
    assert follow().sentence == f"Started rollout {rollout.number} after rollout {source.number} of dev."
    assert Activity.objects.filter(action="stage.promote", actor_name="auto-promotion").count() == 1
    assert sweep.promote_by_themselves() == 0


def test_a_rollback_by_hand_holds_it_until_somebody_lets_go(follow, dev, stg, register, promote, run, pins, project, producer,
                                                            viewer, actor_of):
    for version in ("2", "3"):
        register(auth=version)
        promote(dev)
        sweep.promote_by_themselves()
        run(last(stg))
    run(rollback_stage(actor=actor_of(producer), stage=stg))
    assert pins(stg) == {"auth": "2"} and "mika rolled stg back" in follow().held_because
    register(auth="4")
    promote(dev)
    assert sweep.promote_by_themselves() == 0 and pins(stg) == {"auth": "2"}
    assert [need.text for need in held(project)] == ["The auto-promotion of stg is held."]
    with pytest.raises(Denied):
        end_hold(actor=actor_of(viewer), stage=stg)
    end_hold(actor=actor_of(producer), stage=stg, reason="fixed in 4")
    assert held(project) == [] and sweep.promote_by_themselves() == 1
    run(last(stg))
    assert pins(stg) == {"auth": "4"}
    with pytest.raises(Conflict, match="is not held"):
        end_hold(actor=actor_of(producer), stage=stg)


def test_what_was_rolled_back_does_not_come_again_by_letting_go(follow, dev, stg, register, promote, run, pins):
    for version in ("2", "3"):
        register(auth=version)
        promote(dev)
        sweep.promote_by_themselves()
        run(last(stg))
    run(rollback_stage(actor=SYSTEM, stage=stg))
    end_hold(actor=SYSTEM, stage=stg)
    assert sweep.promote_by_themselves() == 0 and pins(stg) == {"auth": "2"}


def test_a_rollback_of_the_source_is_not_followed(follow, dev, stg, register, promote, run):
    register(auth="2")
    promote(dev)
    run(rollback_stage(actor=SYSTEM, stage=dev))
    assert sweep.promote_by_themselves() == 0 and "was rolled back" in follow().sentence


def test_a_new_rollout_of_the_source_begins_the_soak_time_anew(follow, dev, stg, register, promote):
    save_auto_promotion(actor=SYSTEM, stage=stg, enabled=True, soak_s=600)
    register(auth="2")
    first = promote(dev)
    assert sweep.promote_by_themselves() == 0 and "stay Active until" in follow().sentence
    Rollout.objects.filter(pk=first.pk).update(ended_at=first.ended_at - timedelta(minutes=11))
    register(auth="3")
    promote(dev)
    assert sweep.promote_by_themselves() == 0, "what is there now has not soaked"
    now = last(dev)
    Rollout.objects.filter(pk=now.pk).update(ended_at=now.ended_at - timedelta(minutes=11))
    assert sweep.promote_by_themselves() == 1


def test_it_obeys_gates_and_approval(follow, dev, stg, register, promote, project):
    register(auth="2")
    promote(dev)
    stop_promotions(actor=SYSTEM, project=project, reason="incident")
    assert sweep.promote_by_themselves() == 0 and "Promotions are stopped on all stages" in follow().sentence
    save_rule(actor=SYSTEM, stage=stg, needed=1, roles=["admin"])
    resume_promotions(actor=SYSTEM, project=project)
    assert sweep.promote_by_themselves() == 1 and last(stg).state == "awaiting_approval"
    assert sweep.promote_by_themselves() == 0


def test_it_waits_while_the_stage_is_busy_and_says_nothing_differs(follow, dev, stg, register, promote, run):
    register(auth="2")
    promote(dev)
    by_hand = promote_stage(actor=SYSTEM, stage=stg)
    assert sweep.promote_by_themselves() == 0 and "already running on stg" in follow().sentence
    run(by_hand)
    assert sweep.promote_by_themselves() == 0 and "Nothing differed" in follow().sentence
    assert Rollout.objects.filter(stage=stg).count() == 1


def test_settings(dev, stg, producer, viewer, actor_of):
    with pytest.raises(Invalid, match="has no source stage"):
        save_auto_promotion(actor=SYSTEM, stage=dev, enabled=True)
    with pytest.raises(Invalid, match="0 seconds to 30 days"):
        save_auto_promotion(actor=SYSTEM, stage=stg, enabled=True, soak_s=30 * 86400 + 1)
    with pytest.raises(Denied):
        save_auto_promotion(actor=actor_of(viewer), stage=stg, enabled=True)
    save_auto_promotion(actor=actor_of(producer), stage=stg, enabled=True, soak_s=60, reason="less clicks")
    save_auto_promotion(actor=actor_of(producer), stage=stg, enabled=False)
    lines = list(Activity.objects.filter(action="stage.auto").order_by("id").values_list("after", "reason"))
    assert lines == [({"auto_promotion": True, "soak_s": 60}, "less clicks"), ({"auto_promotion": False, "soak_s": 0}, "")]


def test_none_is_left_out_for_ever_and_one_that_goes_wrong_stops_no_other(dev, stg, live, monkeypatch):
    rows = [save_auto_promotion(actor=SYSTEM, stage=stage, enabled=True).pk for stage in (stg, live)]
    asked = []

    def act(pk: int) -> bool:
        asked.append(pk)
        if pk == rows[0]:
            raise KeyError("a row that nobody foresaw")
        return True

    monkeypatch.setattr(sweep, "promote_due", act)
    monkeypatch.setattr(sweep, "_place", {})
    assert sweep.promote_by_themselves() == 1 and asked == rows, "one that goes wrong is logged"
    monkeypatch.setattr(sweep, "MOST", 1)
    asked.clear()
    for _ in range(4):
        sweep.promote_by_themselves()
    assert set(asked) == set(rows), "more rows than one sweep takes"
