"""What a GS2 client asks for and nothing here answers: other services, and paths that are nearly ours.

A client reads no page: it gets the error body of its protocol, and never a redirect. It is recognised by a host name of the
cloud, by headers that only programs send, and by the first name in its path. A browser without those gets the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import unquote

from django.urls import Resolver404, resolve

from gs2admin.wire.failures import Failure, refuse
from gs2admin.wire.location import Location, target_of
from gs2admin.wire.table import API, GS2_SERVICES

# GS2's services that are not served here: the modules of its SDKs, and its WebSocket host.
OTHER_SERVICES = (
    "account", "ad-reward", "buff", "chat", "datastore", "deploy", "dictionary", "distributor", "enchant", "enhance",
    "exchange", "experience", "formation", "friend", "gateway-ws", "grade", "guard", "guild", "idle", "inbox", "inventory",
    "key", "limit", "log", "login-reward", "lottery", "matchmaking", "mega-field", "mission", "money", "money2", "news",
    "project", "quest", "ranking", "ranking2", "realtime", "schedule", "season-rating", "serial-key", "showcase",
    "skill-tree", "stamina", "state-machine", "version",
)  # fmt: skip
# The service in whose form it is said that nothing answers; it is in no table.
NONE = "transport"
_CLOUD = re.compile(r"(?:.*\.)?gen2\.gs2io\.com\.?(?::\d*)?", re.IGNORECASE)
_REGION = re.compile(r"([^.]+)\.[a-z]{2,}-[a-z]+-\d+\..+", re.IGNORECASE)
_FIRST = re.compile(r"/([a-z0-9_-]+)")
_OURS_ONLY = ("HTTP_X_GS2_CLIENT_ID", "HTTP_X_GS2_ACCESS_TOKEN")
V = TypeVar("V", bound=Callable[..., Any])


def _plain(name: str) -> str:
    """A service's name as any SDK spells it: job-queue, job_queue, jobQueue."""
    return name.lower().replace("-", "").replace("_", "")


_NAMES = frozenset(_plain(name) for name in (*GS2_SERVICES, *OTHER_SERVICES, API))


def for_programs(view: V) -> V:
    """Marks a page that programs may ask for too, with their headers. Stands above other decorators."""
    view.for_programs = True
    return view


def meant(path: str) -> tuple[str, str]:
    """What the sender of a path may have meant: in lower case, decoded, without doubled slashes; `..` followed, and left out."""
    followed: list[str] = []
    left: list[str] = []
    for segment in unquote(path, "latin-1").lower().replace("\\", "/").split("/"):
        if segment == "..":
            followed = followed[:-1]
        elif segment not in {"", "."}:
            followed.append(segment)
            left.append(segment)
    return "/" + "/".join(followed), "/" + "/".join(left)


def look(meta: dict[str, Any], *, pages: bool = True) -> Location | None:
    """In whose form it is to be said that nothing answers; None for a page. For requests that `locate` does not know.

    pages: whether a page may answer; a request that is refused before it is read whole has none.
    """
    path, host = target_of(meta)
    if _of_the_cloud(host):
        return Location(NONE, path, served=False)
    firsts = {_plain(first[1]) for first in map(_FIRST.match, meant(path)) if first}
    if _is_program(meta):
        page = pages and getattr(_view(meta), "for_programs", False)
    else:
        page = not firsts & _NAMES or pages and _is_for_people(meta)
    return None if page else Location(API if API in firsts else NONE, path, served=False)


def nothing_here() -> Failure:
    """The refusal."""
    sentence = "Nothing answers to this address: no service of that name, or not spelled so."
    return refuse(404, "request", "transport.http.request.error.notFound", sentence)


def _of_the_cloud(host: str) -> bool:
    if _CLOUD.fullmatch(host):
        return True
    named = _REGION.match(host)
    return named is not None and _plain(named[1]) in _NAMES - {API}


def _is_program(meta: dict[str, Any]) -> bool:
    """Whether it carries what only clients of GS2 send. A preflight only tells that they will."""
    if any(name in meta for name in _OURS_ONLY) or meta.get("HTTP_AUTHORIZATION", "")[:7].lower() == "bearer ":
        return True
    return "x-gs2-" in meta.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "").lower()


def _is_for_people(meta: dict[str, Any]) -> bool:
    """Whether a person may be reading: a browser asks for HTML, and parts of a page are asked for at the pages' paths."""
    return "text/html" in meta.get("HTTP_ACCEPT", "").lower() or _view(meta) is not None


def _view(meta: dict[str, Any]) -> Callable[..., Any] | None:
    try:
        return resolve(meta.get("PATH_INFO") or "/").func
    except Resolver404:
        return None
