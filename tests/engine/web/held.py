"""What decides about requests that are held, in the server of these tests: a file is what is watched, its text what is new."""
from __future__ import annotations

import os
import re
from types import SimpleNamespace
from typing import Any, NamedTuple

from django.conf import settings

from gs2admin.processes.web import long_polls

# News are to be seen because something has changed, and not because everything is looked at now and then.
long_polls.CHECK_S = 60.0
_LINE = re.compile(rb"GET /held/([a-z]+)(\?wait=1)? HTTP/1\.1\r\n")


class Ask(NamedTuple):
    """One request. topic: how it is answered."""

    topic: str
    subject: str
    hold: bool
    headers: Any


class Answer(NamedTuple):
    """204, or what the file has."""

    status: int
    body: bytes


class Decider:
    """WEB_LIVE. /held/broken is a failure, /held/ordinary is left to Django, /held/made has to be made first."""

    def __init__(self) -> None:
        self.made: set[str] = set()

    def read(self, head: bytes, peer: str, parse: Any) -> Ask | None:
        line = _LINE.match(head)
        parsed = parse() if line else None
        if line is None or parsed is None:
            return None
        headers = dict(parsed[2])
        client = headers.get("X-FORWARDED-FOR", peer)
        name = line[1].decode()
        return Ask(name, name, line[2] is not None, SimpleNamespace(client=client, close=headers.get("CONNECTION") == "close"))

    def facts(self, watched: set[Any]) -> dict[Any, Any]:
        return {(topic, name): self._text(name) for topic, name in watched}

    def decide(self, asks: list[Ask]) -> list[Any]:
        return [self._one(ask) for ask in asks]

    def _one(self, ask: Ask) -> Any:
        text = self._text(ask.subject)
        if text is None:
            return Answer(204, b"")
        if ask.topic == "broken":
            raise RuntimeError("hush")
        if ask.topic == "ordinary" or ask.topic == "made" and ask.subject not in self.made:
            return SimpleNamespace(key="made") if ask.topic == "made" else None
        return Answer(200, text * 20_000 if ask.topic == "large" else text)

    def _text(self, name: str) -> bytes | None:
        path = os.path.join(settings.DATA_DIR, f"held-{name}")
        if not os.path.exists(path):
            return None
        with open(path, "rb") as file:
            return file.read()

    def make(self, making: Any) -> Any:
        return lambda: self.made.add("made")

    def may_have_changed(self) -> bool:
        return True

    def rest(self) -> None:
        pass

    def tell(self, watchers: int) -> None:
        pass

    def nothing_new(self) -> Answer:
        return Answer(204, b"")

    def of_problem(self, problem: BaseException) -> Answer:
        return Answer(503, b"away")

    def whole(self, ask: Ask, answer: Answer, *, keep: bool) -> tuple[bytes, bytes]:
        connection = "keep-alive" if keep else "close"
        return f"HTTP/1.1 {answer.status} X\r\nConnection: {connection}\r\nContent-Length: {len(answer.body)}\r\n\r\n".encode(), answer.body
