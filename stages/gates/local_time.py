"""What a time on the clocks of a zone means as an instant, and how an instant is written for people; pure.

A local time that the clocks leave out has no instant of its own, and one that they show twice has two. Both have two readings:
by the offset before the change and by the one after it. Whoever asks gets both, and a freeze takes the longer way: it begins
at the first and ends at the last of them.
"""
from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

# Zones that mean another thing on each host, or count leap seconds, as no clock of people does.
_NOT_FOR_PEOPLE = frozenset({"localtime", "posixrules", "Factory"})
_FOLDERS = ("posix/", "right/")


class Reading(NamedTuple):
    """The instants (UTC) that a local time may mean: the same twice, but for one that is left out or that comes twice."""

    first: datetime
    last: datetime
    left_out: bool = False

    @property
    def plain(self) -> bool:
        """The clocks show it exactly once."""
        return self.first == self.last


def zone(name: str) -> tzinfo:
    """The time zone of that name. Raises ValueError when this server does not know it; UTC is always known."""
    if name == "UTC":
        return UTC
    try:
        if name in _NOT_FOR_PEOPLE or name.startswith(_FOLDERS):
            raise ValueError(name)
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name that is a folder of the database
        sentence = f"{name!r} is no time zone that this server knows; write one such as Europe/London or Asia/Tokyo."
        raise ValueError(sentence) from None


def zone_names() -> list[str]:
    """The zones that people may choose, UTC first; reads the whole database."""
    return ["UTC", *sorted(available_timezones() - _NOT_FOR_PEOPLE - {"UTC"})]


def read(local: datetime, here: tzinfo) -> Reading:
    """What a local time without zone means there. Raises OverflowError within a day of the first and of the last year."""
    # Through UTC, because two moments of one zone subtract and compare by their wall clocks.
    by_before, by_after = (local.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1))
    if by_before > by_after:
        return Reading(by_after, by_before, left_out=True)
    return Reading(by_before, by_after)


def instant(at: datetime, here: tzinfo, *, begins: bool) -> datetime:
    """The instant (UTC) at which a freeze begins or ends that was wanted for `at`, the longer way.

    at: without zone by the clocks of `here`; or aware, where only one that its clocks leave out has more than one reading.
    Raises OverflowError as read.
    """
    reading = read(at.replace(tzinfo=None), at.tzinfo or here)
    if at.tzinfo and not reading.left_out:
        return at.astimezone(UTC)
    return reading.first if begins else reading.last


def on_clocks(at: datetime, here: tzinfo) -> datetime:
    """The instant by the clocks of that zone; in UTC where they would leave the years that there are."""
    try:
        return at.astimezone(here)
    except OverflowError:
        return at.astimezone(UTC)


def moment(at: datetime, here: tzinfo) -> str:
    """`Fri 27 Nov 2026 17:00` by the clocks of that zone, with `(UTC+02:00)` behind a time that they show twice."""
    local = on_clocks(at, here)
    text = f"{local:%a} {local.day} {local:%b %Y %H:%M}"
    twice = local.tzinfo is here and not read(local.replace(tzinfo=None), here).plain
    return f"{text} ({_offset(local)})" if twice else text


def told(local: datetime, zone_name: str, *, begins: bool) -> str:
    """What a person is told about a time without zone that the clocks leave out or show twice, and what it was taken for.

    Empty for every other time. begins: a freeze begins at it; else it ends. Raises ValueError as zone, OverflowError as read.
    """
    here = zone(zone_name)
    reading = read(local, here)
    if reading.plain:
        return ""
    name = f"{local:%a} {local.day} {local:%b %Y %H:%M}"
    does = "begins" if begins else "ends"
    taken = reading.first if begins else reading.last
    if reading.left_out:
        return (f"{name} does not exist in {zone_name}, because the clocks are put forward over it. So that the freeze is not "
                f"shorter than meant, it {does} at {moment(taken, here)} ({taken:%H:%M} UTC).")
    return (f"{name} comes twice in {zone_name}, because the clocks are put back. So that the freeze is not shorter than meant, "
            f"it {does} at the {'first' if begins else 'second'} one ({taken:%H:%M} UTC).")


def _offset(local: datetime) -> str:
    minutes = round(local.utcoffset().total_seconds() / 60)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
