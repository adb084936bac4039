"""What is wrong with an answer: its status, and its form at the door through which it was asked.

A door is a family of addresses whose clients read one form: gs2, api (our own JSON), sourcedeploy, asm, link (files and
calendars by signed address), probe, page.
"""
from __future__ import annotations

import json
import re
from typing import NamedTuple

from gs2admin.wire.protocol import protocols
from gs2admin.wire.table import API, GS2_SERVICES

PROGRAMS = ("gs2", "api", "sourcedeploy", "asm")
KNOWN_TO_GS2 = {200, 400, 401, 402, 404, 409}
ELEMENT = {"component", "message", "code"}
WORD = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9]+){3,4}")
# Nothing of the inside of a server may be in an answer.
INSIDE = re.compile(
    rb"Traceback \(most recent|File \"/|site-packages|django\.(?:db|core|http|views)|psycopg|sqlite3\.|OperationalError|"
    rb"IntegrityError|DataError|ValidationError\b|pydantic|lupa\.|<title>Server Error|DEBUG = True"
)
HTML = re.compile(rb"<!doctype|<html|<body", re.IGNORECASE)
LINKS = re.compile(r"/user-data/|/p/[^/]+/freezes\.ics|/openapi\.json")
# Pages: redirects to other pages, fragments without news, the end of asking.
PAGES = {200, 204, 286, 301, 302, 303, 304, 400, 401, 402, 403, 404, 405, 409, 410, 413, 429}


class Answer(NamedTuple):
    """One answer. headers: names in lower case. body: unpacked."""

    status: int
    headers: dict[str, str]
    body: bytes


def door_of(path: str) -> str:
    """The door of a path."""
    first = path.lstrip("/").partition("/")[0].partition("?")[0]
    if first in GS2_SERVICES:
        return "gs2"
    if first == API:
        return "api"
    for protocol in protocols():
        if path == protocol.root or path.startswith(f"{protocol.root}/"):
            return protocol.name
    if first in ("healthz", "readyz"):
        return "probe"
    return "link" if LINKS.match(path) else "page"


def read_as(door: str, host: str) -> str:
    """The door whose form an answer has: a host name of the cloud stands above paths that belong to no published protocol."""
    above = {"probe", *(protocol.name for protocol in protocols())}
    return "gs2" if host.endswith("gs2io.com") and door not in above else door


def faults(door: str, verb: str, answer: Answer) -> list[str]:
    """What is wrong with it, in words; an empty list when nothing is."""
    found = []
    if answer.status >= 500 and not (door == "probe" and answer.status == 503):
        found.append(f"status {answer.status}")
    if inside := INSIDE.search(answer.body):
        found.append(f"the inside of the server is shown: {answer.body[max(0, inside.start() - 60) : inside.end() + 60]!r}")
    if verb == "HEAD":
        if answer.body:
            found.append("an answer to HEAD has a body")
    elif answer.status not in (204, 304):
        found += _form(door, answer)
    if "no-store" not in answer.headers.get("cache-control", ""):
        found.append("the answer may be kept (Cache-Control)")
    if door not in ("page", "link"):  # a file's form ends at its page; and a cookie of a session that is over is taken away
        found += [f"an answer to programs has {name}" for name in ("set-cookie", "location") if name in answer.headers]
    return found


def _form(door: str, answer: Answer) -> list[str]:
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if door in PROGRAMS or door == "probe":
        if kind != "application/json" or HTML.search(answer.body[:200]):
            return [f"{kind or 'no type'} instead of JSON"]
        try:
            body = json.loads(answer.body or b"null")
        except ValueError:
            return ["the body is not JSON"]
        return _refusal(door, answer, body) if answer.status >= 400 else _success(door, body)
    if door == "link":
        html = (kind == "text/html" and answer.body) or HTML.search(answer.body[:200])
        return [f"{kind} at a link"] if html else []
    if answer.status not in PAGES and answer.status < 500:
        return [f"status {answer.status} at a page"]
    return ["a page without a type"] if answer.body and not kind else []


def _success(door: str, body: object) -> list[str]:
    # An action of SourceDeploy may have an empty answer.
    fine = isinstance(body, dict) or (body is None and door in ("sourcedeploy", "asm"))
    return [] if fine else ["a success that is no JSON object"]


def _refusal(door: str, answer: Answer, body: object) -> list[str]:
    if not isinstance(body, dict):
        return ["a refusal that is no JSON object"]
    check = {"gs2": _gs2, "api": _api, "sourcedeploy": _sourcedeploy, "asm": _asm}.get(door)
    return check(answer, body) if check else []


def _gs2(answer: Answer, body: dict) -> list[str]:
    found = [] if answer.status in KNOWN_TO_GS2 or answer.status >= 500 else [f"GS2 clients do not know status {answer.status}"]
    try:
        elements = json.loads(body["message"])
        right = set(body) <= {"message", "sentence"} and elements and all(
            set(each) == ELEMENT and _texts(each) and WORD.fullmatch(each["message"]) for each in elements
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        right = False
    return found if right else [*found, f"not an error of GS2: {answer.body[:200]!r}"]


def _api(answer: Answer, body: dict) -> list[str]:
    error = body.get("error")
    right = set(body) == {"error"} and isinstance(error, dict) and set(error) == {"code", "message"}
    return [] if right and _texts(error) else [f"not our error: {answer.body[:200]!r}"]


def _sourcedeploy(answer: Answer, body: dict) -> list[str]:
    error = body.get("error")
    right = set(body) == {"error"} and isinstance(error, dict) and list(error) == ["errorCode", "message", "details"]
    return [] if right and _texts(error) else [f"not an error of SourceDeploy: {answer.body[:200]!r}"]


def _asm(answer: Answer, body: dict) -> list[str]:
    right = list(body) == ["errorCode", "errorMsg"] and _texts(body) and body["errorCode"].startswith("ASM.")
    return [] if right else [f"not an error of ASM: {answer.body[:200]!r}"]


def _texts(found: dict) -> bool:
    return all(isinstance(text, str) and text for text in found.values())


def is_no_route(door: str, answer: Answer) -> bool:
    """Whether an answer says that no method has this path and verb, and not that a thing which the path names is not there."""
    if answer.status not in (404, 405):
        return False
    text = answer.body.decode("utf-8", "replace")
    said = ("request.method.error.notFound", "http.request.error.notFound", "There is no such path")
    if answer.status == 405 or any(words in text for words in said):
        return True
    return " only." in text if door in ("sourcedeploy", "asm") else "The page does not exist" in text
