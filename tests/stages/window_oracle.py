"""When a freeze window has to be on, found without the code that decides it: the clocks of a zone are read minute by minute.

All numbers are minutes since 1970: of UTC for instants, of the wall clock for local times.
"""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY, WEEK = 1440, 7 * 1440
EPOCH = datetime(1970, 1, 1)
# Days that are read before and behind the ones that are asked about.
EDGE = 16


class Run(NamedTuple):
    """Minutes (the last one included) in which the clocks are the same number of minutes ahead of UTC."""

    first: int
    last: int
    ahead: int


class Clocks:
    """The clocks of a zone from `day` (UTC) on for so many days."""

    def __init__(self, name: str, day: datetime, days: int) -> None:
        self.name, self.first, self.days = name, minute(day), days
        here, at, one = ZoneInfo(name), day.replace(tzinfo=UTC) - timedelta(days=EDGE), timedelta(minutes=1)
        self.runs: list[Run] = []
        began = now = self.first - EDGE * DAY
        before = None
        for now in range(began, self.first + (days + EDGE) * DAY):
            ahead = minute(at.astimezone(here).replace(tzinfo=None)) - now
            if before is not None and ahead != before:
                self.runs.append(Run(began, now - 1, before))
                began = now
            before = ahead
            at += one
        self.runs.append(Run(began, now, before))

    def changes(self) -> list[int]:
        """The instants of the days that were asked about at which the clocks change."""
        return [run.first for run in self.runs[1:] if self.first <= run.first < self.first + self.days * DAY]

    def readings(self, local: int) -> tuple[int, int]:
        """The first and the last instant that the local time may mean."""
        shown = [local - run.ahead for run in self.runs if run.first <= local - run.ahead <= run.last]
        if shown:
            return min(shown), max(shown)
        for run, following in zip(self.runs, self.runs[1:], strict=False):
            if run.last + run.ahead < local < following.first + following.ahead:
                return local - following.ahead, local - run.ahead
        raise AssertionError("outside of what was read")

    def once(self, begins: int, ends: int) -> tuple[int, int]:
        """When a single window is on: from, until."""
        return self.readings(begins)[0], self.readings(ends)[1]

    def weekly(self, begins: int, ends: int) -> list[tuple[int, int]]:
        """When a weekly window is on that begins and ends so many minutes after Monday 00:00; what touches is one."""
        found: list[tuple[int, int]] = []
        monday = (self.first // DAY - EDGE + 8) // 7 * 7 - 3  # 1970 began on a Thursday
        length = (ends - begins - 1) % WEEK + 1
        while (monday + 8) * DAY < self.first + (self.days + EDGE - 9) * DAY:
            start, end = self.once(monday * DAY + begins, monday * DAY + begins + length)
            if found and start <= found[-1][1]:
                start, _ = found.pop()
            found.append((start, end))
            monday += 7
        return found


def minute(at: datetime) -> int:
    """The minute of a datetime; one without zone is taken as it stands."""
    return int((at.replace(tzinfo=None) - EPOCH).total_seconds() // 60)


def instant(number: int) -> datetime:
    """The instant of a minute."""
    return EPOCH.replace(tzinfo=UTC) + timedelta(minutes=number)


def typed(number: int) -> str:
    """A local minute as a browser sends it."""
    return f"{EPOCH + timedelta(minutes=number):%Y-%m-%dT%H:%M}"


def joined(found: list[tuple[datetime, datetime]]) -> list[tuple[int, int]]:
    """Occurrences as minutes; what touches is one."""
    result: list[tuple[int, int]] = []
    for start, end in found:
        if result and minute(start) <= result[-1][1]:
            result[-1] = result[-1][0], max(minute(end), result[-1][1])
        else:
            result.append((minute(start), minute(end)))
    return result
