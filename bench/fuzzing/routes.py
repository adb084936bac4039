"""Calls of every route × every verb × odd addresses, queries, headers and bodies: of programs from the table, the protocols and
the document's other addresses, of pages and links from Django's resolver."""
from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from django.urls import URLResolver, get_resolver

from bench.fuzzing import hostile
from bench.fuzzing.judge import door_of
from bench.fuzzing.wire import Call
from bench.fuzzing.world import MISSING, RIGHT, WRONG, World
from gs2admin.wire.openapi_plain import plain
from gs2admin.wire.protocol import protocols
from gs2admin.wire.table import table

PIECE = re.compile(r"{\+?(\w+)}|<(?:\w+:)?(\w+)>")
# Would end the session that all calls of pages use, or change who may use it.
LAST = ("logout", "admin/logout", "account/password", "admin/password_change", "identity/user", "identity/membership")


class Route(NamedTuple):
    """door, the verb that it is for ("" for a page), and its path with pieces."""

    door: str
    verb: str
    path: str


def of_programs() -> list[Route]:
    """Every route that programs call: methods of the table, calls of the published protocols, links and probes."""
    found = [Route(door_of(f"/{m.service}{m.path}"), m.verb, f"/{m.service}{m.path}") for m in table().methods]
    found += [Route(each.name, route.verb, each.prefix + route.path) for each in protocols() for route in each.routes]
    return found + [Route(door_of(one.path), one.verb, one.path) for one in plain()]


def of_pages() -> list[Route]:
    """Every route of Django's resolver, its administration too."""
    found: list[Route] = []

    def walk(patterns: list, prefix: str) -> None:
        for entry in patterns:
            where = prefix + _plain(str(entry.pattern))
            if isinstance(entry, URLResolver):
                walk(entry.url_patterns, where)
            else:
                found.append(Route(door_of(where), "", where))

    walk(get_resolver().url_patterns, "/")
    return sorted(set(found), key=lambda route: (any(word in route.path for word in LAST), route.path))


def _plain(pattern: str) -> str:
    """A pattern without the signs of regular expressions, which Django's administration uses."""
    return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"<\1>", pattern).replace("^", "").replace("$", "").replace("\\", "")


def calls(route: Route, world: World, known: dict[str, str], count: int, seed: int, cookies: dict[str, str]) -> Iterator[Call]:
    """`count` calls of it. cookies: {who: value of Cookie} of people who are signed in, for pages and links."""
    dice = random.Random(f"{seed} {route}")
    verbs = [route.verb] * 4 if route.verb else ["GET", "POST"] * 2
    for number in range(count):
        # Every verb at least once, then mostly those that the route is for.
        verb = hostile.VERBS[number] if number < len(hostile.VERBS) else dice.choice([*verbs, *hostile.VERBS])
        path = PIECE.sub(lambda piece: _piece(piece[1] or piece[2], known, dice), route.path)
        if dice.random() < 0.4:
            path += dice.choice(hostile.QUERIES)
        body = dice.choice(hostile.BODIES) if verb not in ("GET", "HEAD", "TRACE") or dice.random() < 0.1 else b""
        headers = {"Content-Type": dice.choice(hostile.TYPES)} if body else {}
        if body and route.door == "page" and dice.random() < 0.5:
            body, headers = dice.choice(hostile.FORMS), {"Content-Type": "application/x-www-form-urlencoded"}
        if route.door in ("page", "link", "probe"):
            who = dice.choice([*cookies, MISSING])
            headers |= _of_a_person(who, cookies, dice)
        else:
            who = dice.choice([RIGHT] * 4 + [MISSING, *WRONG])
            headers |= world.authorization(who, route.door, verb, path)
        if dice.random() < 0.4:
            headers |= dice.choice(hostile.HEADERS)
        # Nothing is taken away for good, so that later calls meet it.
        if route.door in ("gs2", "api") and dice.random() < 0.9:
            headers["X-GS2-DRY-RUN"] = "true"
        yield Call(verb, path, headers, body, who)


def _piece(name: str, known: dict[str, str], dice: random.Random) -> str:
    if name in known and dice.random() < 0.6:
        return known[name].replace("/", "%2F")
    return dice.choice(hostile.PIECES)


def _of_a_person(who: str, cookies: dict[str, str], dice: random.Random) -> dict[str, str]:
    if who not in cookies:
        return {}
    cookie = cookies[who]
    found = {"Cookie": cookie}
    token = re.search(r"csrftoken=(\w+)", cookie)
    if token and dice.random() < 0.8:
        found["X-CSRFToken"] = token[1]
    return found
