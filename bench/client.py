"""HTTP/1.1 over one kept-alive connection, written for a thousand of them in one process.

Considered httpx and aiohttp: the first costs ten times the server's own time per request, the second is a dependency
for a hundred lines. Understands what our server sends: Content-Length, chunks, and answers without a body.
"""
from __future__ import annotations

import asyncio
from typing import NamedTuple


class Answer(NamedTuple):
    """One answer. headers: names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Broken(Exception):
    """The connection ended in the middle of an answer, or before it."""


class Link(asyncio.Protocol):
    """One connection; one request at a time."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None
        self.closed = False

    @classmethod
    async def open(cls, host: str, port: int) -> Link:
        """Connect. Raises OSError."""
        _, link = await asyncio.get_running_loop().create_connection(cls, host, port)
        return link

    def connection_made(self, transport) -> None:
        self._transport = transport

    def connection_lost(self, exc) -> None:
        self.closed = True
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(Broken("the server closed the connection"))

    def send(self, data: bytes) -> asyncio.Future[Answer]:
        """Write a whole request; the answer comes in the future. Raises Broken in it."""
        self._waiting = asyncio.get_running_loop().create_future()
        if self.closed:
            self._waiting.set_exception(Broken("the connection is closed"))
        else:
            self._transport.write(data)
        return self._waiting

    def close(self) -> None:
        """Let go."""
        if self._transport:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        answer = self._parse()
        if answer and self._waiting and not self._waiting.done():
            self._waiting.set_result(answer)

    def _parse(self) -> Answer | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        first, *lines = self._buffer[:end].decode("latin-1").split("\r\n")
        status = int(first.split(" ", 2)[1])
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        start = end + 4
        if status == 204 or status == 304:
            body, stop = b"", start
        elif headers.get("transfer-encoding") == "chunked":
            found = self._chunks(start)
            if found is None:
                return None
            body, stop = found
        else:
            stop = start + int(headers.get("content-length", "0"))
            if len(self._buffer) < stop:
                return None
            body = bytes(self._buffer[start:stop])
        del self._buffer[:stop]
        return Answer(status, headers, body)

    def _chunks(self, at: int) -> tuple[bytes, int] | None:
        parts = []
        while True:
            end = self._buffer.find(b"\r\n", at)
            if end < 0:
                return None
            size = int(self._buffer[at:end].split(b";")[0], 16)
            at = end + 2 + size + 2
            if len(self._buffer) < at:
                return None
            if size == 0:
                return b"".join(parts), at
            parts.append(bytes(self._buffer[end + 2 : at - 2]))


def request(verb: str, path: str, *, host: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """A request as bytes. path: already encoded."""
    lines = [f"{verb} {path} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or verb == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
