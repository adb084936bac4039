"""Freeze windows in the hours in which clocks change, through every door: what is written, kept, told, held back and shown."""
from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace
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
from stages.gates.services import WindowPlan, save_window
from stages.models import Stage
from stages.models.governance import Approval, AutoPromotion, FreezeWindow
from stages.rollouts.services import promote_stage
from stages.setup.stages import create_stage, delete_stage
from tests.pages.test_moves import at, fields
from tests.stages.test_gates import Door
from tests.stages.window_oracle import DAY, Clocks, instant, minute, typed

pytestmark = pytest.mark.django_db
# Who asks what time it is for windows.
CLOCKS = ("stages.gates.reads", "stages.pages.views.gates", "stages.api.own.gates", "stages.admin.governance")
COLUMNS = ("weekly", "time_zone", "starts_at", "ends_at", "from_day", "from_time", "to_day", "to_time", "stage_id", "holds_rollbacks")


@pytest.fixture
def set_clock(monkeypatch):
    """set_clock(at): for windows it is that time; sessions and tokens go on."""
    def act(moment: datetime) -> None:
        for name in CLOCKS:
            monkeypatch.setattr(f"{name}.clock", SimpleNamespace(now=lambda: moment))

    return act


@pytest.fixture
def here(project):
    return SimpleNamespace(project=project)


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


@pytest.mark.parametrize(("sent", "span", "said"), [
    (once("Europe/Paris", "2027-03-28T02:30", "2027-03-28T03:15"), ("2027-03-28 00:30", "2027-03-28 01:15"), ["does not exist"]),
    (once("Europe/Paris", "2027-03-28T02:30", "2027-03-28T02:45"), ("2027-03-28 00:30", "2027-03-28 01:45"), ["does not exist"] * 2),
    (once("Europe/Paris", "2027-10-31T02:30", "2027-10-31T02:30"), ("2027-10-31 00:30", "2027-10-31 01:30"), ["comes twice"] * 2),
    (once("Europe/Paris", "2027-10-31T01:30", "2027-10-31T03:30"), ("2027-10-30 23:30", "2027-10-31 02:30"), []),
    (once("Australia/Lord_Howe", "2027-10-03T02:15", "2027-10-03T03:00"), ("2027-10-02 15:15", "2027-10-02 16:00"), ["does not exist"]),
    (once("Pacific/Apia", "2011-12-30T09:00", "2011-12-30T10:00"), ("2011-12-29 19:00", "2011-12-30 20:00"), ["does not exist"] * 2),
    (once("America/Sao_Paulo", "2018-11-04T00:00", "2018-11-05T00:00"), ("2018-11-04 02:00", "2018-11-05 02:00"), ["does not exist"]),
    (once("Asia/Kathmandu", "1986-01-01T00:10", "1986-01-01T01:00"), ("1985-12-31 18:25", "1985-12-31 19:15"), ["does not exist"]),
], ids=lambda value: value["time_zone"] + value["starts"] if isinstance(value, dict) else "")
def test_a_person_is_told_and_the_longer_freeze_is_stored(sent, span, said, here, owner, client):
    client.force_login(owner)
    html = unescaped(client.post(at("freeze-new", here), sent, follow=True))
    row = FreezeWindow.objects.get()
    assert [f"{each:%Y-%m-%d %H:%M}" for each in (row.starts_at, row.ends_at)] == list(span)
    assert re.findall("does not exist|comes twice", html) == said


def test_a_weekly_window_in_such_an_hour_is_told_when_it_is_saved_and_in_the_list(here, owner, client, set_clock):
    set_clock(datetime(2027, 1, 1, tzinfo=UTC))
    client.force_login(owner)
    html = unescaped(client.post(at("freeze-new", here), weekly("Europe/Paris", 6 * DAY + 150, 6 * DAY + 195), follow=True))
    assert html.count("Sun 28 Mar 2027 02:30 does not exist in Europe/Paris") == 2 and html.count("Sun 31 Oct 2027 02:30 comes twice") == 1
    assert "it begins at Sun 28 Mar 2027 01:30 (00:30 UTC)" in html


def test_what_nobody_touched_stays_to_the_microsecond(here, project, owner, client):
    client.force_login(owner)
    stage = create_stage(actor=SYSTEM, project=project, name="dev")
    odd = {"seconds": 1, "microseconds": 7}
    first = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    plans = [
        *(WindowPlan(f"twice {hours}", stage, time_zone="Europe/Paris", starts_at=first + timedelta(hours=hours),
                     ends_at=first + timedelta(hours=hours, minutes=10)) for hours in (0, 1)),
        WindowPlan("ends at the first", time_zone="Europe/Paris", starts_at=first - timedelta(hours=9), ends_at=first),
        WindowPlan("odd", time_zone="Asia/Kathmandu", starts_at=first + timedelta(**odd), ends_at=first + timedelta(days=1, **odd)),
        WindowPlan("after the gap", time_zone="America/New_York", starts_at=datetime(2027, 3, 14, 6, 30, tzinfo=UTC),
                   ends_at=datetime(2027, 3, 14, 7, tzinfo=UTC)),
        WindowPlan("weekly", time_zone="Europe/Paris", weekly=True, from_day=6, from_time=time(2, 30, 15, 9), to_day=0, to_time=time(0, 0, 30)),
        WindowPlan("rollbacks", holds_rollbacks=True, starts_at=datetime(1971, 1, 1, tzinfo=UTC), ends_at=datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ]
    for plan in plans:
        row = save_window(actor=SYSTEM, project=project, plan=plan)
        url = at("freeze-edit", here, pk=row.pk)
        sent = form_fields(client.get(url).content.decode())
        assert client.post(url, sent).status_code == 302, plan.name
        same = FreezeWindow.objects.get(pk=row.pk)
        assert {name: getattr(same, name) for name in COLUMNS} == {name: getattr(row, name) for name in COLUMNS}, plan.name
        assert (same.revision, same.updated_at) == (0, row.updated_at), "nothing has changed"
        assert client.post(url, sent | {"name": f"{plan.name} anew"}).status_code == 302
        same = FreezeWindow.objects.get(pk=row.pk)
        assert [getattr(same, name) for name in COLUMNS] == [getattr(row, name) for name in COLUMNS] and same.revision == 1, plan.name


def test_another_zone_moves_what_is_shown_and_one_touched_time_moves_alone(here, project, owner, client):
    client.force_login(owner)
    first = datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    plan = WindowPlan("x", time_zone="Europe/Paris", starts_at=first, ends_at=first + timedelta(minutes=30, seconds=5))
    row = save_window(actor=SYSTEM, project=project, plan=plan)
    url = at("freeze-edit", here, pk=row.pk)
    sent = form_fields(client.get(url).content.decode())
    assert (sent["starts"], sent["ends"]) == ("2027-10-31T02:30", "2027-10-31T02:00"), "02:00 is the second one here"
    client.post(url, sent | {"starts": "2027-10-31T02:15"})
    row.refresh_from_db()
    assert (row.starts_at, row.ends_at) == (datetime(2027, 10, 31, 0, 15, tzinfo=UTC), plan.ends_at)
    client.post(url, form_fields(client.get(url).content.decode()) | {"time_zone": "Asia/Tokyo", "ends": "2027-10-31T03:00"})
    row.refresh_from_db()
    assert (row.starts_at, row.ends_at) == (datetime(2027, 10, 30, 17, 15, tzinfo=UTC), datetime(2027, 10, 30, 18, tzinfo=UTC))


def test_a_window_of_a_deleted_stage_or_an_unknown_zone_is_not_moved_by_a_form_that_cannot_show_it(here, project, owner, client):
    client.force_login(owner)
    stage = create_stage(actor=SYSTEM, project=project, name="dev")
    times = {"starts_at": datetime(2027, 1, 1, tzinfo=UTC), "ends_at": datetime(2027, 1, 2, tzinfo=UTC)}
    gone = save_window(actor=SYSTEM, project=project, plan=WindowPlan("gone", stage, **times))
    delete_stage(actor=SYSTEM, stage=stage)
    create_stage(actor=SYSTEM, project=project, name="dev")
    lost = save_window(actor=SYSTEM, project=project, plan=WindowPlan("lost", **times))
    FreezeWindow.objects.filter(pk=lost.pk).update(time_zone="Mars/Olympus")
    for row, said in ((gone, "There is no stage dev."), (lost, "is no time zone that this server knows")):
        url = at("freeze-edit", here, pk=row.pk)
        answer = client.post(url, form_fields(client.get(url).content.decode()) | {"name": "other"})
        assert answer.status_code == 400 and said in unescaped(answer)
        assert FreezeWindow.objects.get(pk=row.pk).name == row.name
        assert client.post(url, form_fields(client.get(url).content.decode()) | {"stage": "dev", "time_zone": "UTC"}).status_code == 302


ODD = [
    *({"starts": text, "ends": "2027-01-02T00:00"} for text in (
        "0001-01-01T00:00", "1969-12-31T23:59", "1970-12-31T23:59", "9999-12-31T23:59", "10000-01-01T00:00", "2027-02-29T00:00", "2027-01-01",
        "2027-01-01T24:00", "2027-01-01T00:60", "٢٠٢٧-01-01T00:00", "2027-01-01T00:00+02:00", "2027-01-01T00:00Z", "now", "\x00", "-1", "")),
    *({"ends": text, "starts": "2027-01-01T00:00"} for text in ("0001-01-01T00:00", "9998-12-31T23:59", "9999-12-31T23:59:59", "2027-01-01T00:00")),
    *({"weekly": "1", "from_day": day, "from_time": "10:00", "to_day": "2", "to_time": "11:00"} for day in ("", "7", "-1", "x", "1e3", "²")),
    *({"weekly": "1", "from_day": "1", "from_time": text, "to_day": "2", "to_time": "11:00"} for text in ("", "24:00", "10", "10:00:60", "x", "\x00")),
    {"weekly": "1"}, {"weekly": "2", "starts": "2027-01-01T00:00", "ends": "2027-01-02T00:00"}, {}, {"starts": "2027-01-01T00:00"},
]


def test_whatever_is_sent_is_saved_or_refused_in_a_sentence(here, owner, client):
    client.force_login(owner)
    ends = [each for each in ODD if "0001" in str(each) or "999" in str(each)]
    cases = [*(("Europe/Paris", each) for each in ODD), *((zone, each) for zone in ("Pacific/Kiritimati", "Etc/GMT+12") for each in ends)]
    fine = {"starts": "2027-01-01T00:00", "ends": "2027-01-02T00:00"}
    cases += [(zone, fine) for zone in ("Europe", "right/UTC", "", "Mars/Olympus", "x" * 300, "\x00", "europe/paris")]
    for zone, each in cases:
        answer = client.post(at("freeze-new", here), {"name": "x", "time_zone": zone, **each})
        assert answer.status_code in (302, 400), (zone, each, answer.status_code)
        assert answer.status_code == 302 or 'class="gs-error"' in answer.content.decode(), (zone, each)
    rows = list(FreezeWindow.objects.all())
    assert rows and not any(row.weekly for row in rows), "each weekly one lacks something"
    assert {row.time_zone for row in rows} <= {"Europe/Paris", "Pacific/Kiritimati", "Etc/GMT+12"}
    assert all(client.get(at("freeze-edit", here, pk=row.pk)).status_code == 200 for row in rows)


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


@pytest.mark.parametrize("how", ["unknown", "no data"])
def test_a_zone_that_this_server_does_not_know_closes_the_gate_and_breaks_no_page(how, world, owner, sign_in, monkeypatch):
    FreezeWindow.objects.all().delete()
    zone = "Europe/Paris" if how == "no data" else "Mars/Olympus"
    times = {"from_day": 2, "to_day": 3, "from_time": time(12), "to_time": time(13)}
    row = FreezeWindow.objects.create(project=world.project, name="Lost", weekly=True, time_zone=zone, **times)
    FreezeWindow.objects.create(project=world.project, name="Known", time_zone=zone, starts_at=datetime(2096, 1, 1, tzinfo=UTC),
                                ends_at=datetime(2096, 1, 2, tzinfo=UTC))
    if how == "no data":
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
    assert said in html and "it starts by itself when what is said above is over" in html and "Elsewhere" not in html
    Approval.objects.filter(rollout=world.waiting).update(override=True)
    html = unescaped(client.get(url))
    assert said in html and "so it does not wait for that" in html
    Approval.objects.filter(rollout=world.waiting).update(override=False)
    html = unescaped(client.get(at("rollout-reject", world, number=world.waiting.number)))
    assert said in html and "starts by itself" not in html
    page = unescaped(client.post(url, fields(client.get(url).content.decode()) | {"reason": "fine"}, follow=True))
    assert f"You approved rollout {world.waiting.number}." in page and said in page
