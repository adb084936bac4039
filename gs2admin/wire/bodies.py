"""Reads a request body: bounded before and after decompression, then JSON that must be one object.

The framework's own size limit sees compressed bytes only, and 1 MB of gzip can be 1 GB of zeros; here the inflater
is stopped at the cap, so neither time nor memory follows what the sender claims.
"""

from __future__ import annotations

import json
import time
import zlib
from typing import Any, BinaryIO

from gs2admin.wire.failures import Failure, refuse

# Concatenated gzip members are legal; nobody sends many, and each costs set-up time.
_MAX_MEMBERS = 16
_CHUNK = 64 * 1024
# A refused sender is still heard for so long, because many clients read the answer only after having sent all.
_DRAIN_S = 0.5
_DRAIN_BYTES = 256 * 1024 * 1024


def read_raw(environ: dict[str, Any], service: str, cap: int) -> bytes:
    """The bytes as they were sent, chunked or not; slightly more than the cap is allowed for gzip's own overhead."""
    stream: BinaryIO = environ["wsgi.input"]
    cap += cap // 64 + 1024
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    try:
        length = None if chunked else int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise _bad(service, "The Content-Length is not a number.") from None
    if length is not None and length > cap:
        _drain(stream, length)
        raise _too_large(service)
    try:
        data = stream.read(cap + 1 if length is None else length) if length != 0 else b""
    except Exception:  # noqa: BLE001  servers raise their own kinds for a broken chunk or a lost connection
        raise _bad(service, "The body could not be read.") from None
    if len(data) > cap:
        _drain(stream, _DRAIN_BYTES)
        raise _too_large(service)
    if length is not None and len(data) < length:
        raise _bad(service, "The body is shorter than its Content-Length.")
    return data


def decode(data: bytes, encoding: str, service: str, cap: int) -> bytes:
    """The body after its Content-Encoding, at most `cap` bytes."""
    encoding = encoding.strip().lower()
    if not data or encoding in {"", "identity"}:
        if len(data) > cap:
            raise _too_large(service)
        return data
    if encoding not in {"gzip", "x-gzip"}:
        raise _bad(service, "The Content-Encoding is not known; gzip and identity are.")
    return _gunzip(data, service, cap)


def _gunzip(data: bytes, service: str, cap: int) -> bytes:
    parts: list[bytes] = []
    left = cap
    for _ in range(_MAX_MEMBERS):
        inflater = zlib.decompressobj(wbits=31)
        try:
            part = inflater.decompress(data, left + 1)
        except zlib.error:
            raise _bad(service, "The body is not gzip.") from None
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise _too_large(service)
        if not inflater.eof:
            raise _bad(service, "The gzip body ends too early.")
        data = inflater.unused_data
        if not data:
            return b"".join(parts)
    raise _bad(service, "The gzip body has too many members.")


def parse_object(data: bytes, service: str) -> dict[str, Any]:
    """The object in a JSON text. Doubled keys and NaN are refused: two readers would read two things."""
    if not data.strip():
        return {}
    try:
        value = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    except RecursionError:
        raise _bad(service, "The JSON is nested too deeply.") from None
    except ValueError:
        raise _bad(service, "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise _bad(service, "The body is not a JSON object.")
    return value


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("doubled key")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _drain(stream: BinaryIO, length: int) -> None:
    deadline = time.monotonic() + _DRAIN_S
    left = min(length, _DRAIN_BYTES)
    try:
        while left > 0 and time.monotonic() < deadline:
            part = stream.read(min(_CHUNK, left))
            if not part:
                return
            left -= len(part)
    except Exception:  # noqa: BLE001  the sender is refused anyway
        return


def _bad(service: str, sentence: str) -> Failure:
    return refuse(400, "body", f"{service}.request.body.error.invalid", sentence)


def _too_large(service: str) -> Failure:
    return refuse(400, "body", f"{service}.request.body.error.tooLong", "The body is too large.")
