"""What another try at a failed rollout builds on: pure, as rows of steps."""
from __future__ import annotations

from types import SimpleNamespace

import pytest

from stages.plan.redo import ALL, FAILED, SKIP, Chances, chances, redo, still_lacking
from stages.plan.steps import EVERYTHING, StepPlan
from stages.states import Origin

CARRIED, SKIPPED = Origin.CARRIED, Origin.SKIPPED


def step(state="succeeded", service="auth", target="a", phase="deploy", kind="command", version="2", leg="base", **more):
    facts = {"config": {}, "summary": "well", "origin": "", "memo": {"n": 1}, "position": 1, "pk": 1, "undoes_id": None,
             "ended_at": None} | more
    return SimpleNamespace(state=state, microservice=service, target_name=target, phase=phase, kind=kind, new_version=version,
                           leg=leg, **facts)


def planned(service="auth", target="a", phase="deploy", kind="command", version="2", **config):
    return StepPlan(service, "1", version, target, phase, kind, config)


def rollout(strategy="normal", leg="base", protocol="freeze"):
    return SimpleNamespace(strategy=strategy, leg=leg, protocol=protocol)


BAD, UNDO = step("failed", phase="post"), step(leg="undo", undoes_id=2)
LEFT, BROKE = step("failed", pk=2), step("failed", leg="undo", undoes_id=2)


@pytest.mark.parametrize(("row", "steps", "expected"), [
    (rollout(protocol="asm"), [BAD], Chances("A mesh release is tried again as a whole.")),
    (rollout(), [step()], Chances("None of its steps failed, so there is none to go on from.")),
    (rollout(), [], Chances("None of its steps failed, so there is none to go on from.")),
    (rollout(), [step(), BAD], Chances(failed=BAD)),
    (rollout(), [step("canceled"), BAD], Chances(failed=step("canceled"))),
    (rollout(leg="full"), [BAD], Chances(failed=BAD, accepted=True)),
    (rollout(leg="canary"), [BAD], Chances(failed=BAD)),
    (rollout(), [BAD, UNDO], Chances("What it had done was put back, so it is tried again as a whole.", BAD)),
    (rollout(), [LEFT, UNDO], Chances("What it had done was put back, so it is tried again as a whole.", LEFT)),
    (rollout(), [LEFT, BROKE],
     Chances("Its undo did not end: deploy of auth on a was not put back, so it is tried again as a whole.", LEFT)),
    (rollout(), [step(), step(pk=3, service="chat"), LEFT, UNDO, step("no_progress", leg="undo", undoes_id=3)], Chances(
        "Its undo did not end: deploy of auth on a, deploy of chat on a were not put back, so it is tried again as a whole.", LEFT)),
    (rollout(), [step("failed", pk=at, service=f"s{at}") for at in range(12)] + [step("running", leg="undo", undoes_id=0)], Chances(
        f"Its undo did not end: {', '.join(f'deploy of s{at} on a' for at in range(10))} and 2 more were not put back, so it is tried "
        "again as a whole.", step("failed", pk=0, service="s0"))),
    (rollout("blueGreen"), [BAD, UNDO], Chances(failed=BAD)),
    (rollout(), [step("failed", leg="undo"), step()], Chances("None of its steps failed, so there is none to go on from.")),
    (rollout("canary", "canary"), [step(leg="canary"), step("pending", leg="full")], Chances(held=True)),
    (rollout("canary", "canary"), [step(leg="canary"), step("pending", leg="canary")],
     Chances("None of its steps failed, so there is none to go on from.")),
    (rollout("canary", "canary"), [step(leg="full")], Chances("None of its steps failed, so there is none to go on from.")),
    (rollout("canary", "full"), [step(leg="canary")], Chances("None of its steps failed, so there is none to go on from.")),
])  # fmt: skip
def test_how_it_can_be_tried_again(row, steps, expected):
    assert chances(row, iter(steps)) == expected
    assert (Chances().accepted, Chances().held) == (False, False)


def marks(plan: list[StepPlan]) -> list[tuple[str, str, dict]]:
    return [(one.origin, one.note, one.memo) for one in plan]


ANEW, DONE = ("", "", {}), (CARRIED, "done by rollout 7", {"n": 1})


def test_anew_is_the_plan_itself():
    plan = [planned(), planned("chat")]
    found = redo(plan, [step(), BAD], ALL, 7, Chances(failed=BAD))
    assert found == plan and found is not plan


@pytest.mark.parametrize(("old", "expected"), [
    (step(), DONE), (step("failed"), ANEW), (step("pending"), ANEW), (step(leg="undo"), ANEW), (step(service="chat"), ANEW),
    (step(target="b"), ANEW), (step(phase="pre"), ANEW), (step(kind="http"), ANEW), (step(version="3"), ANEW),
    (step(config={"x": 1}), ANEW), (step(origin=CARRIED), DONE), (step(origin=SKIPPED), (SKIPPED, "well", {"n": 1})),
])  # fmt: skip
def test_what_stands_is_not_done_again_and_what_differs_is(old, expected):
    assert marks(redo([planned()], [old], FAILED, 7, Chances(failed=BAD))) == [expected]


def test_nothing_stands_of_what_is_tried_as_a_whole():
    assert marks(redo([planned()], [step()], FAILED, 7, Chances("as a whole", BAD))) == [ANEW]


def test_of_what_blue_green_put_back_the_other_colour_stands_and_the_switch_does_not():
    plan = [planned(phase=phase) for phase in ("pre", "deploy", "switch", "post")]
    old = [*(step(phase=phase) for phase in ("pre", "deploy", "switch", "post")), step(leg="undo", phase="switch")]
    assert marks(redo(plan, old, FAILED, 7, Chances(failed=BAD))) == [DONE, DONE, ANEW, ANEW]


def test_of_what_nothing_was_put_back_every_phase_stands():
    phases = ("pre", "deploy", "switch", "post")
    found = redo([planned(phase=phase) for phase in phases], [step(phase=phase) for phase in phases], FAILED, 7, Chances(failed=BAD))
    assert marks(found) == [DONE] * 4


def test_each_step_that_was_done_stands_for_one_of_the_plan():
    assert marks(redo([planned(), planned()], [step()], FAILED, 7, Chances(failed=BAD))) == [DONE, ANEW]
    old = [step(memo={"n": 1}), step(memo={"n": 2})]
    assert [memo["n"] for _, _, memo in marks(redo([planned(), planned()], old, FAILED, 7, Chances(failed=BAD)))] == [1, 2]


def test_the_step_to_leave_out_is_left_out_once():
    plan = [planned(), planned(phase="post"), planned(phase="post")]
    found = marks(redo(plan, [step(), BAD], SKIP, 7, Chances(failed=BAD)))
    assert found == [DONE, (SKIPPED, "skipped", {}), ANEW]
    assert marks(redo(plan, [step(), BAD], FAILED, 7, Chances(failed=BAD))) == [DONE, ANEW, ANEW]


def test_a_step_that_is_no_longer_planned_cannot_be_left_out():
    with pytest.raises(LookupError):
        redo([planned()], [step(), BAD], SKIP, 7, Chances(failed=BAD))


def test_the_memo_is_a_copy():
    old = step()
    redo([planned()], [old], FAILED, 7, Chances(failed=BAD))[0].memo["n"] = 2
    assert old.memo == {"n": 1}


def test_the_other_colour_lacks_what_the_old_rollout_was_about_to_do_and_what_is_deployed_in_another_way():
    old = [step(), step(service="chat", target="b", phase="pre")]
    plan = [
        planned(), planned(phase="post"), planned("mail"), planned("chat", "b", "pre"), planned("chat", "b"),
        planned("mail", "c"), planned("mail", "c", "post"), planned(EVERYTHING, "c", "switch"), planned("mail", "a", "pre"),
    ]
    kept = [(one.microservice, one.target_name, one.phase) for one in still_lacking(plan, old)]
    assert kept == [
        ("auth", "a", "deploy"), ("auth", "a", "post"), ("chat", "b", "pre"), ("chat", "b", "deploy"), ("mail", "c", "deploy"),
        ("mail", "c", "post"), ("*", "c", "switch"),
    ]


@pytest.mark.parametrize("other", [{"kind": "http"}, {"target": "b"}, {"config": {"x": 1}}])
def test_a_way_to_deploy_is_its_target_kind_and_configuration(other):
    way = planned("mail", other.get("target", "a"), kind=other.get("kind", "command"), **other.get("config", {}))
    assert still_lacking([way], [step()]) == [way]
    assert still_lacking([planned("mail")], [step()]) == []
