"""366 days in zones whose clocks change in every way: single and weekly freeze windows are written by the form, and gate,
calendar and the form itself are asked about each, all in the hours in which clocks change and samples of the others.

Judged by tests/stages/window_oracle.py, which reads the clocks as they run and knows nothing of our code. The clock of the
doors is set; people and requests are real.
"""
from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from types import SimpleNamespace
from unittest.mock import patch

from django.conf import settings
from django.db import connection
from django.test import Client
from django.urls import reverse
from icalendar import Calendar

from bench.report import table
from bench.world import World, people, world
from gs2admin.identity.actors import SYSTEM
from gs2admin.identity.models import Role, User
from stages.gates import calendar
from stages.gates.reads import closed
from stages.gates.services import save_window
from stages.gates.windows import occurrences
from stages.models.governance import FreezeWindow
from stages.pages.forms.gates import WindowForm
from tests.stages.window_oracle import DAY, WEEKLY, Clocks, around, instant, joined, minute, of_week, typed

# Zone and first day. Changes of an hour, half an hour, two hours and 15 minutes, at night, at midnight and a minute later, by a
# whole day (Apia, Kwajalein), for Ramadan (Casablanca), and none.
ZONES = {
    "Europe/Paris": (2027, 1), "America/New_York": (2027, 1), "Australia/Lord_Howe": (2027, 1), "Asia/Kolkata": (2027, 1),
    "Asia/Kathmandu": (1985, 7), "Pacific/Chatham": (2027, 1), "Africa/Casablanca": (2027, 1), "America/St_Johns": (2006, 1),
    "Pacific/Apia": (2011, 7), "Antarctica/Troll": (2027, 1), "America/Sao_Paulo": (2018, 1), "Asia/Beirut": (2027, 1),
    "Africa/Cairo": (2027, 1), "Pacific/Kwajalein": (1993, 1),
}
DAYS = 366
# BENCH_ZONES: only the zones whose names have this in them.
ONLY = os.environ.get("BENCH_ZONES", "")
LENGTHS = (15, 60, 45, 6 * 60, 30 * 60, 8 * DAY, 24 * 60)


class Doors:
    """All ways to write a window and to ask about it, in one project."""

    def __init__(self, here: World) -> None:
        self.here, self.statuses, self.wrong = here, Counter(), Counter()
        self.examples: list[str] = []
        name, = people(here.project, 1, Role.ADMIN)
        person = User.objects.get(username=name)
        self.client = Client(SERVER_NAME="localhost")
        self.client.force_login(person)
        self.key = calendar.key_for(here.project, str(person.pk))
        self.asked = Counter()

    def say(self, what: str, text: str) -> None:
        """Count one thing that is wrong; the first ones are printed."""
        self.wrong[what] += 1
        if len(self.examples) < 20:
            self.examples.append(f"{what}: {text}")

    def at(self, name: str, **args) -> str:
        """An address of the project."""
        return reverse(name, kwargs={"project": self.here.project.name, **args})

    def ask(self, verb: str, url: str, *args, **more):
        """One request; its status is counted, and an error that reaches the server's edge counts as 500."""
        self.client.raise_request_exception = False
        answer = getattr(self.client, verb)(url, *args, **more)
        self.statuses[answer.status_code] += 1
        return answer

    def write(self, sent: dict[str, str]) -> tuple[FreezeWindow | None, str]:
        """A new window by the page of the form: the row, and what the person is told on the page after it."""
        answer = self.ask("post", self.at("freeze-new"), {"stage": "", **sent})
        self.client.cookies.pop("messages", None)
        if answer.status_code != 302:
            return None, answer.content.decode()
        said = " ".join(str(message) for message in answer.wsgi_request._messages._queued_messages)
        return FreezeWindow.objects.latest("id"), said

    def fill(self, sent: dict[str, str]) -> tuple[FreezeWindow | None, str]:
        """The same by the form and the service alone, without the page around them: quick."""
        form = WindowForm({"stage": "", **sent}, project=self.here.project)
        if not form.is_valid():
            return None, str(form.errors)
        self.asked["form"] += 1
        return save_window(actor=SYSTEM, project=self.here.project, plan=form.plan()), " ".join(form.decided())

    def save_again(self, row: FreezeWindow) -> None:
        """Open the form of a window, change its name alone, and see that nothing else has moved."""
        url = self.at("freeze-edit", pk=row.pk)
        sent = fields(self.ask("get", url).content.decode())
        self.ask("post", url, sent | {"name": f"{row.name} again"})
        now = FreezeWindow.objects.get(pk=row.pk)
        columns = ("weekly", "time_zone", "starts_at", "ends_at", "from_day", "from_time", "to_day", "to_time", "stage_id")
        moved = [name for name in columns if getattr(row, name) != getattr(now, name)]
        if moved or not now.name.endswith("again"):
            self.say("moved by saving again", f"{row.name} {row.time_zone}: {', '.join(moved) or 'not saved'}")

    def gate(self, row: FreezeWindow, spans: Iterable[tuple[int, int]]) -> None:
        """The gate on both sides of each beginning and end. spans: apart from each other."""
        for start, end in spans:
            for at, on in ((start - 1, False), (start, True), (end - 1, True), (end, False)):
                self.asked["gate"] += 1
                found = [gate for gate in closed(self.here.project.pk, instant(at)) if gate.pk == row.pk]
                if bool(found) != on or (found and found[0].until != instant(end)):
                    self.say("gate", f"{row.name} {row.time_zone} at {instant(at)}: {found}, should be {on} until {instant(end)}")

    def lists(self, expected: dict[int, list[tuple[int, int]]], at: datetime) -> None:
        """The calendar's events at that time, parsed by another program, and the list of windows as a page."""
        with patch("stages.pages.views.gates.clock", SimpleNamespace(now=lambda: at)):
            answer = self.ask("get", f"{self.at('freeze-feed')}?key={self.key}")
            self.ask("get", self.at("freezes"))
        if answer.status_code != 200:
            return
        events: dict[int, list[tuple[datetime, datetime]]] = {}
        for event in Calendar.from_ical(answer.content).walk("VEVENT"):
            pk = int(re.match(r"freeze-(\d+)", event["UID"])[1])
            events.setdefault(pk, []).append((event.start, event.end))
            self.asked["event"] += 1
        first, last = minute(at - calendar.BACK), minute(at + calendar.AHEAD)
        for pk, spans in expected.items():
            wanted = [span for span in spans if span[1] > first and span[0] < last]
            if joined(sorted(events.get(pk, []))) != wanted:
                self.say("calendar", f"window {pk} at {at}: {joined(sorted(events.get(pk, [])))[:3]}, should be {wanted[:3]}")


def fields(html: str) -> dict[str, str]:
    """What a browser would send back of the form of a window that nobody has touched."""
    sent = {}
    for tag in re.findall(r"<input[^>]*>", html):
        name, value = re.search(r'name="(\w+)"', tag), re.search(r'value="([^"]*)"', tag)
        if name and name[1] != "csrfmiddlewaretoken" and ('type="checkbox"' not in tag or "checked" in tag):
            sent[name[1]] = value[1] if value else "on" if 'type="checkbox"' in tag else ""
    for name, options in re.findall(r'<select[^>]*name="(\w+)".*?>(.*?)</select>', html, re.S):
        chosen = re.search(r'value="([^"]*)"\s+selected', options) or re.search(r'value="([^"]*)"', options)
        sent[name] = chosen[1]
    return sent


def singles(doors: Doors, clocks: Clocks) -> int:
    """A single window for each day, and many for each day on which the clocks change; returns how many."""
    day0 = clocks.first // DAY
    plain = [(begins := day * DAY + day * 397 % DAY, begins + LENGTHS[day % len(LENGTHS)]) for day in range(day0, day0 + DAYS)]
    expected: dict[int, list[tuple[int, int]]] = {}
    pairs = sorted([*plain, *around(clocks, DAYS)])
    for number, (begins, ends) in enumerate(pairs):
        start, end = clocks.once(begins, ends)
        odd = clocks.odd(begins) or clocks.odd(ends)
        sent = {"name": f"{typed(begins)}–{typed(ends)}", "time_zone": clocks.name, "weekly": "", "starts": typed(begins),
                "ends": typed(ends)}
        row, said = doors.write(sent) if odd or number % 10 == 0 else doors.fill(sent)
        if end <= start:
            if row or "must end after it begins" not in said:
                doors.say("form", f"{sent['name']} {clocks.name} should be refused")
            continue
        if row is None:
            doors.say("form", f"{sent['name']} {clocks.name} was not saved")
            continue
        if (row.starts_at, row.ends_at) != (instant(start), instant(end)):
            was = f"{row.starts_at} to {row.ends_at}, not {instant(start)} to {instant(end)}"
            doors.say("form", f"{sent['name']} {clocks.name}: {was}")
        if odd and not ("does not exist in" in said or "comes twice in" in said):
            doors.say("not told", f"{sent['name']} {clocks.name}")
        if number % (3 if odd else 20) == 0:
            doors.save_again(row)
        doors.gate(row, [(start, end)])
        expected[row.pk] = [(start, end)]
        if len(expected) == 30 or number == len(pairs) - 1:
            doors.lists(expected, instant(start))
            FreezeWindow.objects.all().delete()
            expected.clear()
    return len(pairs)


def weeklies(doors: Doors, clocks: Clocks) -> int:
    """Weekly windows in every hour in which the clocks change, and others; returns how many."""
    shapes = {of_week(begins, ends) for begins, ends in around(clocks, DAYS)} | set(WEEKLY)
    spans: dict[int, list[tuple[int, int]]] = {}
    last = clocks.first + DAYS * DAY
    for number, (begins, ends) in enumerate(sorted(shapes)):
        sent = {"name": f"weekly {begins}–{ends}", "time_zone": clocks.name, "weekly": "1"}
        sent |= _side("from", begins) | _side("to", ends)
        row, _ = doors.write(sent) if number % 3 == 0 else doors.fill(sent)
        if row is None:
            doors.say("form", f"{sent['name']} {clocks.name} was not saved")
            continue
        if number % 3 == 0:
            doors.save_again(row)
        wanted = [span for span in clocks.weekly(begins, ends) if span[1] > clocks.first and span[0] < last]
        found = []
        for one in occurrences(row, instant(clocks.first)):
            if minute(one.start) >= last:
                break
            found.append(one)
        if joined(found) != wanted:
            doors.say("occurrences", f"{sent['name']} {clocks.name}: {set(joined(found)) ^ set(wanted)}")
        near = clocks.changes(DAYS)
        doors.gate(row, [span for index, span in enumerate(wanted[1:-1])
                         if index % 26 == 0 or any(abs(span[0] - change) < 4 * DAY for change in near)])
        spans[row.pk] = clocks.weekly(begins, ends)
        if len(spans) == 20 or number == len(shapes) - 1:
            for day in (30, 180, 330):
                doors.lists({pk: _within(found, clocks, day) for pk, found in spans.items()}, instant(clocks.first + day * DAY))
            FreezeWindow.objects.all().delete()
            spans.clear()
    return len(shapes)


def _within(spans: list[tuple[int, int]], clocks: Clocks, day: int) -> list[tuple[int, int]]:
    return [span for span in spans if span[0] < clocks.first + (day + calendar.AHEAD.days) * DAY]


def _side(name: str, number: int) -> dict[str, str]:
    return {f"{name}_day": str(number // DAY), f"{name}_time": f"{number % DAY // 60:02}:{number % 60:02}"}


def main() -> bool:
    """Print the table; True when all agree and nothing was answered 500."""
    settings.STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    logging.disable(logging.WARNING)
    rows, good = [], True
    examples: list[str] = []
    for name, (year, month) in ZONES.items():
        if ONLY not in name:
            continue
        # The feed reaches half a year beyond the last day.
        clocks = Clocks(name, datetime(year, month, 1), DAYS + calendar.AHEAD.days)
        doors = Doors(world(re.sub(r"\W", "-", name).lower()))
        counts = singles(doors, clocks), weeklies(doors, clocks)
        failures = sum(count for status, count in doors.statuses.items() if status >= 500)
        rows.append([name, len(clocks.changes(DAYS)), *counts, sum(doors.statuses.values()), doors.asked["form"],
                     doors.asked["gate"], doors.asked["event"], failures, sum(doors.wrong.values())])
        examples += doors.examples
        good = good and not failures and not doors.wrong
        print(*rows[-1], flush=True)
    table(f"{DAYS} days, {len(ZONES)} zones, {connection.vendor}",
          ["zone", "changes", "single", "weekly", "requests", "forms alone", "gates asked", "events", "500s", "wrong"], rows)
    for text in examples[:40]:
        print("WRONG:", text)
    return good
