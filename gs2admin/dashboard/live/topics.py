"""What is watched: declared by the domains, looked at for all watchers at once."""
from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from gs2admin.identity.actors import Actor


class Answer(NamedTuple):
    """An HTTP status and the HTML that goes with it."""

    status: int
    body: bytes


class Making(NamedTuple):
    """What has to be made first: `make` fills a cache, so that whoever asks for `key` finds it. It may ask the database."""

    key: Hashable
    make: Callable[[], Any]


class Facts(Protocol):
    """What a look found of a subject: at least the project whose members may see it."""

    project_id: int


NOTHING_NEW = Answer(204, b"")


class Topic(ABC):
    """One kind of live part. path: of the router's form, in which `subject` finds what is watched.

    A subject is hashable. Nothing here knows who asks but by the actor that is given.
    """

    path: str
    # For who may not see it, and where there is nothing: the same words.
    absent: str

    @abstractmethod
    def subject(self, pieces: Mapping[str, str]) -> Hashable:
        """What the pieces of a path name."""

    @abstractmethod
    def page(self, subject: Any) -> str:
        """The address of the page that shows it."""

    @abstractmethod
    def cursor(self, given: Mapping[str, str]) -> Hashable:
        """Where a page is, from its query string; anything may stand in that."""

    @abstractmethod
    def find(self, subject: Any) -> bool:
        """Remember how to look at it. False when there is none."""

    @abstractmethod
    def look(self, subjects: Iterable[Any]) -> dict[Any, Facts]:
        """The facts of those that are remembered and still there, by one statement."""

    @abstractmethod
    def answer(self, subject: Any, facts: Any, actor: Actor, cursor: Any) -> Answer | Making:
        """What an actor, who may see it, gets at a cursor. Asks nothing and nobody: what costs more is Making."""


_PIECE = re.compile(r"\{(\w+)(:int)?\}")
_topics: list[tuple[re.Pattern[str], Topic]] = []


def register(topic: Topic) -> None:
    """Let requests of its path be answered."""
    pattern = _PIECE.sub(lambda piece: f"(?P<{piece[1]}>{'[0-9]{1,9}' if piece[2] else '[A-Za-z0-9._-]+'})", topic.path)
    _topics.append((re.compile(pattern), topic))


def found(path: str) -> tuple[Topic, Hashable] | None:
    """The topic and the subject of a path without escapes, None where there is none."""
    for pattern, topic in _topics:
        match = pattern.fullmatch(path)
        if match:
            return topic, topic.subject(match.groupdict())
    return None
