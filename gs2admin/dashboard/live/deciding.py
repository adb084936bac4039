"""Decides about requests for live parts, many at once: two statements for all of them, and no more.

Each is judged by what was read after it arrived: whether its session still counts, which role its person has in the project now,
and what is there. Nothing is held here, and nothing waited for but the database.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import Enum, auto
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import close_old_connections
from django.shortcuts import resolve_url

from gs2admin.dashboard.live import pace, replies
from gs2admin.dashboard.live.asks import Ask, Parse, read
from gs2admin.dashboard.live.topics import NOTHING_NEW, Answer, Making, Topic
from gs2admin.dashboard.sessions import sessions
from gs2admin.db.changes import Changes
from gs2admin.identity.rights import can


class Otherwise(Enum):
    """What else there is beside an answer. ORDINARY: Django shall answer it, because something has to be read first."""

    ORDINARY = auto()


ORDINARY = Otherwise.ORDINARY
Verdict = Answer | Making | Otherwise
Watched = tuple[Topic, Hashable]


def absent(topic: Topic) -> replies.Reply:
    """For who may not see it, and where there is nothing."""
    return replies.refused(404, topic.absent)


def sign_in(topic: Topic, subject: Hashable) -> replies.Reply:
    """The page's script goes where the header says."""
    return replies.refused(401, "", HX_Redirect=f"{resolve_url(settings.LOGIN_URL)}?next={quote(topic.page(subject))}")


class Deciding:
    """For one thread, but `read`, which is for another one."""

    def __init__(self) -> None:
        self._changes = Changes()

    def read(self, head: bytes, peer: str, parse: Parse) -> Ask | None:
        """A request that is decided about here; asks nobody."""
        return read(head, peer, parse)

    def decide(self, asks: Sequence[Ask]) -> list[Verdict]:
        """What becomes of each. Raises the database's errors."""
        facts = self.facts({(ask.topic, ask.subject) for ask in asks})
        pairs = {}
        for ask in asks:
            found = facts.get((ask.topic, ask.subject))
            if found is not None and ask.headers.session:
                pairs[ask.headers.session, found.project_id] = None
        actors = sessions.actors(pairs) if pairs else {}
        verdicts: list[Verdict] = []
        for ask in asks:
            found = facts.get((ask.topic, ask.subject))
            actor = actors.get((ask.headers.session, found.project_id)) if found is not None else None
            if actor is None:
                verdicts.append(ORDINARY)  # not signed in, or not known here yet, or gone
            elif not can(actor, "project.view", found):
                verdicts.append(absent(ask.topic))
            else:
                verdicts.append(ask.topic.answer(ask.subject, found, actor, ask.cursor))
        return verdicts

    def facts(self, watched: Iterable[Watched]) -> dict[Watched, Any]:
        """What is there now; one statement per topic."""
        by_topic: dict[Topic, list[Hashable]] = defaultdict(list)
        for topic, subject in watched:
            by_topic[topic].append(subject)
        return {(topic, subject): found for topic, subjects in by_topic.items()
                for subject, found in topic.look(subjects).items()}  # fmt: skip

    def may_have_changed(self) -> bool:
        """False only where the database says for nothing that nothing was written since the last question."""
        return self._changes.may_be()

    def rest(self) -> None:
        """Nothing is asked for a while: let go of the connection where others need it."""
        close_old_connections()

    def whole(self, ask: Ask, answer: Answer, *, keep: bool) -> tuple[bytes, bytes]:
        """The answer as HTTP."""
        return replies.whole(ask, answer, keep=keep)

    def of_problem(self, problem: BaseException) -> Answer:
        """The answer to those whom an exception was met for."""
        return replies.of_problem(problem)

    def nothing_new(self) -> Answer:
        """204."""
        return NOTHING_NEW

    def tell(self, watchers: int) -> None:
        """How many requests are held, or waited lately."""
        pace.watchers = watchers

    def make(self, making: Making) -> Callable[[], None]:
        """What a thread of the pool runs."""

        def run() -> None:
            close_old_connections()
            try:
                making.make()
            finally:
                close_old_connections()

        return run
