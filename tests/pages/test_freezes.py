"""Freezes in the browser: windows, stops, the calendar, and overriding them."""
from __future__ import annotations

import re
from datetime import time, timedelta

import pytest
from django.utils import timezone

from gs2admin.audit.models import Activity
from gs2admin.identity.actors import SYSTEM
from stages.gates.services import WindowPlan, save_window, stop_promotions
from stages.models import Rollout
from stages.models.governance import FreezeWindow, Stop
from stages.pages.board_html import boards
from tests.pages.test_moves import at, fields

pytestmark = pytest.mark.django_db


def now_window(project, stage, name="Launch <1>", **more) -> FreezeWindow:
    now = timezone.now()
    plan = WindowPlan(name, stage, starts_at=now - timedelta(hours=1), ends_at=now + timedelta(hours=1), **more)
    return save_window(actor=SYSTEM, project=project, plan=plan)


def test_a_weekly_and_a_single_window_are_made_changed_and_removed(world, owner, sign_in):
    client = sign_in(owner)
    weekly = {"name": "Nights", "stage": "", "time_zone": "Asia/Tokyo", "weekly": "1", "from_day": "6", "from_time": "22:30",
              "to_day": "0", "to_time": "06:00"}
    assert client.post(at("freeze-new", world), weekly).status_code == 302
    once = {"name": "Launch", "stage": "stg", "time_zone": "Europe/London", "weekly": "", "starts": "2036-07-01T10:00",
            "ends": "2036-07-02T10:00", "holds_rollbacks": "on", "reason": "season 7"}
    assert client.post(at("freeze-new", world), once).status_code == 302
    row = FreezeWindow.objects.get(name="Launch")
    assert row.starts_at.isoformat() == "2036-07-01T09:00:00+00:00", "by the clocks of London in summer"
    html = client.get(at("freezes", world)).content.decode()
    assert "Every week from Sunday 22:30 to Monday 06:00, Asia/Tokyo" in html and "rollbacks too" in html
    form = client.get(at("freeze-edit", world, pk=row.pk)).content.decode()
    assert 'value="2036-07-01T10:00"' in form and "selected>Europe/London" in form
    assert client.post(at("freeze-edit", world, pk=row.pk), once | {"name": "Release"}).status_code == 302
    assert client.post(at("freeze-delete", world, pk=row.pk), {"reason": "moved"}).status_code == 302
    assert not FreezeWindow.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("sent, said", [
    ({"weekly": "", "starts": "2036-07-02T10:00", "ends": "2036-07-01T10:00"}, "must end after it begins"),
    ({"weekly": "", "starts": "2036-07-02T10:00"}, "This field is required."),
    ({"weekly": "1", "from_day": "0", "to_day": "1"}, "This field is required."),
    ({"weekly": "1", "from_day": "9", "to_day": "1", "from_time": "10:00", "to_time": "11:00"}, "Select a valid choice"),
    ({"weekly": "", "time_zone": "Mars/One"}, "Select a valid choice"),
    ({"weekly": "", "stage": "other"}, "Select a valid choice"),
])
def test_what_makes_no_window_is_said_beside_the_field(sent, said, world, owner, sign_in):
    answer = sign_in(owner).post(at("freeze-new", world), {"name": "x", "time_zone": "UTC", **sent})
    assert answer.status_code == 400 and said in answer.content.decode()
    assert FreezeWindow.objects.count() == 1


def test_a_window_of_another_project_is_not_there(world, other_project, owner, sign_in):
    foreign = now_window(other_project, None)
    for name in ("freeze-edit", "freeze-delete"):
        assert sign_in(owner).get(at(name, world, pk=foreign.pk)).status_code == 404


def test_the_calendar_is_valid_complete_and_each_member_s_own(world, viewer, client, sign_in, django_user_model):
    now_window(world.project, world.stg, "Launch, day; one\\two " + "ü" * 60)
    nights = WindowPlan("Nights", None, weekly=True, from_day=1, from_time=time(22), to_day=2, to_time=time(6))
    save_window(actor=SYSTEM, project=world.project, plan=nights)
    page = sign_in(viewer).get(at("freezes", world)).content.decode()
    address = re.search(r'id="feed"[^>]*value="http://testserver([^"]*)"', page)[1]
    client.logout()
    answer = client.get(address)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/calendar")
    raw = answer.content
    assert raw.endswith(b"END:VCALENDAR\r\n") and max(map(len, raw.split(b"\r\n"))) <= 75
    lines = raw.decode().replace("\r\n ", "").split("\r\n")
    assert lines.count("BEGIN:VEVENT") == lines.count("END:VEVENT") and lines.count("BEGIN:VEVENT") > 25
    assert len({line for line in lines if line.startswith("UID:")}) == lines.count("BEGIN:VEVENT")
    assert any(line.startswith("SUMMARY:Launch\\, day\\; one\\\\two üüü") for line in lines)
    for broken in (address[:-1], address.replace(f"key={world.project.pk}.", "key=999."), address + "x"):
        assert client.get(broken).status_code == 404
    django_user_model.objects.get(pk=viewer.pk).memberships.all().delete()
    assert client.get(address).status_code == 404, "who is no member any more reads it no longer"


def test_stopping_shows_on_board_stage_and_preview_and_holds_the_button(world, producer, sign_in):
    client = sign_in(producer)
    assert client.post(at("promotions-stop", world) + "?stage=stg", {"reason": ""}).status_code == 400
    assert client.post(at("promotions-stop", world) + "?stage=stg", {"reason": "error <rate>"}).status_code == 302
    said = "Promotions are stopped on stg by mika: error &lt;rate&gt;."
    for url in (at("board", world), at("stage", world, stage="stg"), at("stage-promote", world, stage="stg"), at("freezes", world)):
        html = client.get(url).content.decode()
        assert said in html, url
    html = client.get(at("stage-promote", world, stage="stg")).content.decode()
    assert re.search(r'id="confirm" disabled', html) and "An admin of the project may start it" in html
    assert said not in client.get(at("stage-promote", world, stage="dev")).content.decode()
    assert client.post(at("promotions-resume", world) + "?stage=stg", {"reason": "fixed"}).status_code == 302
    assert not Stop.objects.filter(lifted_at=None).exists()
    assert said not in client.get(at("board", world)).content.decode()


def test_the_board_notices_a_window_that_opens_by_itself(world, producer, sign_in, monkeypatch):
    monkeypatch.setattr(boards._boards, "ttl_s", 0.0)
    client = sign_in(producer)
    html = client.get(at("board", world)).content.decode()
    after = re.search(r'data-after="(\d+)"', html)[1]
    live = at("board-live", world) + f"?after={after}"
    assert client.get(live).status_code == 204
    now = timezone.now()
    FreezeWindow.objects.create(project=world.project, name="Quiet", starts_at=now, ends_at=now + timedelta(hours=1))
    boards._seen.clear()  # as after LOOK_AGAIN_S
    answer = client.get(live)
    assert answer.status_code == 200 and "The freeze window Quiet is on" in answer.content.decode()


def test_an_admin_overrides_with_a_reason_in_the_browser(world, owner, sign_in):
    client = sign_in(owner)
    now_window(world.project, world.dev)
    url = at("stage-promote", world, stage="dev")
    html = client.get(url).content.decode()
    assert "freeze window Launch &lt;1&gt;" in html and "Start it anyway" in html
    sent = fields(html)
    before = Rollout.objects.count()
    refused = client.post(url, sent)
    assert refused.status_code == 409 and "Nothing was started" in refused.content.decode()
    nameless = client.post(url, sent | {"override": "on"})
    assert nameless.status_code == 400 and "needs a reason" in nameless.content.decode()
    assert Rollout.objects.count() == before
    assert client.post(url, sent | {"override": "on", "reason": "login is down"}).status_code == 302
    assert "in_spite_of" in Activity.objects.filter(action="stage.promote").latest("id").after


def test_the_retry_page_says_it_too(world, producer, owner, sign_in):
    stop_promotions(actor=SYSTEM, project=world.project, reason="look first")
    url = at("rollout-retry", world, number=world.failed.number)
    assert "look first" in sign_in(producer).get(url).content.decode()
    sent = fields(sign_in(owner).get(url).content.decode())
    assert "Nothing was started" in sign_in(owner).post(url, sent, follow=True).content.decode()
    assert sign_in(owner).post(url, sent | {"override": "on", "reason": "now"}).status_code == 302
    assert Rollout.objects.filter(retry_of=world.failed).exists()


