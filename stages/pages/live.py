"""The live answer of a rollout's page: what is new since a revision and a line of output, rendered once for all watchers.

A process has one Watch per rollout. It reads the rollout's row at most once per LOOK_S, however many people watch. It
caches the parts of the page, per class of rights, each with the revision at which it last changed; and the finished answers
per (rights, after, seq). So a look costs one query and one rendering for all watchers, and a poll costs each of them one
dictionary access. An answer holds about ANSWER_BYTES of output, and the page asks on. All rollouts share one bound in bytes for
their answers, and another for their parts, so what a cursor of somebody's own choice costs is the rendering.

The path is answered directly (wire.direct), before sessions, CSRF and messages, which a read does not need. The session
cookie says who polls (dashboard.sessions), and identity.rights what they may see.
"""
from __future__ import annotations

import threading
import time
from sys import getsizeof
from typing import NamedTuple
from urllib.parse import quote

from django.conf import settings
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_GET

from gs2admin.cache import FOR_EVER, Cache
from gs2admin.dashboard.sessions import cache as sessions
from gs2admin.dashboard.unseen_html import mark_html
from gs2admin.identity.rights import can
from gs2admin.wire.direct import direct
from stages.core.words import label_of
from stages.models import Leftover, Output, Rollout
from stages.pages.output import line_html
from stages.pages.rollout_page import PARTS, parts_context, requester_of, rights_of
from stages.states import FINAL

LOOK_S = 0.15
# At most so many lines, and little more than so many bytes of them, in one answer; a page that is behind polls again at once.
ANSWER_LINES = 1_000
ANSWER_BYTES = 128_000
# Lines are read in pieces, so that long ones are not read to be thrown away.
PIECE = 100
KEEP_ANSWERS = 4_096
KEEP_ANSWERS_BYTES = 8_000_000
KEEP_PARTS_BYTES = 6_000_000
# An answer is useful until the rollout changes, for a few polls at most. Seconds.
KEEP_ANSWERS_S = 10.0
WATCHES = 256
# After so many seconds the names are looked up anew: a project may have been renamed.
WATCH_S = 30.0
STOP_POLLING = 286
NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class State(NamedTuple):
    """The columns of the row that say whether something is new."""

    revision: int
    last_seq: int
    state: str
    taking_back: bool

    @property
    def final(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.state in FINAL and not self.taking_back


# A worker takes back what the rollout has left, so its page goes on changing after its end.
TAKING_BACK = Exists(Leftover.objects.filter(step__rollout=OuterRef("pk"), asked_at__isnull=False))
COLUMNS = ("revision", "last_seq", "state", "taking_back")


class Answer(NamedTuple):
    """An HTTP status and the HTML that goes with it."""

    status: int
    body: bytes


class Part(NamedTuple):
    """A part of the page as HTML. since: the revision at which it last changed."""

    html: str
    since: int


class Parts(NamedTuple):
    """All parts at a revision, by name."""

    revision: int
    by_name: dict[str, Part]


NOTHING_NEW, NOT_THERE = Answer(204, b""), Answer(404, b"")
# Of all rollouts together. Key: (rollout, url, state, rights, after, seq).
_answers: Cache[tuple, Answer] = Cache(
    ttl_s=KEEP_ANSWERS_S, entries=KEEP_ANSWERS, max_bytes=KEEP_ANSWERS_BYTES, size=lambda answer: len(answer.body)
)

# Key: (rollout, rights).
_parts: Cache[tuple[int, tuple[str, ...]], Parts] = Cache(
    ttl_s=FOR_EVER, entries=4 * WATCHES, max_bytes=KEEP_PARTS_BYTES,
    size=lambda parts: sum(getsizeof(part.html) for part in parts.by_name.values()),
)


class Watch:
    """One rollout, as this process last read and rendered it."""

    def __init__(self, pk: int, project_id: int, url: str, state: State, requester: str) -> None:
        self.pk, self.project_id, self.url, self.requester = pk, project_id, url, requester
        self.now = state
        self.looked_at = self.born_at = time.monotonic()
        self._look_lock, self._render_lock = threading.Lock(), threading.RLock()
        self.gone, self._say = False, ""

    def look(self) -> State:
        """The rollout's state, at most LOOK_S old; one thread asks, the others use what is there."""
        if time.monotonic() - self.looked_at >= LOOK_S and self._look_lock.acquire(blocking=False):
            try:
                row = Rollout.objects.filter(pk=self.pk).annotate(taking_back=TAKING_BACK).values_list(*COLUMNS).first()
                if row is None:
                    self.gone = True
                elif row != self.now:
                    self.now = State(*row)
                self.looked_at = time.monotonic()
            finally:
                self._look_lock.release()
        return self.now

    def answer(self, rights: tuple[str, ...], after: int, seq: int) -> Answer:
        """The answer for a page that shows revision `after` and output up to line `seq`."""
        now = self.look()
        if self.gone:
            return NOT_THERE
        final = now.final
        # A cursor that means the same is the same: there are as many answers as there are revisions and lines.
        after, seq = 0 if final else min(after, now.revision), min(seq, now.last_seq)
        if not final and after == now.revision and seq >= now.last_seq:
            return NOTHING_NEW
        key = (self.pk, self.url, now, rights, after, seq)
        found = _answers.get(key)
        if found is None:
            with self._render_lock:  # one thread renders a rollout, the others wait for what it makes
                found = _answers.get(key) or _answers.put(key, self._render(now, final, rights, after, seq))
        return found

    def _render(self, now: State, final: bool, rights: tuple[str, ...], after: int, seq: int) -> Answer:
        lines, to = self._between(seq, min(now.last_seq, seq + ANSWER_LINES))
        complete = to >= now.last_seq
        parts = self._current_parts(now, rights)
        # A part that has not changed since the watcher's revision is not sent, so focus and selection in it stay.
        fresh = [part.html for part in (parts[name] for name in PARTS) if part.since > after or final]
        body = render_to_string("stages/_live.html", {
            "live_url": self.url, "after": now.revision if complete else after, "seq": to, "done": final and complete,
            "more": not complete, "lines_html": lines, "parts": fresh, "say": self._say,
        })
        return Answer(STOP_POLLING if final and complete else 200, mark_html(body.encode()))

    def _between(self, seq: int, to: int) -> tuple[str, int]:
        """The rendered lines from seq + 1 to `to`, or as many of them as fill an answer; and the number of the last one."""
        found: list[str] = []
        size = 0
        while seq < to:
            rows = list(Output.objects.filter(rollout_id=self.pk, seq__gt=seq, seq__lte=to).order_by("seq")[:PIECE])
            for line in rows:
                found.append(line_html(line))
                size += len(found[-1])
                if size >= ANSWER_BYTES:
                    return "".join(found), line.seq
            seq = rows[-1].seq if len(rows) == PIECE else to
        return "".join(found), seq

    def _current_parts(self, now: State, rights: tuple[str, ...]) -> dict[str, Part]:
        known = _parts.get((self.pk, rights))
        if known and known.revision == now.revision:
            return known.by_name
        rows = Rollout.objects.select_related(
            "stage", "project", "from_set", "to_set", "retry_of", "undoes", "approval", "canary"
        )
        row = rows.get(pk=self.pk)
        context = parts_context(row, rights) | {"project": row.project, "oob": True}
        self._say = f"{label_of(row.state)}. {context['sentence']}"
        before = known.by_name if known else {}
        parts: dict[str, Part] = {}
        for name in PARTS:
            html = render_to_string(f"stages/_rollout_{name}.html", context)
            same = name in before and before[name].html == html
            parts[name] = Part(html, before[name].since if same else now.revision)
        _parts.put((self.pk, rights), Parts(now.revision, parts))
        return parts


class Watches:
    """The rollouts that are watched in this process, the most recent ones."""

    def __init__(self) -> None:
        self._found: Cache[tuple[str, int], Watch] = Cache(ttl_s=FOR_EVER, entries=WATCHES, max_bytes=2_000_000)
        self._lock = threading.Lock()

    def get(self, project: str, number: int) -> Watch | None:
        """The watch of a rollout, None when there is no such rollout."""
        key = (project, number)
        watch = self._found.get(key)
        if watch is None or watch.gone or time.monotonic() - watch.born_at > WATCH_S:
            row = (
                Rollout.objects.filter(project__name=project, number=number)
                .annotate(taking_back=TAKING_BACK)
                .only("project_id", "revision", "last_seq", "state", "requested_by_kind", "requested_by_id", "requested_by")
                .first()
            )
            if row is None:
                return None
            with self._lock:
                watch = self._found.get(key)
                if watch is None or watch.gone or watch.pk != row.pk:
                    watch = Watch(
                        row.pk, row.project_id, reverse("rollout-live", kwargs={"project": project, "number": number}),
                        State(*(getattr(row, name) for name in COLUMNS)),
                        requester_of(row.requested_by_kind, row.requested_by_id, row.requested_by),
                    )
                watch.born_at = time.monotonic()
                self._found.put(key, watch)  # put each time, so that rollouts that nobody watches are dropped first
        return watch

    def clear(self) -> None:
        """Forget everything (tests)."""
        self._found.clear()
        _answers.clear()
        _parts.clear()


watches = Watches()


@direct("/p/{project}/rollouts/{number:int}/live")
@require_GET
def rollout_live(request: HttpRequest, project: str, number: str | int) -> HttpResponse:
    """200 with what is new, 204 for nothing new, 286 at the end, 401 signed out, 404 for no such rollout or no right."""
    actor = sessions.actor(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    if actor is None:
        page = f"/p/{quote(project)}/rollouts/{number}"
        return HttpResponse(status=401, headers={**NO_STORE, "HX-Redirect": f"{resolve_url('login')}?next={quote(page)}"})
    watch = watches.get(project, int(number))
    answer = NOT_THERE
    if watch is not None and can(actor, "project.view", watch):
        answer = watch.answer(rights_of(actor, watch, watch.requester), _number(request, "after"), _number(request, "seq"))
    if answer.status == 404:
        return HttpResponse("There is no such rollout, or you are not a member of its project.", status=404,
                            content_type="text/plain; charset=utf-8", headers=NO_STORE)
    return HttpResponse(answer.body, status=answer.status, headers=NO_STORE)


def _number(request: HttpRequest, name: str) -> int:
    value = request.GET.get(name, "")
    return int(value) if value.isdigit() and len(value) < 16 else 0
