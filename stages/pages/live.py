"""The live answer of a rollout's page: what is new since a revision and a line of output, rendered once for all watchers.

A process has one Watch per rollout. It caches the parts of the page, per class of rights, each with the revision at which it
last changed; and the finished answers per (rights, after, seq). The rows of all watched rollouts are looked at by one statement
for all who ask (`gs2admin.dashboard.live`). An answer holds about ANSWER_BYTES of output, and the page asks on. All rollouts
share one bound in bytes for their answers, and another for their parts, so what a cursor of somebody's own choice costs is the
rendering.
"""
from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from sys import getsizeof
from typing import NamedTuple

from django.template.loader import render_to_string
from django.urls import reverse

from gs2admin.cache import FOR_EVER, Cache
from gs2admin.dashboard.live import topics
from gs2admin.dashboard.live.pace import Pace
from gs2admin.dashboard.live.topics import NOTHING_NEW, Answer, Making, Topic
from gs2admin.dashboard.live.view import view_of
from gs2admin.dashboard.unseen_html import mark_html
from gs2admin.db.raw import among, raw_cursor
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.wire.direct import direct
from stages.core.words import label_of
from stages.models import Leftover, Output, Rollout, Step
from stages.pages.output import line_html
from stages.pages.rollout_page import PARTS, parts_context, requester_of, rights_of
from stages.states import FINAL

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
STOP_POLLING = 286


class State(NamedTuple):
    """The columns of the row that say whether something is new, and whose it is."""

    project_id: int
    revision: int
    last_seq: int
    state: str
    taking_back: bool

    @property
    def final(self) -> bool:
        """Whether nothing of it changes any more."""
        return self.state in FINAL and not self.taking_back


class Part(NamedTuple):
    """A part of the page as HTML. since: the revision at which it last changed."""

    html: str
    since: int


class Parts(NamedTuple):
    """All parts at a revision, by name."""

    revision: int
    by_name: dict[str, Part]


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
    """One rollout, as this process last rendered it. requester: for rights_of."""

    def __init__(self, row: Rollout, url: str) -> None:
        self.pk, self.url = row.pk, url
        self.requester = requester_of(row.requested_by_kind, row.requested_by_id, row.requested_by)
        self._lock = threading.Lock()
        self._say, self._pace = "", Pace()

    def answer(self, now: State, rights: tuple[str, ...], after: int, seq: int) -> Answer | Making:
        """The answer for a page that shows revision `after` and output up to line `seq`, while the rollout is in state `now`."""
        final = now.final
        # A cursor that means the same is the same: there are as many answers as there are revisions and lines.
        after, seq = 0 if final else min(after, now.revision), min(seq, now.last_seq)
        if not final and after == now.revision and seq >= now.last_seq:
            return NOTHING_NEW
        key = (self.pk, self.url, now, rights, after, seq)
        return _answers.get(key) or Making(key, lambda: self._make(key, now, rights, after, seq))

    def _make(self, key: tuple, now: State, rights: tuple[str, ...], after: int, seq: int) -> Answer:
        with self._lock:  # one thread renders a rollout, the others wait for what it makes
            return _answers.get(key) or _answers.put(key, self._render(now, now.final, rights, after, seq))

    def _render(self, now: State, final: bool, rights: tuple[str, ...], after: int, seq: int) -> Answer:
        lines, to = self._between(seq, min(now.last_seq, seq + ANSWER_LINES))
        complete = to >= now.last_seq
        parts = self._current_parts(now, rights)
        # A part that has not changed since the watcher's revision is not sent, so focus and selection in it stay.
        fresh = [part.html for part in (parts[name] for name in PARTS) if part.since > after or final]
        body = render_to_string("stages/_live.html", {
            "live_url": self.url, "after": now.revision if complete else after, "seq": to, "done": final and complete,
            "pause": self._pace.next_ms() if complete else 0, "lines_html": lines, "parts": fresh, "say": self._say,
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


class RolloutTopic(Topic):
    """A subject is (the project's name, the rollout's number)."""

    path = "/p/{project}/rollouts/{number:int}/live"
    absent = "There is no such rollout, or you are not a member of its project."

    def __init__(self) -> None:
        # The most recently found ones.
        self._found: Cache[tuple[str, int], Watch] = Cache(ttl_s=FOR_EVER, entries=WATCHES, max_bytes=2_000_000)
        self._lock = threading.Lock()

    def subject(self, pieces: Mapping[str, str]) -> tuple[str, int]:
        return pieces["project"], int(pieces["number"])

    def page(self, subject: tuple[str, int]) -> str:
        return reverse("rollout", kwargs={"project": subject[0], "number": subject[1]})

    def cursor(self, given: Mapping[str, str]) -> tuple[int, int]:
        return _number(given.get("after", "")), _number(given.get("seq", ""))

    def find(self, subject: tuple[str, int]) -> bool:
        project, number = subject
        row = Rollout.objects.filter(project__name=project, number=number).only(
            "requested_by_kind", "requested_by_id", "requested_by").first()
        if row is None:
            return False
        with self._lock:
            known = self._found.get(subject)
            if known is None or known.pk != row.pk:
                self._found.put(subject, Watch(row, reverse("rollout-live", kwargs={"project": project, "number": number})))
        return True

    def look(self, subjects: Iterable[tuple[str, int]]) -> dict[tuple[str, int], State]:
        watches = {watch.pk: subject for subject in subjects if (watch := self._found.get(subject)) is not None}
        found: dict[tuple[str, int], State] = {}
        if watches:
            where, value = among("r.id", list(watches))
            with raw_cursor() as cursor:
                for pk, project, *columns in cursor.execute(_LOOK + where, [value]).fetchall():
                    if project == watches[pk][0]:  # else it was renamed
                        found[watches[pk]] = State(*columns[:-1], bool(columns[-1]))
        for subject in watches.values():
            if subject not in found:
                self._found.pop(subject)
        return found

    def answer(self, subject: tuple[str, int], facts: State, actor: Actor, cursor: tuple[int, int]) -> Answer | Making:
        watch = self._found.get(subject)
        if watch is None:
            return Making(subject, lambda: self.find(subject))
        return watch.answer(facts, rights_of(actor, facts, watch.requester), *cursor)

    def clear(self) -> None:
        """Forget everything (tests)."""
        self._found.clear()
        _answers.clear()
        _parts.clear()


# A worker takes back what the rollout has left, so its page goes on changing after its end.
_LOOK = """
SELECT r.id, p.name, r.project_id, r.revision, r.last_seq, r.state,
  EXISTS (SELECT 1 FROM {leftover} l JOIN {step} s ON s.id = l.step_id WHERE s.rollout_id = r.id AND l.asked_at IS NOT NULL)
FROM {rollout} r JOIN {project} p ON p.id = r.project_id WHERE """.format(
    **{model.__name__.lower(): model._meta.db_table for model in (Leftover, Step, Rollout, Project)})

watches = RolloutTopic()
topics.register(watches)
rollout_live = direct(watches.path)(view_of(watches))


def _number(value: str) -> int:
    return int(value) if value.isdigit() and len(value) < 16 else 0
