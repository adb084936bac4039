"""After a failure every page and program is told the same, and the truth: what failed first, what the undo did, what runs where."""
from __future__ import annotations

import base64
import json
import threading
from datetime import timedelta
from html import unescape

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.core import journal
from stages.models import Rollout
from stages.models.webhooks import WebhookDelivery
from stages.rollouts.services import cancel_rollout, promote_stage, retry_rollout
from stages.setup.stages import set_targets
from stages.steps.base import StepBroken, StepFailed
from stages.webhooks.services import save_webhook
from stages.worker import context, executor
from tests.pages.reading import Reader
from tests.stages.kinds import scenario

pytestmark = pytest.mark.django_db
# The order of deploys is auth on a, chat on a, auth on b, chat on b. The last one is what goes wrong; an undo goes the other way.
NAMES = {"aa": ("auth", "a"), "ca": ("chat", "a"), "ab": ("auth", "b"), "cb": ("chat", "b")}
SURE, MAY = "{} on {} runs 2, pinned is 1", "{} on {} may run 2, pinned is 1"


class Killed(BaseException):
    """A worker that dies in the middle of a step."""


def fails(ctx):
    raise StepFailed("exit code 3")


def times_out(ctx):
    raise StepFailed("it did not end within 5 s and was stopped")


def breaks(ctx):
    raise StepBroken("the executable is gone.")


def dies(ctx):
    raise Killed


# How the step ends: what it does, the state of the rollout, the beginning of the account, whether an undo follows.
ENDS = {
    "failed": (fails, "failed", "deploy of chat on b failed: exit code 3", True),
    "timed out": (times_out, "failed", "deploy of chat on b failed: it did not end within 5 s and was stopped", True),
    "broken": (breaks, "errored", "deploy of chat on b failed: the executable is gone", False),
    "lost": (dies, "errored", "deploy of chat on b failed: interrupted when its worker stopped", False),
    "canceled": (None, "canceled", "Canceled by mika during deploy of chat on b", False),
}
# How the undo goes: which of its steps does what, and what is left, by hand: "!" where it is certain what runs.
UNDOS = {
    "ok": ({}, ""),
    "broke at the second": ({("auth", "b"): fails}, "aa! ca! ab"),
    "broke at once": ({("chat", "b"): fails}, "aa! ca! ab! cb"),
    "could not be run": ({("chat", "a"): breaks}, "aa! ca"),
    "lost its worker": ({("chat", "a"): dies}, "aa! ca"),
    "none": (None, "aa! ca! ab! cb"),
}


@pytest.fixture
def reader(producer):
    found = Reader()
    found.force_login(producer)
    return found


@pytest.fixture
def prepared(stage, kind, run, register, project, monkeypatch):
    """Version 1 of auth and chat is pinned on the targets a and b, and version 2 is registered; a webhook hears of it."""
    scenario(stage, targets=("a", "b"), phases=("deploy",))
    assert run(promote_stage(actor=SYSTEM, stage=stage)).state == "succeeded"
    register(auth="2", chat="2")
    save_webhook(actor=SYSTEM, project=project, name="chat", url="https://chat.example.com/hook")
    monkeypatch.setattr(context, "LOOK_S", 0.0)
    kind.may_repeat = False
    return stage


def carry(run, rollout: Rollout) -> Rollout:
    """Carry it to its end, by another worker where one dies."""
    for _ in range(3):
        try:
            executor.run(rollout.pk)
            break
        except Killed:
            Rollout.objects.filter(pk=rollout.pk).update(lease_until=Now() - timedelta(seconds=1))
    return Rollout.objects.select_related("stage__current_set", "to_set", "from_set").get(pk=rollout.pk)


def told(reader, credential, row: Rollout) -> dict[str, str]:
    """What each door says about it."""
    row_, secret = credential
    where = {"project": row.project.name, "number": row.number}

    def page(name: str, **more) -> str:
        return unescape(reader.get(reverse(name, kwargs=more or where)).content.decode())

    basic = base64.b64encode(f"{row_.client_id}:{secret}".encode()).decode()
    answer = reader.get(f"/api/v1/rollouts/{row.number}", headers={"authorization": f"Basic {basic}"})
    assert answer.status_code == 200, answer.content
    hook = WebhookDelivery.objects.filter(rollout=row).order_by("pk").last()
    activity = page("activity", project=row.project.name)
    return {
        "page": page("rollout"), "retry": page("rollout-retry"), "json": answer.json(),
        "hook": json.loads(hook.body)["rollout"] if hook else {},
        "stage": page("stage", project=row.project.name, stage=row.stage.name), "activity": activity,
        "board": page("board", project=row.project.name),
    }


@pytest.mark.parametrize("end", list(ENDS))
def test_every_door_tells_the_same_of_each_end_and_each_undo(prepared, kind, run, reader, producer, actor_of, credential, end, texts):
    act, state, first, undoes = ENDS[end]
    stage = prepared
    for undo in UNDOS if end == "failed" else ("ok", "broke at the second", "none") if undoes else ("ok", "none"):
        acts, left = UNDOS[undo]
        rollout = start(stage, kind, act, acts, who=actor_of(producer))
        row = carry(run, rollout)
        if undoes and acts:
            state_now, expected = "errored", left
        elif undoes and acts is not None:
            state_now, expected = "failed", ""
        else:  # a cancel, a fault and a lost worker put nothing back
            state_now, expected = state, UNDOS["none"][1]
        assert (end, undo, row.state) == (end, undo, state_now)
        check(told(reader, credential, row), row, first, expected.split(), texts(row), undoes and acts is not None)
        kind.acts.clear()  # the next promote has all of it to do again


def start(stage, kind, act, acts, *, who):
    scenario_copy = stage.scenario
    scenario_copy.rollback = acts is not None
    scenario_copy.save(update_fields=["rollback"])
    rollout = promote_stage(actor=SYSTEM, stage=stage)

    def cancels(ctx):
        cancel_rollout(actor=who, rollout=rollout)
        while True:
            ctx.tick()

    def deploys(ctx):
        if (ctx.microservice, ctx.target) == NAMES["cb"]:
            return (act or cancels)(ctx)
        return "well"

    def undoes(ctx):
        todo = (acts or {}).get((ctx.microservice, ctx.target))
        return todo(ctx) if todo else "well"

    kind.acts.update({("auth", "deploy"): deploys, ("chat", "deploy"): deploys, ("undo", "deploy"): undoes})
    return rollout


def check(doors, row, first, left, lines, undone):
    places = [(SURE if name.endswith("!") else MAY).format(*NAMES[name.rstrip("!")]) for name in left]
    failure = doors["json"]["failure"]
    # One account, whoever asks.
    assert failure["first"].startswith(first) and doors["hook"]["failure"] == {name: failure[name] for name in ("first", "undo", "now")}
    for text in (*failure["helps"], failure["undo"], failure["now"].partition(" place")[0], *places):
        assert text in doors["page"] and text in doors["retry"], text
    title = doors["page"].partition('id="now-title"')[2].partition("</h2>")[0]
    assert failure["first"] in doors["retry"] and (failure["first"] in title or row.state == "canceled")
    # What runs where.
    assert [f"{p['microservice']} on {p['target']}" for p in failure["places"]] == [" on ".join(NAMES[n.rstrip("!")]) for n in left]
    assert [p["sure"] for p in failure["places"]] == [name.endswith("!") for name in left]
    assert all(place in failure["now"].lower() for place in places) and failure["now"].count("pinned is 1") == len(places)
    sure = sum(name.endswith("!") for name in left)
    count = f"{sure} of 4 places {'runs' if sure == 1 else 'run'} something else{', and 1 may' if len(left) > sure else ''}."
    assert count in failure["now"] or not left
    assert row.consistent is (not left) and ("Every place runs what is pinned" in failure["now"]) is (not left)
    # What the undo did.
    count = 4 - len(left)
    if not undone:
        assert failure["undo"].startswith("Nothing was put back")
    elif not left:
        assert failure["undo"] == "All 4 changes were put back."
    else:
        assert failure["undo"].startswith(f"{count or 'None'} of 4 changes {'was' if count == 1 else 'were'} put back. Undo of deploy of ")
    # Nobody says that what is there was put back.
    assert ("What it had done was put back" in doors["retry"]) is (undone and not left)
    assert (f"puts {'the one place' if len(left) == 1 else f'the {len(left)} places'} right" in doors["page"]) is bool(left)
    if undone and left:
        assert "Its undo did not end: " in doors["retry"] and "was put back" not in " ".join(lines[-1:]).partition("Failed")[0]
    if row.state == "canceled":
        return
    # The reason begins with the first failure wherever it stands alone.
    for text in (row.error, doors["json"]["error"], doors["hook"]["error"]):
        assert text.startswith(first), text
    assert first in doors["stage"] and first in doors["board"] and first in doors["activity"]
    assert first in lines[-1] or not left, lines[-1]
    line = Activity.objects.get(action="rollout.fail", object_id=str(row.pk))
    assert line.reason == row.error and line.after["state"] == row.state


def test_what_an_earlier_rollout_left_is_named_until_somebody_puts_it_right(prepared, kind, run, reader, credential, producer, actor_of):
    stage = prepared
    first = carry(run, start(stage, kind, fails, {("auth", "b"): fails}, who=None))
    kind.acts.clear()
    kind.acts[("auth", "deploy")] = fails
    second = carry(run, retry_rollout(actor=SYSTEM, rollout=first, how=""))
    assert second.state == "failed" and second.consistent, "its own change was put back"
    failure = told(reader, credential, second)["json"]["failure"]
    assert [(p["microservice"], p["target"], p["rollout"]) for p in failure["places"]] == [
        ("chat", "a", first.number), ("auth", "b", first.number)]
    assert f"(left by rollout {first.number})" in failure["now"]
    old = told(reader, credential, first)
    assert f"Rollout {second.number} was started on {stage.name} since" in old["page"] and "True at its end" in old["page"]


def test_what_a_retry_did_not_run_again_counts_as_it_stands(prepared, kind, run, reader, credential):
    """Steps that count as done stand; of one that a person left out nobody knows."""
    first = carry(run, start(prepared, kind, fails, None, who=None))
    second = carry(run, retry_rollout(actor=SYSTEM, rollout=first, how="failed"))
    failure = told(reader, credential, second)["json"]["failure"]
    assert [(p["microservice"], p["target"], p["sure"]) for p in failure["places"]] == [
        ("auth", "a", True), ("chat", "a", True), ("auth", "b", True), ("chat", "b", False)]
    assert failure["helps"][0] == "Retry runs the 3 steps that are left, from deploy of chat on b on."
    third = retry_rollout(actor=SYSTEM, rollout=second, how="skip", reason="by hand")
    third.steps.filter(phase="post", microservice="chat", target_name="b").update(kind="fake")
    kind.acts[("chat", "post")] = fails
    assert [(p["microservice"], p["target"], p["sure"]) for p in told(reader, credential, carry(run, third))["json"]["failure"][
        "places"]][-1] == ("chat", "b", False)


def test_of_several_failures_the_first_by_the_clock_is_the_headline(stage, kind, run, reader, credential, monkeypatch):
    scenario(stage, targets=("a", "b"), phases=("deploy",), sequence=False)
    gone = threading.Event()

    def late(ctx):
        assert gone.wait(10)
        raise StepFailed("late")

    def early(ctx):
        raise StepFailed("early")

    def written(claim, step, *rest):
        real(claim, step, *rest)
        if (step.target_name, step.phase) == ("b", "deploy"):
            gone.set()

    real = journal.finish_step
    monkeypatch.setattr(journal, "finish_step", written)

    kind.acts |= {("a", "deploy"): late, ("b", "deploy"): early}
    row = run(promote_stage(actor=SYSTEM, stage=stage))
    doors = told(reader, credential, row)
    assert doors["json"]["failure"]["first"] == "deploy of auth on b failed: early" and row.error == doors["json"]["failure"]["first"]
    assert "1 more step failed after it" in doors["page"] and "late" not in doors["page"].partition('id="now-title"')[2][:300]


def test_without_a_target_nothing_is_left(stage, kind, run, reader, credential):
    set_targets(actor=SYSTEM, stage=stage, targets=[])
    rollout = promote_stage(actor=SYSTEM, stage=stage)
    cancel_rollout(actor=SYSTEM, rollout=rollout)
    assert told(reader, credential, Rollout.objects.select_related("stage", "project").get(pk=rollout.pk))["json"]["failure"] is None
