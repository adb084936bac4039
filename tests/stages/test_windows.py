"""When a freeze window is on: by the clocks of its zone, over the end of the week, and where those clocks change."""
from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import islice

import pytest

from gs2admin.errors import Invalid, NotFound
from gs2admin.identity.actors import SYSTEM
from stages.gates import local_time
from stages.gates.local_time import zone
from stages.gates.services import WindowPlan, save_window
from stages.gates.windows import current, in_words, occurrences, upcoming
from stages.models.governance import FreezeWindow


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def weekly(from_day: int, from_time: str, to_day: int, to_time: str, where: str = "UTC") -> FreezeWindow:
    return FreezeWindow(name="w", weekly=True, time_zone=where, from_day=from_day, to_day=to_day,
                        from_time=time.fromisoformat(from_time), to_time=time.fromisoformat(to_time))


WEEKEND = ("weekend", weekly(4, "17:00", 0, "08:00"))
NIGHT = ("night of Tuesday", weekly(1, "22:00", 2, "06:00"))
LUNCH = ("an hour", weekly(2, "12:00", 2, "13:00"))
ALWAYS = ("the whole week", weekly(2, "12:00", 2, "12:00"))
TOKYO = ("Monday in Tokyo", weekly(0, "00:00", 1, "00:00", "Asia/Tokyo"))


@pytest.mark.parametrize("case, moment, on", [
    (WEEKEND, "2026-11-27 16:59:59", False), (WEEKEND, "2026-11-27 17:00", True), (WEEKEND, "2026-11-29 12:00", True),
    (WEEKEND, "2026-11-30 07:59:59", True), (WEEKEND, "2026-11-30 08:00", False), (WEEKEND, "2026-12-02 12:00", False),
    (NIGHT, "2026-11-24 23:00", True), (NIGHT, "2026-11-25 05:59", True), (NIGHT, "2026-11-25 06:00", False),
    (LUNCH, "2026-11-25 12:30", True), (LUNCH, "2026-11-26 12:30", False),
    (ALWAYS, "2026-11-25 11:59", True), (ALWAYS, "2026-11-25 12:00", True), (ALWAYS, "2026-11-28 00:00", True),
    (TOKYO, "2026-11-22 14:59", False), (TOKYO, "2026-11-22 15:00", True), (TOKYO, "2026-11-23 15:00", False),
], ids=lambda value: value[0] if isinstance(value, tuple) else str(value))
def test_a_weekly_window(case, moment, on):
    assert bool(current(case[1], utc(moment))) is on


def test_every_minute_of_three_weeks_agrees_with_a_plain_reading_of_the_wall_clock():
    window, here = weekly(4, "17:00", 0, "08:00", "Europe/London"), zone("Europe/London")
    at, wrong = utc("2026-10-15 00:00"), []  # the clocks go back on the 25th
    while at < utc("2026-11-05 00:00"):
        local = at.astimezone(here)
        minute = local.weekday() * 1440 + local.hour * 60 + local.minute
        expected = minute >= 4 * 1440 + 17 * 60 or minute < 8 * 60
        if bool(current(window, at)) != expected:
            wrong.append(at)
        at += timedelta(minutes=17)
    assert wrong == []


def test_hours_stay_the_same_by_the_wall_when_the_clocks_change():
    london = weekly(4, "17:00", 0, "08:00", "Europe/London")
    found = list(islice(occurrences(london, utc("2026-03-20 00:00")), 3))
    assert [start for start, _ in found] == [utc("2026-03-20 17:00"), utc("2026-03-27 17:00"), utc("2026-04-03 16:00")]
    assert [end for _, end in found] == [utc("2026-03-23 08:00"), utc("2026-03-30 07:00"), utc("2026-04-06 07:00")]


def test_an_hour_that_the_clocks_leave_out_is_taken_from_the_hour_before():
    found = upcoming(weekly(6, "01:00", 6, "02:00", "Europe/London"), utc("2026-03-28 00:00"))
    assert found == (utc("2026-03-29 00:00"), utc("2026-03-29 01:00"))


def test_occurrences_come_in_order_and_none_is_left_out():
    found = list(islice(occurrences(WEEKEND[1], utc("2026-01-01 00:00")), 200))
    assert all(later[0] - earlier[0] == timedelta(days=7) for earlier, later in zip(found, found[1:], strict=False))
    assert all(end - start == timedelta(days=2, hours=15) for start, end in found)


def test_a_window_that_happens_once():
    window = FreezeWindow(name="launch", starts_at=utc("2026-12-01 10:00"), ends_at=utc("2026-12-02 10:00"))
    assert not current(window, utc("2026-12-01 09:59")) and upcoming(window, utc("2026-12-01 09:59"))
    assert current(window, utc("2026-12-01 10:00")) and not current(window, utc("2026-12-02 10:00"))
    assert upcoming(window, utc("2026-12-02 10:00")) is None


def test_words():
    assert in_words(weekly(4, "17:00", 0, "08:00", "Europe/London")) == (
        "Every week from Friday 17:00 to Monday 08:00, Europe/London")
    assert in_words(weekly(5, "00:00", 6, "00:00")) == "Every week from Saturday 00:00 to Sunday 00:00, UTC"
    once = FreezeWindow(name="x", time_zone="Asia/Tokyo", starts_at=utc("2026-12-01 00:00"), ends_at=utc("2026-12-01 03:00"))
    assert in_words(once) == "From Tue 1 Dec 2026 09:00 to Tue 1 Dec 2026 12:00, Asia/Tokyo"


@pytest.mark.parametrize("name", ["", "Mars/Olympus", "../../etc/passwd", "Europe", "UTC\x00", "/etc/localtime"])
def test_what_is_no_time_zone_is_refused_in_a_sentence(name):
    with pytest.raises(ValueError, match="is no time zone"):
        zone(name)


def test_a_name_that_is_a_folder_of_the_servers_zones_is_no_time_zone(monkeypatch):
    def folder(name: str):
        raise IsADirectoryError(name)

    monkeypatch.setattr(local_time, "ZoneInfo", folder)
    with pytest.raises(ValueError, match="is no time zone"):
        zone("Europe")


@pytest.mark.django_db
@pytest.mark.parametrize(("zone_name", "starts", "ends", "field"), [
    ("America/New_York", (2026, 1, 1), (9999, 12, 31, 23, 59), "ends_at"), ("Asia/Tokyo", (1, 1, 1), (2027, 1, 1), "starts_at"),
])
def test_moments_that_other_time_zones_cannot_hold_are_refused(project, zone_name, starts, ends, field):
    plan = WindowPlan("for ever", time_zone=zone_name, starts_at=datetime(*starts, tzinfo=zone(zone_name)),
                      ends_at=datetime(*ends, tzinfo=zone(zone_name)))
    with pytest.raises(Invalid, match="in the years 1971 to 9998") as refusal:
        save_window(actor=SYSTEM, project=project, plan=plan)
    assert refusal.value.extra["field"] == field and not FreezeWindow.objects.exists()


@pytest.mark.django_db
def test_a_window_of_another_project_is_not_changed_by_a_right_in_this_one(project, other_project):
    plan = WindowPlan("theirs", starts_at=datetime(2096, 1, 1, tzinfo=UTC), ends_at=datetime(2096, 1, 2, tzinfo=UTC))
    theirs = save_window(actor=SYSTEM, project=other_project, plan=plan)
    with pytest.raises(NotFound):
        save_window(actor=SYSTEM, project=project, plan=plan, window=theirs)
