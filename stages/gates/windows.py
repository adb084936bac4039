"""When a freeze window is on: pure functions of a window and an instant. Gates, pages, calendar and JSON all ask here."""
from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import islice
from typing import NamedTuple, Protocol

from stages.gates.local_time import moment, on_clocks, read, told, zone

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEK = timedelta(days=7)
# A freeze that goes on for so many weeks without a gap has no end: a change of clocks closes a gap for one week or two.
FOR_EVER = 4
# For how long ahead a person is told about weeks in which the clocks change.
TOLD_AHEAD = timedelta(days=366)


class Occurrence(NamedTuple):
    """One time in which a window is on, as instants in UTC; the end no longer belongs to it."""

    start: datetime
    end: datetime


class Week(NamedTuple):
    """One week of a weekly window. monday: of the week in which it begins by the calendar, whatever the clocks do.

    odd: its beginning or end as (local time, whether it begins then), where the clocks leave it out or show it twice.
    """

    monday: date
    occurrence: Occurrence
    odd: tuple[tuple[datetime, bool], ...]


class Window(Protocol):
    """The fields of a window that are read here (models.FreezeWindow says what they mean)."""

    weekly: bool
    time_zone: str
    starts_at: datetime | None
    ends_at: datetime | None
    from_day: int | None
    from_time: time | None
    to_day: int | None
    to_time: time | None


def occurrences(window: Window, at: datetime) -> Iterator[Occurrence]:
    """The occurrences that end after `at`, in order: at most one, or an endless series for a weekly window."""
    if window.weekly:
        yield from (week.occurrence for week in weeks(window, at))
    elif window.ends_at > at:
        yield Occurrence(window.starts_at.astimezone(UTC), window.ends_at.astimezone(UTC))


def weeks(window: Window, at: datetime) -> Iterator[Week]:
    """The weeks of a weekly window whose occurrences end after `at`: each week has one, in whatever hour the clocks change.

    Where the clocks leave out or repeat the beginning or the end, the longer freeze counts; what would overlap the week before
    begins at its end. A window whose zone this server does not know is on all week, week after week: nobody can tell
    when it is not.
    """
    here = _zone_of(window)
    first, days = window.from_day, window.to_day - window.from_day
    if (days, window.to_time) <= (0, window.from_time):
        days += 7
    times = (window.from_time, window.to_time)
    if here is None:
        here, first, days, times = UTC, 0, 7, (time(), time())

    def ends(monday: date) -> datetime:
        return datetime.combine(monday + timedelta(days=first + days), times[1])

    today = on_clocks(at, here).date()
    # Two weeks back: an occurrence may last a week, and the clocks may have been put back since.
    try:
        monday = today - timedelta(days=today.weekday() + 14)
        before = read(ends(monday - WEEK), here).last
        while True:
            begins_at, ends_at = datetime.combine(monday + timedelta(days=first), times[0]), ends(monday)
            begin, end = read(begins_at, here), read(ends_at, here)
            if end.last > at:
                sides = ((begins_at, True, begin), (ends_at, False, end))
                odd = tuple((local, begins) for local, begins, reading in sides if not reading.plain)
                yield Week(monday, Occurrence(max(begin.first, before), end.last), odd)
            monday, before = monday + WEEK, end.last
    except OverflowError:  # there is no later date
        return


def current(window: Window, at: datetime) -> Occurrence | None:
    """The occurrence that is on at that instant, or None."""
    found = upcoming(window, at)
    return found if found and found.start <= at else None


def upcoming(window: Window, at: datetime) -> Occurrence | None:
    """The occurrence that is on, else the next one; None when it is over."""
    return next(occurrences(window, at), None)


def until(window: Window, at: datetime) -> datetime | None:
    """When the freeze that is on at that instant ends, if one is; what follows without a gap belongs to it. None: never."""
    end = at
    for found in islice(occurrences(window, at), FOR_EVER):
        if found.start > end:
            return end
        end = found.end
    return None if window.weekly else end


def why_always(window: Window) -> str:
    """For a window that never ends (until): why that is so, and what helps."""
    if _zone_of(window) is None:
        return (f"this server does not know its time zone {window.time_zone}, so nobody can tell when it is over. Choose "
                "another time zone, or install time zone data")
    return "it begins where it ends"


def in_words(window: Window) -> str:
    """`Every week from Friday 17:00 to Monday 08:00, Europe/London`."""
    here = _zone_of(window)
    unknown = "" if here else " (a time zone that this server does not know)"
    if window.weekly:
        return (f"Every week from {DAYS[window.from_day]} {window.from_time:%H:%M} to {DAYS[window.to_day]} "
                f"{window.to_time:%H:%M}, {window.time_zone}{unknown}")
    place = "UTC, set in " if here is None else ""
    return (f"From {moment(window.starts_at, here or UTC)} to {moment(window.ends_at, here or UTC)}, "
            f"{place}{window.time_zone}{unknown}")


def odd_weeks(window: Window, at: datetime) -> Iterator[str]:
    """What a person is told about a weekly window: one sentence for each beginning or end in the year after `at` that the clocks
    leave out or show twice."""
    if not window.weekly or _zone_of(window) is None:
        return
    for week in weeks(window, at):
        if week.occurrence.start > at + TOLD_AHEAD:
            return
        yield from (told(local, window.time_zone, begins=begins) for local, begins in week.odd)


def _zone_of(window: Window) -> tzinfo | None:
    """The window's zone; None when this server does not know it."""
    try:
        return zone(window.time_zone)
    except ValueError:
        return None
