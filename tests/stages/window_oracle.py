"""When a freeze window has to be on, found without the code that decides it: the clocks of a zone are read as they run.

All numbers are minutes since 1970: of UTC for instants, of the wall clock for local times.
"""
from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

HALF, DAY, WEEK = 30, 1440, 7 * 1440
EPOCH = datetime(1970, 1, 1)
# Days that are read before and behind the ones that are asked about.
EDGE = 16
# Weekly windows in minutes of the week: nights, midnights, over the end of the week, several days, nearly all the week.
WEEKLY = [
    *((day * DAY + 22 * 60, (day * DAY + DAY + 6 * 60) % WEEK) for day in range(7)), *((day * DAY, day * DAY + 30) for day in range(7)),
    (6 * DAY + 23 * 60 + 30, 30), (4 * DAY + 17 * 60, 8 * 60), (DAY + 135, DAY + 120), (2 * DAY, 3 * DAY), (DAY + 720, 4 * DAY + 720),
]


class Run(NamedTuple):
    """Minutes (the last one included) in which the clocks are the same number of minutes ahead of UTC."""

    first: int
    last: int
    ahead: int


class Clocks:
    """The clocks of a zone from `day` (UTC) on for so many days."""

    def __init__(self, name: str, day: datetime, days: int) -> None:
        self.name, self.first, self.days = name, minute(day), days
        here = ZoneInfo(name)

        def ahead_at(number: int) -> int:
            return minute(instant(number).astimezone(here)) - number

        began, end = self.first - EDGE * DAY, self.first + (days + EDGE) * DAY
        self.runs: list[Run] = []
        ahead = ahead_at(began)
        for half in range(began, end, HALF):
            # Minute by minute only where both ends of half an hour differ: no zone goes and comes back within it.
            if ahead_at(half + HALF) == ahead:
                continue
            for now in range(half, half + HALF + 1):
                if ahead_at(now) != ahead:
                    self.runs.append(Run(began, now - 1, ahead))
                    began, ahead = now, ahead_at(now)
        self.runs.append(Run(began, end - 1, ahead))

    def changes(self, days: int) -> list[int]:
        """The instants of the first so many days at which the clocks change."""
        return [run.first for run in self.runs[1:] if self.first <= run.first < self.first + days * DAY]

    def odd(self, local: int) -> bool:
        """Whether the clocks show that time not exactly once."""
        return sum(run.first <= local - run.ahead <= run.last for run in self.runs) != 1

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
        monday = (self.first // DAY - 6) // 7 * 7 - 3  # 1970 began on a Thursday
        length = (ends - begins - 1) % WEEK + 1
        while monday * DAY <= self.first + (self.days + 1) * DAY:
            start, end = self.once(monday * DAY + begins, monday * DAY + begins + length)
            if found and start <= found[-1][1]:
                start, _ = found.pop()
            found.append((start, end))
            monday += 7
        return found


def around(clocks: Clocks, days: int) -> list[tuple[int, int]]:
    """Pairs of local minutes, each in or beside what the clocks leave out or repeat in the first so many days."""
    found = []
    for change in clocks.changes(days):
        before, after = (next(run.ahead for run in clocks.runs if run.first <= at <= run.last) for at in (change - 1, change))
        low, high = sorted((change + before, change + after))
        step = max(15, (high - low) // 4)
        places = range(low - step, high + step + 1, step)
        found += [(begins, begins + length) for begins in places for length in (10, step, step * 2 + 15, 3 * DAY, WEEK - 15)]
        found += [(ends - length, ends) for ends in places for length in (45, 26 * 60)]
    return found


def of_week(begins: int, ends: int) -> tuple[int, int]:
    """A pair of local minutes as minutes of the week."""
    monday = 4 * DAY
    return (begins - monday) % WEEK, (ends - monday) % WEEK


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
