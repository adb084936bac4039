"""Seeded garbage at the door: never a fault of the server, always the one error body."""

from __future__ import annotations

import json
import random
import socket

from tests.wire.samples import GS2_METHODS
from tests.wire.test_refusals import KEYS

PIECES = [
    "dev",
    "null",
    "",
    "..",
    ".",
    "%",
    "%2F",
    "%00",
    "%ff",
    "%zz",
    "a" * 300,
    "system",
    "version",
    "user",
    "me",
    "progress",
    "output",
    "promote",
    "é",
    "+",
    ";",
    "*",
    "~",
    "'",
    '"',
    "<x>",
    "$(id)",
    "{0}",
    "\\",
    "login",
    "projectToken",
    "timeoffset",
    "token",
]
VALUES = [
    None,
    True,
    False,
    0,
    -1,
    1.5,
    10**40,
    "",
    "null",
    "None",
    "dev",
    "x" * 2000,
    "\ud800",
    "\0",
    [],
    {},
    [[]],
    {"a": None},
    "1",
    "1e9",
    "ａ",
    "利用者",
    "' OR 1=1 --",
    "${jndi:x}",
    "../../etc/passwd",
]
HEADERS = ["null", "x", "Bearer", "-1", "true", "gzip", "a" * 3000, "\xff", "1, 2", "chunked;x"]


def _request(dice: random.Random, token: str) -> bytes:
    method = dice.choice(GS2_METHODS)
    verb = dice.choice([method.verb] * 6 + ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
    path = method.path
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        path = path[:start] + dice.choice(PIECES) + path[end + 1 :]
    if dice.random() < 0.3:
        path += dice.choice(["/", "//", "?", "?limit=", "?a=%", "#x", "?&&", "/" + dice.choice(PIECES)])
    names = [info.alias for info in method.request.model_fields.values()]
    fields = {name: dice.choice(VALUES) for name in [*names, "contextStack"] if dice.random() < 0.8}
    if method.verb == "GET" and fields and dice.random() < 0.7:
        path += "?" + "&".join(f"{name}={dice.choice(PIECES)}" for name in fields)
    body = b""
    if method.verb == "POST":
        body = json.dumps(fields).encode()
        if dice.random() < 0.3:
            where = dice.randrange(len(body))
            body = body[:where] + dice.randbytes(dice.randrange(1, 5)) + body[where + dice.randrange(3) :]
    lines = [f"{verb} /{method.service}{path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}"]
    if dice.random() < 0.8:
        lines.append(f"Authorization: Bearer {token}")
    for name in ("Content-Encoding", "X-GS2-ACCESS-TOKEN", "X-GS2-TIME-OFFSET-TOKEN", "X-GS2-CLIENT-ID", "Accept-Encoding"):
        if dice.random() < 0.15:
            lines.append(f"{name}: {dice.choice(HEADERS)}")
    lines.append("X-GS2-DRY-RUN: true")
    return "\r\n".join(lines).encode("latin-1", "replace").replace(b" ?", b"?") + b"\r\n\r\n" + body


def _answer(link: socket.socket) -> tuple[int, bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        part = link.recv(65536)
        assert part, "the server hung up without an answer"
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line.split(b":", 1) for line in head.split(b"\r\n")[1:]]
    length = int({name.lower(): value for name, value in lines}[b"content-length"])
    while len(body) < length:
        body += link.recv(65536)
    return int(head.split()[1]), head, body


def test_garbage_is_refused_in_our_words(server):
    dice = random.Random(20261121)
    token = server.token()
    statuses: dict[int, int] = {}
    link = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    for number in range(1500):
        request = _request(dice, token)
        link.sendall(request)
        status, head, body = _answer(link)
        statuses[status] = statuses.get(status, 0) + 1
        where = f"request {number}: {request[:300]!r} -> {status} {body[:300]!r}"
        assert status in {200, 400, 401, 404, 409}, where
        assert b"\r\nContent-Type: application/json" in head and b"set-cookie" not in head.lower(), where
        if status != 200:
            assert all(set(element) == KEYS for element in json.loads(json.loads(body)["message"])), where
        if b"connection: close" in head.lower():
            link.close()
            link = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    link.close()
    assert len(statuses) >= 4, statuses
    assert "Traceback" not in server.log.read_text()
