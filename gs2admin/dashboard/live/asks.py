"""Reads a request for something live from its head, without a parser where the same head was parsed before. Pure: asks nobody.

All requests of a page have the same headers but for their first line, so what headers mean is remembered by their bytes. What is
unusual in any way is left to the ordinary way of requests, which answers the same.
"""
from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.http import parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils.module_loading import import_string

from gs2admin.cache import FOR_EVER, Cache
from gs2admin.caller import Ambiguous, find
from gs2admin.dashboard.live import topics
from gs2admin.dashboard.live.topics import Topic
from gs2admin.logs import HEADER, sane_request_id

_LINE = re.compile(rb"GET (/[A-Za-z0-9._/-]+/live)\?([a-z]+=[0-9]{0,48}(?:&[a-z]+=[0-9]{0,48}){0,3}) HTTP/1\.1\r\n")
# Anything else in a head is somebody else's matter.
_UNUSUAL = {"CONTENT-LENGTH", "TRANSFER-ENCODING", "EXPECT", "UPGRADE", "ORIGIN"}
_META = {"X-FORWARDED-FOR", "FORWARDED", "X-FORWARDED-PROTO"}
# Gives the method, the version and the headers of a head that is not known yet, names in capitals; None for what is no HTTP.
Parse = Callable[[], tuple[str, tuple[int, int], list[tuple[str, str]]] | None]


class Headers(NamedTuple):
    """What headers mean. usual: they can be answered here. client: the address of whoever asks. close: after the answer."""

    usual: bool
    session: str = ""
    client: str = ""
    request_id: str = ""
    close: bool = False


class Ask(NamedTuple):
    """One request. hold: it may wait for something new. began: by time.perf_counter."""

    topic: Topic
    subject: Hashable
    cursor: Any
    hold: bool
    headers: Headers
    path: str
    began: float


_UNKNOWN = Headers(False)
_known: Cache[tuple[bytes, str], Headers] = Cache(
    ttl_s=FOR_EVER, entries=4_096, max_bytes=2_500_000, size=lambda headers: 400 + len(headers.session)
)


def read(head: bytes, peer: str, parse: Parse) -> Ask | None:
    """head: all of it. peer: the address of the connection. None: it goes the ordinary way."""
    line = _LINE.match(head)
    if line is None:
        return None
    path = line[1].decode("ascii")
    found = topics.found(path)
    if found is None:
        return None
    headers = _known.get((head[line.end() :], peer))
    if headers is None:
        headers = _known.put((head[line.end() :], peer), _meaning(path, peer, parse()))
    if not headers.usual:
        return None
    topic, subject = found
    given = dict(pair.split("=", 1) for pair in line[2].decode("ascii").split("&"))
    return Ask(topic, subject, topic.cursor(given), given.get("wait") == "1", headers, path, time.perf_counter())


def _meaning(path: str, peer: str, parsed: Any) -> Headers:
    if parsed is None:
        return _UNKNOWN
    method, version, pairs = parsed
    names = [name for name, _ in pairs]
    once = dict(pairs)
    twice = any(names.count(name) > 1 for name in ("COOKIE", "HOST"))
    if method != "GET" or version != (1, 1) or twice or _UNUSUAL & once.keys():
        return _UNKNOWN
    host = once.get("HOST", "")
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return _UNKNOWN
    # A host name may belong to a protocol, whatever the path.
    if import_string(settings.WEB_ENTRIES)({"RAW_URI": path, "HTTP_HOST": host, "SCRIPT_NAME": ""}) is not None:
        return _UNKNOWN
    client = _client(peer, pairs)
    if client is None:
        return _UNKNOWN
    session = parse_cookie(once.get("COOKIE", "")).get(settings.SESSION_COOKIE_NAME, "")
    close = once.get("CONNECTION", "").strip().lower() == "close"
    return Headers(True, session, client, once.get(HEADER.upper(), ""), close)


def _client(peer: str, pairs: Iterable[tuple[str, str]]) -> str | None:
    meta: dict[str, str] = {"REMOTE_ADDR": peer}
    for name, value in pairs:
        if name in _META:
            key = "HTTP_" + name.replace("-", "_")
            meta[key] = f"{meta[key]},{value}" if key in meta else value
    try:
        return find(meta, settings.TRUSTED_PROXIES).address
    except Ambiguous:
        return None


def id_of(ask: Ask) -> str:
    """The id of the request: its own when that is harmless."""
    return sane_request_id(ask.headers.request_id)
