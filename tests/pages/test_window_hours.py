"""Freeze windows in the hours in which clocks change, through every door: what is written, kept, told, held back and shown."""
from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.urls import reverse
from icalendar import Calendar

from bench.windows import fields as form_fields
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Role, User
from stages.auto_promotion.services import promote_due, save_auto_promotion
from stages.gates import local_time
from stages.gates.reads import closed
from stages.models import Stage
from stages.models.governance import Approval, AutoPromotion, FreezeWindow
from stages.rollouts.services import promote_stage
from tests.pages.test_moves import at, fields
from tests.stages.test_gates import Door
from tests.stages.window_oracle import DAY, Clocks, instant, minute, typed

pytestmark = pytest.mark.django_db


def once(zone: str, starts: str, ends: str, **more) -> dict[str, str]:
    return {"name": "Hour", "stage": "", "time_zone": zone, "weekly": "", "starts": starts, "ends": ends, **more}


def weekly(zone: str, begins: int, ends: int, **more) -> dict[str, str]:
    """begins, ends: minutes of the week."""
    sides = {}
    for side, number in (("from", begins), ("to", ends)):
        sides |= {f"{side}_day": str(number // DAY), f"{side}_time": f"{number % DAY // 60:02}:{number % 60:02}"}
    return {"name": "Hour", "stage": "", "time_zone": zone, "weekly": "1", **sides, **more}


def unescaped(answer) -> str:
    return re.sub(r"\s+", " ", answer.content.decode().replace("&#x27;", "'"))


def test_gate_pages_json_admin_calendar_approval_and_auto_promotion_agree(world, owner, sign_in, set_clock, run, client):
    root = User.objects.create_superuser("root")
    game = Door(world.project, Role.ADMIN)
    FreezeWindow.objects.all().delete()
    save_auto_promotion(actor=SYSTEM, stage=world.live, enabled=True)
    Stage.objects.filter(pk=world.live.pk).update(source=world.dev)
    run(promote_stage(actor=SYSTEM, stage=world.dev))

    def answers(row: FreezeWindow, end: datetime) -> dict[str, bool]:
        """Whether each door says that the window is on."""
        gates = [gate for gate in closed(world.project.pk) if gate.pk == row.pk]
        local = end.astimezone(ZoneInfo(row.time_zone))
        until = f"until {local:%a} {local.day} {local:%b %Y %H:%M} {row.time_zone}."
        found = {"gate": bool(gates) and gates[0].until == end and until in gates[0].sentence}
        olga = sign_in(owner)
        for name, args in (("stage-promote", {"stage": "live"}), ("rollout-approve", {"number": world.waiting.number}),
                           ("rollout-retry", {"number": world.failed.number}), ("stage", {"stage": "stg"})):
            found[name] = f"The freeze window Hour is on for all stages {until}" in unescaped(olga.get(at(name, world, **args)))
        html = unescaped(olga.get(at("freezes", world)))
        found["list"] = "on now" in html and f"{end:%a} {end.day} {end:%b %Y %H:%M} UTC" in html
        stamp = end.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        json = game.client.get("/api/v1/freezes", headers=game.headers).json()
        found["json"] = [(gate["kind"], gate["until"]) for gate in json["closed"]] == [("freeze", stamp)]
        found["json, listed"] = json["windows"][0]["ends"] == stamp and found["json"]
        with transaction.atomic():
            promote_due(world.live.pk)
            found["auto-promotion"] = until in AutoPromotion.objects.get().sentence
            transaction.set_rollback(True)
        with transaction.atomic():
            try:
                promote_stage(actor=SYSTEM, stage=world.dev)
            except (Conflict, Invalid) as refusal:
                found["promote"] = until in refusal.sentence
            else:
                found["promote"] = False
            transaction.set_rollback(True)
        html = unescaped(sign_in(root).get(reverse("admin:stages_freezewindow_changelist")))
        found["admin"] = f"on until {end:%a} {end.day} {end:%b %Y %H:%M}" in html
        return found

    paris, cairo = Clocks("Europe/Paris", datetime(2027, 3, 20), 14), Clocks("Africa/Cairo", datetime(2027, 4, 24), 12)
    gap, friday = minute(datetime(2027, 3, 28, 2, 30)), minute(datetime(2027, 4, 30))
    for clocks, sent, span in (
        (paris, once("Europe/Paris", typed(gap), typed(gap + 45)), paris.once(gap, gap + 45)),
        (cairo, weekly("Africa/Cairo", 3 * DAY + 23 * 60, 4 * DAY + 30), cairo.once(friday - 60, friday + 30)),
    ):
        assert sign_in(owner).post(at("freeze-new", world), sent).status_code == 302
        row = FreezeWindow.objects.get()
        start, end = map(instant, span)
        for moment, on in ((start - timedelta(minutes=1), False), (start, True), (end - timedelta(minutes=1), True), (end, False)):
            set_clock(moment)
            found = answers(row, end)
            assert set(found.values()) == {on}, (clocks.name, sent, moment, found)
        ics = sign_in(owner).get(at("freeze-feed", world)).content
        assert (start, end) in [(event.start, event.end) for event in Calendar.from_ical(ics).walk("VEVENT")], sent
        row.delete()


def test_a_weekly_window_that_begins_where_it_ends_is_refused_and_one_that_is_stored_is_always_on(here, project, owner, client):
    client.force_login(owner)
    answer = client.post(at("freeze-new", here), weekly("Europe/Paris", 150, 150))
    assert answer.status_code == 400 and "ends at another time than it begins" in unescaped(answer) and not FreezeWindow.objects.exists()
    old = FreezeWindow.objects.create(project=project, name="old", weekly=True, time_zone="Europe/Paris", from_day=2, to_day=2,
                                      from_time=time(12), to_time=time(12))
    gate, = closed(project.pk)
    assert gate.until is None and gate.sentence == "The freeze window old is always on for all stages: it begins where it ends."
    html = unescaped(client.get(at("freezes", here)))
    assert "on now" in html and "always on" in html
    url = at("freeze-edit", here, pk=old.pk)
    assert client.post(url, form_fields(client.get(url).content.decode())).status_code == 400


def test_a_zone_that_this_server_does_not_know_closes_the_gate_and_breaks_no_page(world, owner, sign_in, monkeypatch):
    FreezeWindow.objects.all().delete()
    zone = "Europe/Paris"
    times = {"from_day": 2, "to_day": 3, "from_time": time(12), "to_time": time(13)}
    row = FreezeWindow.objects.create(project=world.project, name="Lost", weekly=True, time_zone=zone, **times)
    FreezeWindow.objects.create(project=world.project, name="Known", time_zone=zone, starts_at=datetime(2096, 1, 1, tzinfo=UTC),
                                ends_at=datetime(2096, 1, 2, tzinfo=UTC))

    def missing(name: str):
        raise local_time.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(local_time, "ZoneInfo", missing)
    gate, = closed(world.project.pk)
    said = f"The freeze window Lost is always on for all stages: this server does not know its time zone {zone}"
    assert gate.sentence.startswith(said) and gate.until is None
    with pytest.raises(Conflict, match="does not know its time zone"):
        promote_stage(actor=SYSTEM, stage=world.dev)
    client = sign_in(owner)
    for name, args in (("board", {}), ("freezes", {}), ("stage", {"stage": "dev"}), ("stage-promote", {"stage": "dev"}),
                       ("rollout-approve", {"number": world.waiting.number}), ("freeze-edit", {"pk": row.pk}), ("freeze-delete", {"pk": row.pk})):
        answer = client.get(at(name, world, **args))
        assert answer.status_code == 200, name
        assert said in unescaped(answer) or name.startswith("freeze"), name
    events = Calendar.from_ical(client.get(at("freeze-feed", world)).content).walk("VEVENT")
    assert len(events) > 25 and all(one.end == two.start for one, two in zip(events, events[1:], strict=False)), "one follows the other"
    game = Door(world.project)
    json = game.client.get("/api/v1/freezes", headers=game.headers).json()
    assert [each["until"] for each in json["closed"]] == [None] and len(json["windows"]) == 2
    root = User.objects.create_superuser("root")
    admin = sign_in(root)
    assert "always on" in unescaped(admin.get(reverse("admin:stages_freezewindow_changelist")))
    assert admin.get(reverse("admin:stages_freezewindow_change", args=[row.pk])).status_code == 200
    assert sign_in(owner).post(at("freeze-delete", world, pk=row.pk), {"reason": "x"}).status_code == 302
    assert closed(world.project.pk) == []


def test_the_approve_form_says_that_a_freeze_is_on_until_when_and_what_follows(world, owner, sign_in):
    client, url = sign_in(owner), at("rollout-approve", world, number=world.waiting.number)
    assert "freeze window" not in unescaped(client.get(url))
    FreezeWindow.objects.create(project=world.project, stage=world.stg, name="Show", weekly=False, time_zone="Asia/Tokyo",
                                starts_at=datetime(2020, 1, 1, tzinfo=UTC), ends_at=datetime(2096, 5, 4, 3, tzinfo=UTC))
    FreezeWindow.objects.create(project=world.project, stage=world.dev, name="Elsewhere", weekly=False, starts_at=datetime(2020, 1, 1, tzinfo=UTC),
                                ends_at=datetime(2096, 5, 4, 3, tzinfo=UTC))
    html = unescaped(client.get(url))
    said = "The freeze window Show is on for stg until Fri 4 May 2096 12:00 Asia/Tokyo."
    assert said in html and "it starts by itself when the freeze or stop above has ended" in html and "Elsewhere" not in html
    Approval.objects.filter(rollout=world.waiting).update(override=True)
    html = unescaped(client.get(url))
    assert said in html and "system chose to override the freeze or stop above" in html
    Approval.objects.filter(rollout=world.waiting).update(override=False)
    html = unescaped(client.get(at("rollout-reject", world, number=world.waiting.number)))
    assert said in html and "starts by itself" not in html
    page = unescaped(client.post(url, fields(client.get(url).content.decode()) | {"reason": "fine"}, follow=True))
    assert f"You approved rollout {world.waiting.number}." in page and said in page
