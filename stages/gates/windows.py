"""When a freeze window is on: pure functions of a window and a moment."""
from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEK = timedelta(days=7)


class Occurrence(NamedTuple):
    """One time in which a window is on, as aware moments; the end no longer belongs to it."""

    start: datetime
    end: datetime


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


def zone(name: str) -> tzinfo:
    """The time zone of that name. Raises ValueError when this server does not know it; UTC is always known."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name that is a folder of the database
        raise ValueError(f"{name!r} is no time zone; write one such as Europe/London or Asia/Tokyo.") from None


def occurrences(window: Window, at: datetime) -> Iterator[Occurrence]:
    """The occurrences that end after `at`, in order: at most one, or an endless series for a weekly window."""
    if not window.weekly:
        if window.ends_at > at:
            yield Occurrence(window.starts_at, window.ends_at)
        return
    here = zone(window.time_zone)
    today = at.astimezone(here).date()
    # Two weeks back: an occurrence may last a week, and the clocks may have been put back since.
    monday = today - timedelta(days=today.weekday() + 14)
    days = window.to_day - window.from_day
    if (days, window.to_time) <= (0, window.from_time):
        days += 7
    while True:
        first = monday + timedelta(days=window.from_day)
        # Through UTC, because two moments of one zone subtract and compare by their wall clocks.
        begin = datetime.combine(first, window.from_time, here).astimezone(UTC)
        end = datetime.combine(first + timedelta(days=days), window.to_time, here).astimezone(UTC)
        if end > at and end > begin:
            yield Occurrence(begin, end)
        monday += WEEK


def current(window: Window, at: datetime) -> Occurrence | None:
    """The occurrence that is on at that moment, or None."""
    found = upcoming(window, at)
    return found if found and found.start <= at else None


def upcoming(window: Window, at: datetime) -> Occurrence | None:
    """The occurrence that is on, else the next one; None when it is over."""
    return next(occurrences(window, at), None)


def in_words(window: Window) -> str:
    """`Every week from Friday 17:00 to Monday 08:00, Europe/London`."""
    if window.weekly:
        return (f"Every week from {DAYS[window.from_day]} {window.from_time:%H:%M} to {DAYS[window.to_day]} "
                f"{window.to_time:%H:%M}, {window.time_zone}")
    here = zone(window.time_zone)
    return f"From {moment(window.starts_at, here)} to {moment(window.ends_at, here)}, {window.time_zone}"


def moment(at: datetime, here: tzinfo) -> str:
    """`Fri 27 Nov 2026 17:00` by the clocks of that zone."""
    local = at.astimezone(here)
    return f"{local:%a} {local.day} {local:%b %Y %H:%M}"
