"""Promote, roll back, cancel and retry in the browser, without a browser."""
from __future__ import annotations

import re

import pytest
from django.urls import reverse

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.approval.services import save_rule
from stages.canary.services import accept_canary
from stages.models import Rollout, Stage
from stages.rollouts.services import cancel_rollout, promote_stage
from stages.setup.scenarios import create_scenario
from stages.setup.stages import create_stage, set_targets
from stages.setup.versions import register_version
from stages.states import RolloutState

pytestmark = pytest.mark.django_db


def at(name: str, world, **args) -> str:
    return reverse(name, kwargs={"project": world.project.name, **args})


def fields(html: str) -> dict[str, list[str]]:
    """The hidden inputs of the page's confirm form, as the browser would send them."""
    found: dict[str, list[str]] = {}
    form = html[html.index("data-once"):]
    for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag)[1], re.search(r'value="([^"]*)"', tag)
        found.setdefault(name, []).append(value[1].replace("&gt;", ">") if value else "")
    return found


def test_the_preview_shows_the_change_the_warning_and_the_rest_folded(world, producer, sign_in):
    world.failed.stage.refresh_from_db()
    html = sign_in(producer).get(at("stage-promote", world, stage="live")).content.decode()
    assert "Promote stg to live" in html and "Nothing has started yet" in html
    assert "chat goes back from 1.0.0 to 0.9.0." in html
    assert "Show 1 unchanged" in html
    assert "not needed" in html and "cluster" in html


def test_confirming_starts_exactly_one_rollout_however_often_it_is_sent(world, producer, sign_in):
    client = sign_in(producer)
    url = at("stage-promote", world, stage="dev")
    sent = fields(client.get(url).content.decode()) | {"reason": ["Friday"]}
    before = Rollout.objects.count()
    first = client.post(url, sent)
    again = client.post(url, sent)
    assert first.status_code == again.status_code == 302
    assert first.headers["Location"] == again.headers["Location"]
    assert Rollout.objects.count() == before + 1
    rollout = Rollout.objects.latest("id")
    assert (rollout.requested_by, rollout.reason, rollout.state) == ("mika", "Friday", RolloutState.QUEUED)
    line = Activity.objects.filter(action="stage.promote").latest("id")
    assert line.reason == "Friday"


def test_a_preview_that_is_old_starts_nothing_and_shows_what_moved(world, producer, sign_in):
    client = sign_in(producer)
    url = at("stage-promote", world, stage="dev")
    sent = fields(client.get(url).content.decode()) | {"reason": ["Friday"]}
    before = Rollout.objects.count()
    register_version(actor=SYSTEM, project=world.project, microservice="auth", version="1.2.0")
    answer = client.post(url, sent)
    html = answer.content.decode()
    assert answer.status_code == 409 and Rollout.objects.count() == before
    assert "nothing was started" in html and "New in this preview: auth 1.1.0 -&gt; 1.2.0" in html
    assert "Friday</textarea>" in html, "the reason is not lost"
    assert client.post(url, fields(html)).status_code == 302, "the new preview can be confirmed at once"
    assert Rollout.objects.latest("id").to_set.versions["auth"] == "1.2.0"


def test_while_a_rollout_runs_both_opening_and_confirming_lead_to_it(world, producer, sign_in):
    client = sign_in(producer)
    url = at("stage-promote", world, stage="dev")
    sent = fields(client.get(url).content.decode())
    live = promote_stage(actor=SYSTEM, stage=world.dev)
    page = at("rollout", world, number=live.number)
    answer = client.post(url, sent)
    assert answer.status_code == 302 and answer.headers["Location"] == page
    assert "Nothing new was started." in client.get(page).content.decode()
    assert client.get(url).headers["Location"] == page


def test_an_incomplete_form_starts_nothing_and_shows_the_preview_again(world, producer, sign_in):
    before = Rollout.objects.count()
    answer = sign_in(producer).post(at("stage-promote", world, stage="dev"), {"reason": "x", "request_key": "no key"})
    assert answer.status_code == 400 and "Reload it and confirm again" in answer.content.decode()
    assert Rollout.objects.count() == before


def test_rolling_back_says_which_rollout_it_takes_back(world, producer, sign_in):
    client = sign_in(producer)
    url = at("stage-rollback", world, stage="stg")
    html = client.get(url).content.decode()
    assert f"rollout {world.done.number}" in html and "Roll back stg" in html
    assert "goes back from" not in html, "what a rollback is for needs no warning per microservice"
    assert "1 microservice goes back to an older version." in html
    assert client.post(url, fields(html)).status_code == 302
    rollout = Rollout.objects.latest("id")
    assert (rollout.kind, rollout.undoes_id) == ("rollback", world.done.pk)


def test_after_a_failure_what_is_pinned_can_be_put_back(world, producer, sign_in):
    client = sign_in(producer)
    html = client.get(at("rollout", world, number=world.failed.number)).content.decode()
    url = at("stage-rollback", world, stage="live") + "?to=pinned"
    assert url in html
    html = client.get(url).content.decode()
    assert "Restore what live pins" in html and "redeployed" in html
    assert client.post(url, fields(html)).status_code == 302


def test_with_nothing_to_go_back_to_the_page_says_so(project, producer, sign_in, world):
    html = sign_in(producer).get(at("stage-rollback", world, stage="canary")).status_code
    assert html == 302, "canary is updating: the page leads to its rollout"
    Rollout.objects.filter(stage=world.dev).exclude(from_set=None).delete()
    answer = sign_in(producer).get(at("stage-rollback", world, stage="dev"))
    assert answer.status_code == 200
    assert "dev has no earlier versions to go back to." in answer.content.decode()


def test_cancel_says_what_will_happen_and_leaves_an_audit_line(world, producer, sign_in):
    client = sign_in(producer)
    url = at("rollout-cancel", world, number=world.running.number)
    html = client.get(url).content.decode()
    assert "nothing is undone" in html and "pre of auth on cluster is stopped" in html
    assert client.post(url, {"reason": "wrong build"}).status_code == 302
    world.running.refresh_from_db()
    assert world.running.state == RolloutState.CANCELING
    assert Activity.objects.filter(action="rollout.cancel").latest("id").reason == "wrong build"
    assert client.get(url).status_code == 302, "there is nothing to cancel twice"
    assert "Stopping pre of auth on cluster" in client.get(at("rollout", world, number=world.running.number)).content.decode()


def test_retry_starts_the_same_again_once(world, producer, sign_in):
    client = sign_in(producer)
    url = at("rollout-retry", world, number=world.failed.number)
    html = client.get(url).content.decode()
    assert "Retry rollout" in html and "stays in the history" in html
    sent = fields(html)
    first, again = client.post(url, sent), client.post(url, sent)
    assert first.status_code == again.status_code == 302
    assert Rollout.objects.filter(retry_of=world.failed).count() == 1
    assert first.headers["Location"] == again.headers["Location"]


def test_what_did_not_fail_cannot_be_retried(world, producer, sign_in):
    client = sign_in(producer)
    url = at("rollout-retry", world, number=world.done.number)
    assert client.get(url).headers["Location"] == at("rollout", world, number=world.done.number)
    assert "only one that failed can be retried" in client.get(at("rollout", world, number=world.done.number)).content.decode()


def test_the_failed_page_names_the_step_its_output_and_the_ways_on(world, producer, viewer, sign_in):
    html = sign_in(producer).get(at("rollout", world, number=world.failed.number)).content.decode()
    assert "deploy of auth on cluster failed: the command ended with code 3" in html
    assert "Last output of deploy of auth on cluster" in html
    assert "Retry from this step…" in html and "Skip this step…" in html and "Roll back…" in html
    html = sign_in(viewer).get(at("rollout", world, number=world.failed.number)).content.decode()
    assert "Retry…" not in html and "Roll back…" not in html


def test_a_stage_of_another_project_does_not_exist_here(world, producer, sign_in):
    answer = sign_in(producer).get(at("stage", world, stage="nowhere"))
    assert answer.status_code == 404 and "There is no stage nowhere" in answer.content.decode()


def test_the_retry_page_offers_to_go_on_to_skip_and_to_begin_anew(world, producer, sign_in, run):
    client = sign_in(producer)
    url = at("rollout-retry", world, number=world.failed.number)
    html = client.get(url).content.decode()
    assert re.search(r'value="failed"[^>]*checked', html) and "Skip the failed step" in html and "Everything again" in html
    assert re.search(r'value="skip"[^>]*checked', client.get(url + "?how=skip").content.decode())
    sent = fields(html)
    page = client.post(url, sent | {"how": "skip", "reason": ""}, follow=True).content.decode()
    assert "Nothing was started. Say why the step may be skipped." in page
    assert client.post(url, sent | {"how": "nonsense"}).status_code == 400
    page = client.post(url, sent | {"how": "skip", "reason": "by hand"}, follow=True).content.decode()
    new = Rollout.objects.latest("id")
    assert new.retry_of == world.failed and "Skipped by mika: by hand" in page and "again after" in page
    run(new)
    world.live.refresh_from_db()
    assert world.live.current_set == new.to_set


@pytest.fixture
def broken(world, steps, run):
    """broken(strategy, accepted=…, rollback=…): a rollout of a stage of its own whose deploy failed."""

    def act(strategy: str, *, accepted: bool = True, rollback: bool = False) -> Rollout:
        stage = create_stage(actor=SYSTEM, project=world.project, name="pilot", source=world.dev, sort_number=60)
        config = {phase: {"command": "deploy", "timeout_s": 5} for phase in ("pre", "canary", "deploy", "switch")}
        set_targets(actor=SYSTEM, stage=stage, targets=[{"name": "a", "kind": "command", "config": config}])
        create_scenario(actor=SYSTEM, stage=stage, name="own", strategy=strategy, rollback=rollback, use=True)
        steps.fails = True
        found = run(promote_stage(actor=SYSTEM, stage=Stage.objects.get(pk=stage.pk)))
        if found.state == "canary_hold":
            (accept_canary if accepted else cancel_rollout)(actor=SYSTEM, rollout=found)
            found = run(found)
        steps.fails = False
        return found

    return act


@pytest.mark.parametrize(("strategy", "more", "label", "says", "offers"), [
    ("canary", {}, "Retry from this step…", "neither deployed nor analyzed again", ["failed", "skip", ""]),
    ("canary", {"accepted": False}, "Retry…", "Its canary was withdrawn, so it is tried again as a whole", []),
    ("canary", {"rollback": True}, "Retry…", "put back, so it is tried again as a whole", ["skip", ""]),
    ("blueGreen", {}, "Retry from this step…", "What the other colour already has is not deployed again", ["failed", "skip", ""]),
    ("blueGreen", {"rollback": True}, "Retry from this step…", "all are switched again", ["failed", "skip", ""]),
    ("rolling", {"rollback": True}, "Retry…", "put back, so it is tried again as a whole", ["skip", ""]),
])
def test_how_each_strategy_is_tried_again(world, producer, sign_in, run, broken, strategy, more, label, says, offers):
    failed = broken(strategy, **more)
    client, url = sign_in(producer), at("rollout-retry", world, number=failed.number)
    page = client.get(at("rollout", world, number=failed.number)).content.decode()
    assert f"{label}</a>" in page and ('id="do-skip"' in page) == ("skip" in offers)
    html = client.get(url).content.decode()
    assert says in html and re.findall(r'type="radio" name="how" value="(\w*)"', html) == offers
    for gone in {"failed", "skip"} - set(offers):
        assert client.post(url, fields(html) | {"how": gone, "reason": "x"}).status_code == 400
    assert client.post(url, fields(html) | {"how": (*offers, "")[0], "reason": "again"}).status_code == 302
    new = Rollout.objects.latest("id")
    assert new.retry_of == failed
    ended = run(new)
    wants = "canary_hold" if strategy == "canary" and more else "succeeded"
    assert ended.state == wants and ended.steps.filter(origin="carried").exists() == (offers[:1] == ["failed"])
    shown = client.get(at("rollout", world, number=new.number)).content.decode()
    assert f">rollout {failed.number}</a>" in shown


def test_who_approves_a_retry_sees_what_it_leaves_out(world, producer, owner, sign_in, broken):
    failed = broken("canary")
    save_rule(actor=SYSTEM, stage=failed.stage, needed=1, roles=["admin"])
    client, url = sign_in(producer), at("rollout-retry", world, number=failed.number)
    client.post(url, fields(client.get(url).content.decode()) | {"how": "skip", "reason": "done by hand"})
    new = Rollout.objects.latest("id")
    page = sign_in(owner).get(at("rollout-approve", world, number=new.number)).content.decode()
    assert new.state == "awaiting_approval" and "Skipped: deploy of" in page and "Skipped by mika: done by hand" in page
    assert f"of them done by <a href=\"{at('rollout', world, number=failed.number)}\"" in page


def test_a_part_is_chosen_kept_in_the_address_and_confirmed_as_shown(world, producer, sign_in, run):
    register_version(actor=SYSTEM, project=world.project, microservice="quest", version="1.2.0", note="Doubles the <b>reward</b>.")
    register_version(actor=SYSTEM, project=world.project, microservice="auth", version="1.9.0")
    client, url = sign_in(producer), at("stage-promote", world, stage="dev")
    whole = client.get(url).content.decode()
    names = re.findall(r'name="only"\s+value="([^"]+)"\s+checked', whole)
    assert "quest" in names and len(names) > 1 and "Doubles the &lt;b&gt;reward&lt;/b&gt;." in whole
    alone = f"{url}?part=1&only=quest"
    html = client.get(alone).content.decode()
    assert re.findall(r'name="only"\s+value="([^"]+)"\s+checked', html) == ["quest"] and "Promote 1 to dev" in html
    assert f"{len(names) - 1} microservice" in html and "only this" in html
    world.dev.refresh_from_db()
    before = dict(world.dev.current_set.versions)
    assert client.post(url, fields(html)).status_code == 409, "the digest is of the part, the address of the whole"
    started = client.post(alone, fields(html) | {"reason": "only this"})
    new = Rollout.objects.latest("id")
    assert started.status_code == 302 and new.part == ["quest"] and dict(new.to_set.versions) == before | {"quest": "1.2.0"}
    run(new)
    page = client.get(at("rollout", world, number=new.number)).content.decode()
    assert "promotes 1 microservice of" in page and "only quest" in page and "Doubles the" in page
    assert "(a part)" in client.get(at("rollouts", world)).content.decode()


def test_a_part_of_nothing_or_of_a_stranger_starts_nothing(world, producer, sign_in):
    client, url = sign_in(producer), at("stage-promote", world, stage="dev")
    before = Rollout.objects.count()
    html = client.get(f"{url}?part=1").content.decode()
    assert "Choose at least one microservice" in html and re.search(r'id="confirm"\s+disabled', html)
    assert not re.search(r'name="only"\s+value="[^"]+"\s+checked', html)
    assert client.post(f"{url}?part=1", fields(html)).status_code == 400
    assert client.get(f"{url}?part=1&only=nobody").status_code == 200
    assert "nobody" in client.get(f"{url}?part=1&only=nobody").content.decode()
    assert client.post(f"{url}?part=1&only=nobody", fields(html)).status_code == 400
    assert Rollout.objects.count() == before


def test_who_approves_a_part_sees_what_stays_behind(world, producer, owner, sign_in):
    register_version(actor=SYSTEM, project=world.project, microservice="quest", version="1.2.0", note="Doubles it.")
    register_version(actor=SYSTEM, project=world.project, microservice="auth", version="1.9.0")
    save_rule(actor=SYSTEM, stage=world.dev, needed=1, roles=["admin"])
    client, url = sign_in(producer), at("stage-promote", world, stage="dev") + "?part=1&only=quest"
    client.post(url, fields(client.get(url).content.decode()))
    new = Rollout.objects.latest("id")
    page = sign_in(owner).get(at("rollout-approve", world, number=new.number)).content.decode()
    assert "Only quest" in page and "behind." in page and "Doubles it." in page
