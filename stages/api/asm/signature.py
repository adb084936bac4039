"""Huawei Cloud's request signature (AK/SK, `SDK-HMAC-SHA256`), and the credential behind it.

What is signed is a canonical form of the request: method, path, query, the headers that SignedHeaders names, and the SHA-256 of
the body; then algorithm, time and the hash of that form, with HMAC-SHA256. The published scheme knows no nonce, so a captured
request can be repeated for fifteen minutes. Everything here works on the request as it was sent, one character per byte.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from gs2admin.db import clock
from gs2admin.identity.models import Credential
from gs2admin.wire.protocol import Refused
from stages.api.signers import by_signature

ALGORITHM = "SDK-HMAC-SHA256"
# Valid while the clocks differ by no more than this.
WINDOW_S = 900
# Other algorithms of the vendor's begin so too; none of them is checked here.
_SCHEMES = ("sdk-", "v11-")
_FIELD = re.compile(r"(Access|SignedHeaders|Signature)=([^,\s]*)")
_NAME = re.compile(r"[a-z0-9-]+")
_DATE = "%Y%m%dT%H%M%SZ"
_DATE_SHAPE = re.compile(r"[0-9]{8}T[0-9]{6}Z")
# Without the first, a captured request would do for another host; the second is what SDKs sign at the least besides.
_NEEDED = {"host", "x-sdk-date"}
_BODY_HASH = "HTTP_X_SDK_CONTENT_SHA256"
_META = {"content-type": "CONTENT_TYPE", "content-length": "CONTENT_LENGTH"}
_UNSIGNED = "UNSIGNED-PAYLOAD"


class Shown(NamedTuple):
    """What the Authorization header says. names: of the signed headers, in the order in which they were signed."""

    access_key: str
    names: list[str]
    signature: str


def signed(meta: dict[str, Any]) -> bool:
    """Whether the request carries a signature of the vendor's, whatever it is worth."""
    return meta.get("HTTP_AUTHORIZATION", "").strip().lower().startswith(_SCHEMES)


def caller(meta: dict[str, Any], method: str, uri: str, body: bytes, now_s: float | None = None) -> Credential:
    """The live credential that signed. uri: path and query as sent; body: before its Content-Encoding is undone.

    Raises Refused 401 with a sentence that says what was wrong, but not whether the access key exists; 503 after too many
    wrong signatures.
    """
    shown = _shown(meta.get("HTTP_AUTHORIZATION", ""))
    date = meta.get("HTTP_X_SDK_DATE", "").strip()
    _check_date(date, clock.seconds() if now_s is None else now_s)
    form = canonical(method, uri, _headers(meta, shown.names), _body_hash(meta, body))
    return by_signature(shown.access_key, shown.signature, lambda secret: sign(secret, date, form), meta, throttled=503)


def sign(secret: str, date: str, form: bytes) -> str:
    """The signature, hexadecimal. date: as in X-Sdk-Date; form: of `canonical`."""
    text = f"{ALGORITHM}\n{date}\n{hashlib.sha256(form).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def canonical(method: str, uri: str, headers: list[tuple[str, str]], body_hash: str) -> bytes:
    """The form of a request that is signed. headers: (name in lower case, value), in the order of SignedHeaders."""
    path, _, query = uri.partition("?")
    lines = "".join(f"{name}:{value.strip()}\n" for name, value in headers)
    names = ";".join(name for name, _ in headers)
    text = f"{method.upper()}\n{_path(path)}\n{_query(query)}\n{lines}\n{names}\n{body_hash}"
    return text.encode("latin-1", "replace")


def _path(path: str) -> str:
    """Decoded, each segment encoded again in one way, and a slash at the end."""
    found = "/".join(quote(part, safe="~") for part in unquote_to_bytes(path.encode("latin-1", "replace")).split(b"/"))
    return found if found.endswith("/") else found + "/"


def _query(query: str) -> str:
    """Fields in the order of their names and values; a plus is a blank, as in what we read of the query."""
    pairs = (part.partition(b"=") for part in query.replace("+", " ").encode("latin-1", "replace").split(b"&") if part)
    fields = sorted((unquote_to_bytes(name), unquote_to_bytes(value)) for name, _, value in pairs)
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in fields)


def _shown(header: str) -> Shown:
    scheme, _, rest = header.strip().partition(" ")
    if scheme.upper() != ALGORITHM:
        raise Refused(401, f"Sign with {ALGORITHM}; no other algorithm is checked here.")
    parts = [_FIELD.fullmatch(part.strip()) for part in rest.split(",")]
    found = {part[1]: part[2] for part in parts if part}
    if len(parts) != 3 or len(found) != 3 or not all(found.values()):
        raise Refused(401, f"Authorization reads {ALGORITHM} Access=…, SignedHeaders=…, Signature=….")
    names = found["SignedHeaders"].split(";")
    if not all(_NAME.fullmatch(name) for name in names) or not _NEEDED.issubset(names):
        raise Refused(401, "SignedHeaders has names in lower case with semicolons between them, host and x-sdk-date among them.")
    return Shown(found["Access"], names, found["Signature"])


def _headers(meta: dict[str, Any], names: list[str]) -> list[tuple[str, str]]:
    found = [(name, meta.get(_META.get(name) or "HTTP_" + name.upper().replace("-", "_"))) for name in names]
    if any(value is None for _, value in found):
        raise Refused(401, "SignedHeaders names a header that did not arrive; a proxy in front may have taken it out.")
    return found


def _check_date(date: str, now_s: float) -> None:
    try:
        when = datetime.strptime(date, _DATE).replace(tzinfo=UTC).timestamp() if _DATE_SHAPE.fullmatch(date) else None
    except ValueError:
        when = None
    if when is None or abs(now_s - when) > WINDOW_S:
        raise Refused(401, "X-Sdk-Date is more than fifteen minutes away from the server's clock, or not as 20261130T093000Z.")


def _body_hash(meta: dict[str, Any], body: bytes) -> str:
    """The hash of the body that arrived: a captured signature is good for no other one."""
    found = hashlib.sha256(body).hexdigest()
    told = meta.get(_BODY_HASH, "").strip()
    if not told or (told == _UNSIGNED and not body):
        return found
    if told == _UNSIGNED:
        raise Refused(401, "The body must be signed too: send it as application/json, and X-Sdk-Content-Sha256 not at all.")
    if told.lower() != found:
        raise Refused(401, "X-Sdk-Content-Sha256 is not the hash of the body that arrived.")
    return told
