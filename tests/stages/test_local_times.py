"""Windows in the hours in which clocks change, in every way in which clocks have changed, judged by an oracle of its own."""
from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import takewhile

import pytest

from stages.gates import local_time
from stages.gates.local_time import instant, moment, on_clocks, read, told, zone, zone_names
from stages.gates.windows import current, in_words, occurrences, odd_weeks, until, upcoming, why_always
from stages.models.governance import FreezeWindow
from tests.stages.window_oracle import DAY, EPOCH, WEEKLY, Clocks, around, joined, minute, of_week
from tests.stages.window_oracle import instant as at_minute

SPAN = 14
# Zone, and a day in the two weeks before a change: forward and back; by an hour, half an hour, two hours, 15 minutes and a day; at
# night, at midnight, a minute after midnight, on a Friday and for Ramadan; and zones without a change.
CASES = [
    ("Europe/Paris", "2027-03-20"), ("Europe/Paris", "2027-10-25"), ("America/New_York", "2027-03-08"), ("America/New_York", "2027-11-01"),
    ("Australia/Lord_Howe", "2027-03-29"), ("Australia/Lord_Howe", "2027-09-27"), ("Asia/Kolkata", "2027-03-20"),
    ("Asia/Kathmandu", "1985-12-25"), ("Pacific/Chatham", "2027-03-29"), ("Pacific/Chatham", "2027-09-20"), ("Africa/Casablanca", "2027-02-01"),
    ("Africa/Casablanca", "2027-03-08"), ("America/St_Johns", "2006-03-27"), ("America/St_Johns", "2006-10-23"), ("Pacific/Apia", "2011-12-25"),
    ("Antarctica/Troll", "2027-03-20"), ("Antarctica/Troll", "2027-10-25"), ("America/Sao_Paulo", "2018-02-12"), ("America/Sao_Paulo", "2018-10-29"),
    ("Asia/Beirut", "2027-03-22"), ("Asia/Beirut", "2027-10-25"), ("Africa/Cairo", "2027-04-26"), ("Africa/Cairo", "2027-10-25"),
    ("Asia/Tehran", "2021-03-15"), ("Pacific/Kwajalein", "1993-08-16"), ("Etc/GMT+12", "2027-01-01"),
]


@pytest.fixture(scope="module")
def clocks() -> list[Clocks]:
    found = [Clocks(name, datetime.fromisoformat(day), SPAN) for name, day in CASES]
    assert sum(bool(one.changes(SPAN)) for one in found) == len(CASES) - 2
    return found


def weekly(name: str, begins: int, ends: int) -> FreezeWindow:
    def clock(number: int) -> time:
        return time(number % DAY // 60, number % 60)

    return FreezeWindow(name="w", weekly=True, time_zone=name, from_day=begins // DAY, from_time=clock(begins), to_day=ends // DAY,
                        to_time=clock(ends))


def test_a_local_time_is_read_as_the_clocks_show_it_and_a_person_is_told_when_they_do_not_or_twice(clocks):
    odd, wrong = 0, []
    for one in clocks:
        here = zone(one.name)
        for change in one.changes(SPAN) or [one.first + DAY]:
            shown = minute(at_minute(change).astimezone(here))
            for local in range(shown - 30 * 60, shown + 30 * 60, 5):
                typed = EPOCH + timedelta(minutes=local)
                first, last = (minute(instant(typed, here, begins=begins)) for begins in (True, False))
                sentences = [told(typed, one.name, begins=begins) for begins in (True, False)]
                odd += one.odd(local)
                if (first, last) != one.readings(local) or any(bool(each) != one.odd(local) for each in sentences):
                    wrong.append((one.name, typed, first, last, one.readings(local), sentences))
    assert wrong[:3] == [] and odd > 700


def test_every_weekly_window_happens_in_every_week_for_as_long_as_the_longer_reading(clocks):
    wrong, asked = [], 0
    for one in clocks:
        first, last = one.first, one.first + SPAN * DAY
        shapes = {of_week(*pair) for pair in around(one, SPAN)}
        for begins, ends in sorted(shapes | set(WEEKLY)):
            window = weekly(one.name, begins, ends)
            raw = list(takewhile(lambda found, end=last: minute(found.start) < end, occurrences(window, at_minute(first))))
            found = joined(raw)
            if any(later.start < earlier.end for earlier, later in zip(raw, raw[1:], strict=False)):
                wrong.append((one.name, begins, ends, "weeks overlap", raw))
            wanted = [span for span in one.weekly(begins, ends) if span[1] > first and span[0] < last]
            if found != wanted:
                wrong.append((one.name, begins, ends, found, wanted))
            for start, end in wanted:
                asked += 1
                on = [bool(current(window, at_minute(at))) for at in (start - 1, start, end - 1, end)]
                if on != [False, True, True, False] or until(window, at_minute(start)) != at_minute(end):
                    wrong.append((one.name, begins, ends, start, end, on))
    assert wrong[:3] == [] and asked > 2000


def test_an_aware_moment_stays_the_instant_that_it_is_but_for_one_that_does_not_exist():
    paris = zone("Europe/Paris")
    for fold, hour in ((0, 0), (1, 1)):
        twice = datetime(2027, 10, 31, 2, 30, tzinfo=paris, fold=fold)
        assert {instant(twice, UTC, begins=begins) for begins in (True, False)} == {datetime(2027, 10, 31, hour, 30, tzinfo=UTC)}
        missing = datetime(2027, 3, 28, 2, 30, tzinfo=paris, fold=fold)
        assert instant(missing, UTC, begins=True) == datetime(2027, 3, 28, 0, 30, tzinfo=UTC)
        assert instant(missing, UTC, begins=False) == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)
    assert instant(datetime(2027, 3, 28, 2, 30, tzinfo=UTC), paris, begins=True) == datetime(2027, 3, 28, 2, 30, tzinfo=UTC)


def test_what_people_read_says_which_of_two_times_with_one_name_is_meant():
    lord_howe = zone("Australia/Lord_Howe")
    first, second = (moment(datetime(2027, 4, 3, hour, 45, tzinfo=UTC), lord_howe) for hour in (14, 15))
    assert (first, second) == ("Sun 4 Apr 2027 01:45 (UTC+11:00)", "Sun 4 Apr 2027 02:15")
    assert moment(datetime(2027, 4, 3, 15, 15, tzinfo=UTC), lord_howe) == "Sun 4 Apr 2027 01:45 (UTC+10:30)"
    assert moment(datetime(2027, 11, 7, 5, 0, tzinfo=UTC), zone("America/New_York")) == "Sun 7 Nov 2027 01:00 (UTC-04:00)"
    window = FreezeWindow(name="x", time_zone="Europe/Paris", starts_at=datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
                          ends_at=datetime(2027, 10, 31, 1, 30, tzinfo=UTC))
    assert in_words(window) == ("From Sun 31 Oct 2027 02:30 (UTC+02:00) to Sun 31 Oct 2027 02:30 (UTC+01:00), Europe/Paris")


def test_what_is_told():
    at = datetime(2027, 3, 28, 2, 30)
    assert told(at, "Europe/Paris", begins=True) == (
        "Sun 28 Mar 2027 02:30 does not exist in Europe/Paris, because the clocks are put forward over it. So that the freeze is not "
        "shorter than meant, it begins at Sun 28 Mar 2027 01:30 (00:30 UTC).")
    assert "it ends at Sun 28 Mar 2027 03:30 (01:30 UTC)." in told(at, "Europe/Paris", begins=False)
    at = datetime(2027, 10, 31, 2, 30)
    assert "comes twice" in told(at, "Europe/Paris", begins=True) and "at the first one (00:30 UTC)." in told(at, "Europe/Paris", begins=True)
    assert "at the second one (01:30 UTC)." in told(at, "Europe/Paris", begins=False)
    assert told(at, "UTC", begins=True) == ""


def test_a_weekly_window_tells_of_its_odd_weeks_of_the_year_to_come():
    window, at = weekly("Europe/Paris", 6 * DAY + 150, 6 * DAY + 240), datetime(2027, 1, 1, tzinfo=UTC)
    spring, autumn = odd_weeks(window, at)
    assert spring.startswith("Sun 28 Mar 2027 02:30 does not exist") and autumn.startswith("Sun 31 Oct 2027 02:30 comes twice")
    assert list(odd_weeks(weekly("Europe/Paris", 5 * DAY, 5 * DAY + 60), at)) == []
    once = FreezeWindow(name="x", time_zone="Europe/Paris", starts_at=at, ends_at=at + timedelta(days=1))
    assert list(odd_weeks(once, at)) == []


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "right/UTC", "posix/Europe/Paris", "localtime", "posixrules", "Factory"])
def test_a_window_whose_zone_is_not_known_is_on_and_says_why(name):
    at = datetime(2027, 3, 30, 12, tzinfo=UTC)
    window = weekly(name, 0, 30)
    assert current(window, at) and current(window, at + timedelta(days=3)) and until(window, at) is None
    assert "does not know" in why_always(window) and "does not know" in in_words(window) and list(odd_weeks(window, at)) == []
    once = FreezeWindow(name="x", time_zone=name, starts_at=at, ends_at=at + timedelta(hours=1))
    assert until(once, at) == at + timedelta(hours=1) and upcoming(once, at + timedelta(hours=1)) is None
    assert in_words(once).startswith("From Tue 30 Mar 2027 12:00 to Tue 30 Mar 2027 13:00, UTC, set in")


def test_a_window_that_begins_where_it_ends_is_always_on():
    whole, at = weekly("Europe/Paris", 150, 150), datetime(2027, 3, 30, 12, tzinfo=UTC)
    assert all(current(whole, at + timedelta(hours=hours)) for hours in range(0, 200, 7))
    assert until(whole, at) is None and why_always(whole) == "it begins where it ends"


def test_a_freeze_whose_gap_the_clocks_leave_out_ends_a_week_later():
    window = weekly("Europe/Paris", 6 * DAY + 180, 6 * DAY + 150)  # all but Sunday 02:30 to 03:00
    assert until(window, datetime(2027, 3, 26, tzinfo=UTC)) == datetime(2027, 4, 4, 0, 30, tzinfo=UTC)
    assert until(window, datetime(2027, 3, 20, tzinfo=UTC)) == datetime(2027, 3, 21, 1, 30, tzinfo=UTC)


def test_the_first_and_the_last_years_end_no_question_with_an_error():
    for at in (datetime(1, 1, 1, tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)):
        for name in ("Pacific/Kiritimati", "Etc/GMT+12", "UTC"):
            window = weekly(name, 0, 30)
            upcoming(window, at), until(window, at), current(window, at), moment(at, zone(name)), on_clocks(at, zone(name))
            once = FreezeWindow(name="x", time_zone=name, starts_at=at, ends_at=at)
            assert in_words(once) and upcoming(once, at) is None
    with pytest.raises(OverflowError):
        read(datetime(9999, 12, 31, 23, 59), zone("Etc/GMT+12"))


def test_the_zones_that_people_choose_are_known_and_the_same_on_every_host():
    names = zone_names()
    assert names[0] == "UTC" and len(names) == len(set(names)) > 400 and {"Europe/Paris", "Asia/Kathmandu"} <= set(names)
    assert not {"localtime", "Factory", "posixrules"} & set(names) and not [name for name in names if name.startswith(("right/", "posix/"))]
    for name in names:
        zone(name)


def test_without_any_zone_data_utc_is_left(monkeypatch):
    def missing(name: str):
        raise local_time.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(local_time, "ZoneInfo", missing)
    monkeypatch.setattr(local_time, "available_timezones", set)
    assert zone_names() == ["UTC"] and zone("UTC") is UTC
    with pytest.raises(ValueError, match="is no time zone that this server knows"):
        zone("Europe/Paris")
