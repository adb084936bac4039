"""Who is calling: the client's address and scheme, behind any number of trusted proxies. The one place that decides it.

`X-Forwarded-For` and `Forwarded` (RFC 7239) are believed only as far as trusted proxies wrote them: the peer of the connection
is looked at first, then the entries from the right, each for as long as the one before is a trusted proxy. The first that
is none is the client; what stands left of it was sent by the client, and is not looked at. gunicorn takes nothing from these
headers (gunicorn.conf.py), so that there is one rule and not two.
"""
from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string

from gs2admin.env import Network

log = logging.getLogger(__name__)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Read nowhere else, so none is left in a request: not a stranger's, and not a proxy's once it was judged.
_HEADERS = ("HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT",
            "HTTP_X_FORWARDED_SSL", "HTTP_X_FORWARDED_PROTOCOL", "HTTP_X_REAL_IP")
# In META: whether the request carried any of them, so that it came through a proxy or pretends to.
PROXIED = "gs2admin.proxied"
# More than any chain of proxies; what is longer is not walked through.
MOST_ENTRIES = 50
_MEND = "let the proxy remove the one that it does not write."
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Also without the quotes that an IPv6 address or a port needs, because proxies forget them.
_QUOTED = r'"((?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*)"'
_PAIR = re.compile(rf"[ \t]*({_TOKEN})=(?:{_QUOTED}|([!#$%&'*+.^_`|~0-9A-Za-z:\[\]-]+))[ \t]*")
_NODE = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<four>[0-9.]+))(?::(?:[0-9]{1,5}|_[0-9A-Za-z._-]+))?")
_HIDDEN = re.compile(r"(?:unknown|_[0-9A-Za-z._-]+)(?::(?:[0-9]{1,5}|_[0-9A-Za-z._-]+))?", re.IGNORECASE)


class Ambiguous(Exception):
    """What trusted proxies wrote cannot be read, or says two things. The text is a sentence for people."""


@dataclass(frozen=True)
class Caller:
    """address: "" where nobody can know it (a unix socket without headers). scheme: of the client's request, or "" if unsaid."""

    address: str
    scheme: str = ""


@dataclass(frozen=True)
class _Hop:
    """What one proxy says of who called it. address: None where it does not say."""

    address: Address | None
    scheme: str = ""


def address_of(text: str) -> Address | None:
    """The address in a text: 192.0.2.1, 2001:db8::1, fe80::1%eth0, ::ffff:192.0.2.1 (which is 192.0.2.1). None for any other."""
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def find(meta: dict[str, Any], trusted: Iterable[Network]) -> Caller:
    """Who sent this request. meta: of WSGI. Raises Ambiguous."""
    trusted = tuple(trusted)
    raw = meta.get("REMOTE_ADDR", "") or ""
    peer = address_of(raw)
    # A peer without an address came by a unix socket: who may open that is the file system's to say.
    if raw and (peer is None or not _among(peer, trusted)):
        return Caller(str(peer or ""))
    plain, standard = meta.get("HTTP_X_FORWARDED_FOR", "").strip(), meta.get("HTTP_FORWARDED", "").strip()
    protocols = [word.strip().lower() for word in meta.get("HTTP_X_FORWARDED_PROTO", "").split(",") if word.strip()]
    found = [_walk(peer, hops, trusted) for hops in (
        _plain(plain, protocols) if plain else None, _standard(standard) if standard else None,
    ) if hops is not None]  # fmt: skip
    if not found:
        return Caller(str(peer or ""), _scheme(protocols[-1]) if protocols else "")
    if len({one.address for one in found}) > 1:
        raise Ambiguous(f"X-Forwarded-For and Forwarded name two different clients; {_MEND}")
    schemes = {one.scheme for one in found if one.scheme} | ({_scheme(protocols[-1])} if not plain and protocols else set())
    if len(schemes) > 1:
        raise Ambiguous(f"X-Forwarded-Proto and Forwarded name two different schemes; {_MEND}")
    return Caller(found[0].address, schemes.pop() if schemes else "")


def _walk(peer: Address | None, hops: Iterable[_Hop], trusted: tuple[Network, ...]) -> Caller:
    """hops: the nearest first. Ends at the first address that is no trusted proxy, or where a proxy hides who called it."""
    client, scheme = peer, ""
    for hop in hops:
        scheme = hop.scheme or scheme
        if hop.address is None:
            break
        client = hop.address
        if not _among(client, trusted):
            break
    return Caller(str(client or ""), scheme)


def _plain(text: str, protocols: list[str]) -> Iterator[_Hop]:
    """X-Forwarded-For, and beside it X-Forwarded-Proto, whose last entry belongs to the last address."""
    entries = [entry for entry in (each.strip(" \t") for each in reversed(text.split(","))) if entry][:MOST_ENTRIES]
    schemes = [_scheme(word) for word in reversed(protocols)][: len(entries)]
    return _read((entry, schemes[n] if n < len(schemes) else "") for n, entry in enumerate(entries))


def _standard(text: str) -> Iterator[_Hop]:
    """Forwarded. Raises Ambiguous where its grammar is broken: a quote of the client's could swallow what the proxy wrote."""
    elements: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        pair = _PAIR.match(text, at)
        if pair is not None:
            name = pair[1].lower()
            if name in elements[-1]:
                raise Ambiguous("The header Forwarded says the same thing twice in one element.")
            elements[-1][name] = re.sub(r"\\(.)", r"\1", pair[2]) if pair[2] is not None else pair[3]
            at = pair.end()
        elif text[at] in " \t":
            at += 1
            continue
        if at < len(text):
            if text[at] == ",":
                elements.append({})
            elif text[at] != ";":
                raise Ambiguous("The header Forwarded cannot be read.")
            at += 1
    said = [each for each in reversed(elements) if each][:MOST_ENTRIES]
    return _read((each.get("for", "unknown"), _scheme(each["proto"]) if "proto" in each else "") for each in said)


def _read(entries: Iterable[tuple[str, str]]) -> Iterator[_Hop]:
    """Each is read when the walk comes to it: what cannot be read is no error where only the client can have sent it."""
    for text, scheme in entries:
        yield _Hop(_node(text), scheme)


def _node(text: str) -> Address | None:
    """The address of an entry, without its port; None for one that hides it. Raises Ambiguous."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    bare = address_of(text)  # also IPv6 without brackets, as X-Forwarded-For has it
    if bare is not None:
        return bare
    parts = _NODE.fullmatch(text)
    found = address_of(parts["six"] or parts["four"]) if parts else None
    if found is not None:
        return found
    if _HIDDEN.fullmatch(text):
        return None
    raise Ambiguous("A trusted proxy sent a client address that cannot be read.")


def _scheme(word: str) -> str:
    return "https" if word.lower() in {"https", "wss"} else "http"


def _among(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def settle(meta: dict[str, Any]) -> None:
    """Put the client's address and scheme where all read them (REMOTE_ADDR, wsgi.url_scheme), and take the headers out.

    Raises Ambiguous, and then nothing is changed.
    """
    proxied = any(name in meta for name in _HEADERS)
    if not proxied:
        # As for any of the others, without walking through what is not there.
        meta[PROXIED], meta["REMOTE_ADDR"] = False, _plain_address(meta.get("REMOTE_ADDR", "") or "")
        return
    caller = find(meta, settings.TRUSTED_PROXIES)
    meta[PROXIED] = any([meta.pop(name, "") for name in _HEADERS])  # noqa: C419  each of them is taken out
    meta["REMOTE_ADDR"] = caller.address
    if caller.scheme:
        meta["wsgi.url_scheme"] = caller.scheme


@lru_cache(maxsize=4096)
def _plain_address(text: str) -> str:
    return str(address_of(text) or "")


def client_of(request: HttpRequest) -> str:
    """The client's address as text, "" when nobody can know it. For activity lines, limits on guesses, and logs."""
    return request.META.get("REMOTE_ADDR", "") or ""


class CallerMiddleware:
    """Settles who calls. Stands behind the log alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta = request.META
        try:
            settle(meta)
        except Ambiguous as problem:
            log.warning("who is calling cannot be told", extra={"peer": meta.get("REMOTE_ADDR", ""), "problem": str(problem)})
            return _refusal(meta, str(problem))
        return self.get_response(request)


def _refusal(meta: dict[str, Any], sentence: str) -> HttpResponse:
    """As for anything that is not valid HTTP (processes/web/refusals.py): in the form that the clients of the address read."""
    form = import_string(settings.WEB_REFUSALS)  # by name: this module knows no door
    status, body = form(meta.get("RAW_URI") or meta.get("PATH_INFO", "/"), meta.get("HTTP_HOST", ""), 400, "invalid", sentence)
    return HttpResponse(body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"})
