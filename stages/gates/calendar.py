"""Freeze windows as iCalendar (RFC 5545), and the key in the address from which a calendar program reads them."""
from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

from django.core import signing

from gs2admin.identity.actors import Actor, person
from gs2admin.identity.models import Project, User
from gs2admin.unseen import shown
from stages.gates.windows import Occurrence, in_words, occurrences, weeks
from stages.models.governance import FreezeWindow

SALT = "gs2admin.freeze-windows"
# How far the feed reaches into the past and the future, and how many occurrences of one window it has at most.
BACK, AHEAD, MOST = timedelta(days=28), timedelta(days=182), 60


def key_for(project: Project, user_id: str) -> str:
    """The key in the address of one person's feed; it is valid while that person is a member of the project."""
    return signing.Signer(salt=SALT).sign(f"{project.pk}.{user_id}").replace(":", ".")


def reader_of(project: Project, key: str) -> Actor | None:
    """The person who owns this key of the project, as an actor with the present roles; None for any other text."""
    head, _, mark = key.rpartition(".")
    try:
        number, _, user_id = signing.Signer(salt=SALT).unsign(f"{head}:{mark}").partition(".")
    except signing.BadSignature:
        return None
    if number != str(project.pk):
        return None
    user = User.objects.filter(pk=user_id, is_active=True).first()
    return person(user, door="browser") if user else None


def feed(project: Project, windows: Iterable[FreezeWindow], at: datetime) -> str:
    """The calendar (text/calendar, lines end with CRLF) from four weeks before `at` to half a year after it.

    Each occurrence of a weekly window is an event of its own, written in UTC: so it is when gates are closed, also in weeks in
    which the clocks change, and the calendar needs no description of the time zone. Without METHOD, DTSTAMP is the time of the
    row's last change (RFC 5545, 3.8.7.2).
    """
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//gs2admin//freeze windows//EN", "CALSCALE:GREGORIAN",
             "REFRESH-INTERVAL;VALUE=DURATION:PT1H", f"X-WR-CALNAME:{_text(f'Freeze windows of {project.name}')}"]
    for window in windows:
        for uid, (start, end) in takewhile(lambda found: found[1].start < at + AHEAD, islice(_events(window, at - BACK), MOST)):
            lines += _event(window, f"{uid}@{project.pk}.gs2admin", start, end)
    return "".join(_folded(line) for line in [*lines, "END:VCALENDAR"])


def _events(window: FreezeWindow, at: datetime) -> Iterator[tuple[str, Occurrence]]:
    """The occurrences that end after `at` with their names, which stay when the hours of the window change."""
    if window.weekly:
        yield from ((f"freeze-{window.pk}-{week.monday:%Y%m%d}", week.occurrence) for week in weeks(window, at))
    else:
        yield from ((f"freeze-{window.pk}", found) for found in occurrences(window, at))


def _event(window: FreezeWindow, uid: str, start: datetime, end: datetime) -> list[str]:
    where = window.stage.name if window.stage_id else "all stages"
    return [
        "BEGIN:VEVENT",
        f"UID:{uid}",
        f"DTSTAMP:{_stamp(window.updated_at)}",
        f"CREATED:{_stamp(window.created_at)}",
        f"LAST-MODIFIED:{_stamp(window.updated_at)}",
        f"SEQUENCE:{window.revision}",
        f"DTSTART:{_stamp(start)}",
        f"DTEND:{_stamp(end + timedelta(seconds=1, microseconds=-1))}",  # a second is the least that a calendar knows
        f"SUMMARY:{_text(f'{window.name}: no rollout on {where}')}",
        f"DESCRIPTION:{_text(in_words(window) + ('. Rollbacks are blocked too.' if window.holds_rollbacks else '.'))}",
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(value: str) -> str:
    return shown(value).replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n").replace("\r", "")


def _folded(line: str) -> str:
    """The line in pieces of at most 75 octets, each but the first with a blank before it; no character is split."""
    if len(line.encode()) <= 75:
        return f"{line}\r\n"
    pieces, room, piece = [], 75, b""
    for character in line:
        octets = character.encode()
        if len(piece) + len(octets) > room:
            pieces.append(piece)
            piece, room = b"", 74
        piece += octets
    return b"\r\n ".join([*pieces, piece]).decode() + "\r\n"
