"""The calendar of freeze windows as another program reads it: icalendar, which knows nothing of ours."""
from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta
from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from icalendar import Calendar

from gs2admin.db import clock
from gs2admin.identity.actors import SYSTEM
from stages.gates import calendar
from stages.gates.services import WindowPlan, remove_window, save_window
from stages.models.governance import FreezeWindow
from stages.setup.stages import create_stage, update_stage
from tests.pages.test_moves import at
from tests.stages.window_oracle import DAY, Clocks, instant, minute

pytestmark = pytest.mark.django_db
NAMES = ["Launch, day; one\\two", "ü" * 60, "竜の剣 " * 14, "🎮🗡️" * 9, 'He said "no"', "a:b=c^n", "\\n;\\,", "x" * 128, "END:VEVENT", "é" * 37 + "x"]
CONTENT_LINE = re.compile(rb"[A-Z-]+(;[A-Z-]+=[^\x00-\x1f\x7f:;\"]+)*:[^\x00-\x08\x0a-\x1f\x7f]*")


@pytest.fixture
def feed(project, viewer):
    """feed(): the events of the calendar, strictly parsed, by UID; feed.raw is the answer."""
    def read() -> dict[str, object]:
        address = f"{at('freeze-feed', SimpleNamespace(project=project))}?key={calendar.key_for(project, str(viewer.pk))}"
        read.raw = Client().get(address)
        found = Calendar.from_ical(read.raw.content)
        assert found.errors == [] and found["VERSION"] == "2.0" and "METHOD" not in found, "else DTSTAMP would be the time of the answer"
        events = found.walk("VEVENT")
        assert not any(event.errors for event in events)
        read.address = address
        assert len({event["UID"] for event in events}) == len(events), "each has a name of its own"
        return {str(event["UID"]): event for event in events}

    return read


def test_each_line_is_of_the_grammar_and_each_text_comes_back_as_it_was_written(project, feed):
    stage = create_stage(actor=SYSTEM, project=project, name="stg")
    now = clock.now()
    for name in NAMES:
        save_window(actor=SYSTEM, project=project, plan=WindowPlan(
            name, stage, starts_at=now, ends_at=now + timedelta(hours=1), holds_rollbacks=True))
    events = feed()
    raw = feed.raw.content
    assert feed.raw.headers["Content-Type"] == "text/calendar; charset=utf-8" and raw.endswith(b"END:VCALENDAR\r\n")
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) == 75 and b"\r" not in raw.replace(b"\r\n", b"") and b"\n" not in raw.replace(b"\r\n", b"")
    for line in lines[:-1]:
        line.decode(), "no character is split"
    whole = raw.replace(b"\r\n ", b"").split(b"\r\n")[:-1]
    assert [line for line in whole if not CONTENT_LINE.fullmatch(line)] == []
    assert [str(event["SUMMARY"]) for event in events.values()] == [f"{name.strip()}: no rollout on stg" for name in NAMES]
    assert all(str(event["DESCRIPTION"]).endswith("UTC. Rollbacks are blocked too.") for event in events.values())


def test_head_is_answered_as_get_without_the_body(project, feed, viewer):
    save_window(actor=SYSTEM, project=project, plan=WindowPlan("x", starts_at=clock.now(), ends_at=clock.now() + timedelta(hours=1)))
    feed()
    head = Client().head(feed.address)
    assert head.status_code == 200 and head.content == b""
    assert {**head.headers, "X-Request-ID": ""} == {**feed.raw.headers, "X-Request-ID": ""}
    assert int(head.headers["Content-Length"]) == len(feed.raw.content)
    assert Client().head(feed.address + "x").status_code == 404
    member = Client()
    member.force_login(viewer)
    assert member.head(feed.address.split("?")[0]).status_code == 200


def test_what_changes_with_the_row_and_what_stays(project, feed):
    early = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    soon = clock.now() + timedelta(days=2)
    once = WindowPlan("Launch", starts_at=soon, ends_at=soon + timedelta(hours=1))
    nights = WindowPlan("Nights", weekly=True, from_day=1, from_time=time(22), to_day=2, to_time=time(6), time_zone="Europe/Paris")
    rows = [save_window(actor=SYSTEM, project=project, plan=plan) for plan in (once, nights)]
    FreezeWindow.objects.update(created_at=early, updated_at=early)
    before = feed()
    assert all(event.DTSTAMP == event.LAST_MODIFIED == event["CREATED"].dt == early and event["SEQUENCE"] == 0 for event in before.values())
    again = feed.raw.content
    feed()
    assert feed.raw.content == again, "the same bytes as long as nothing changes"
    for plan, row in zip((once, nights), rows, strict=True):
        save_window(actor=SYSTEM, project=project, plan=plan, window=row)
    feed()
    assert feed.raw.content == again, "who saves a window as it is changes nothing"
    changed = [
        WindowPlan("Launch", starts_at=soon + timedelta(hours=3), ends_at=soon + timedelta(hours=5)),
        WindowPlan("Nights", weekly=True, from_day=1, from_time=time(20), to_day=2, to_time=time(7), time_zone="Europe/Paris"),
    ]
    for plan, row in zip(changed, rows, strict=True):
        save_window(actor=SYSTEM, project=project, plan=plan, window=row)
    after = feed()
    assert set(after) == set(before), "an event keeps its name when its hours move"
    for uid, event in after.items():
        assert event.DTSTAMP == event.LAST_MODIFIED > early and event["CREATED"].dt == early and event["SEQUENCE"] == 1
        assert event.start != before[uid].start
    save_window(actor=SYSTEM, project=project, plan=WindowPlan("Launch!", starts_at=changed[0].starts_at, ends_at=changed[0].ends_at), window=rows[0])
    third = feed()
    assert [event["SEQUENCE"] for uid, event in third.items() if uid.startswith(f"freeze-{rows[0].pk}@")] == [2]
    assert {event["SEQUENCE"] for uid, event in third.items() if uid.startswith(f"freeze-{rows[1].pk}-")} == {1}
    stage = create_stage(actor=SYSTEM, project=project, name="stg")
    row = save_window(actor=SYSTEM, project=project, plan=WindowPlan("x", stage, starts_at=soon, ends_at=soon + timedelta(hours=1)))
    update_stage(actor=SYSTEM, stage=stage, name="staging")
    event = feed()[f"freeze-{row.pk}@{project.pk}.gs2admin"]
    assert event["SUMMARY"] == "x: no rollout on staging" and event["SEQUENCE"] == 1, "what is read of it has changed"
    remove_window(actor=SYSTEM, window=row)
    remove_window(actor=SYSTEM, window=rows[1])
    assert list(feed()) == [f"freeze-{rows[0].pk}@{project.pk}.gs2admin"]


@pytest.mark.parametrize(("zone", "begins", "ends", "day"), [
    ("Europe/Paris", 6 * DAY + 150, 6 * DAY + 195, datetime(2027, 1, 20)), ("Australia/Lord_Howe", 6 * DAY + 100, 6 * DAY + 130, datetime(2027, 3, 1)),
    ("Africa/Cairo", 3 * DAY + 1380, 4 * DAY + 30, datetime(2027, 3, 20)), ("Africa/Casablanca", 5 * DAY, 0, datetime(2027, 1, 1)),
    ("Pacific/Apia", 4 * DAY, 5 * DAY, datetime(2011, 10, 20)), ("Asia/Kolkata", 6 * DAY + 1410, 30, datetime(2027, 1, 1)),
])
def test_weeks_go_on_over_every_change_of_the_clocks(zone, begins, ends, day, project, feed, monkeypatch):
    now = day.replace(tzinfo=UTC)
    monkeypatch.setattr("stages.pages.views.gates.clock", SimpleNamespace(now=lambda: now))
    sides = {"from_day": begins // DAY, "from_time": time(begins % DAY // 60, begins % 60), "to_day": ends // DAY, "to_time": time(ends % DAY // 60, ends % 60)}
    save_window(actor=SYSTEM, project=project, plan=WindowPlan("w", time_zone=zone, weekly=True, **sides))
    events = sorted((event.start, event.end) for event in feed().values())
    clocks = Clocks(zone, day - calendar.BACK, (calendar.BACK + calendar.AHEAD).days)
    first, last = minute(now - calendar.BACK), minute(now + calendar.AHEAD)
    wanted = [(instant(start), instant(end)) for start, end in clocks.weekly(begins, ends) if end > first and start < last]
    assert events == wanted and len(events) in (30, 31), "one in each week"
    offsets = {start.astimezone(ZoneInfo(zone)).utcoffset() for start, _ in events}
    assert (len(offsets) > 1) == (zone != "Asia/Kolkata")


def test_a_window_of_less_than_a_second_still_has_a_length(project, feed):
    now = clock.now().replace(microsecond=100)
    save_window(actor=SYSTEM, project=project, plan=WindowPlan("x", starts_at=now, ends_at=now + timedelta(microseconds=500)))
    event, = feed().values()
    assert event.end - event.start == timedelta(seconds=1)
