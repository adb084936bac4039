"""Answers on the listening socket while a start prepares: a page for people, JSON for programs, both 503.

One thread, which asks no database. It ends with the block; whoever connects afterwards waits in the socket's queue for the web
server.
"""
from __future__ import annotations

import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SENTENCE = "gs2admin is preparing its database and files; this takes some seconds."
RETRY_S = 2
# What a request may take until its head is read, and its answer afterwards; how large a head may be. s, bytes.
HEAD_S, END_S, HEAD = 2.0, 1.0, 32_768
# So many connections at a time; others wait in the socket's queue.
AT_A_TIME = 100
PAGE = f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{RETRY_S}">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>gs2admin is starting</title></head>
<body><h1>gs2admin is starting</h1><p>{SENTENCE} This page looks again by itself.</p></body></html>
"""
REASONS = {200: "OK", 503: "Service Unavailable"}
JSON = "application/json"
# refusals(target, host, status, word, sentence): status and body for programs (settings.WEB_REFUSALS).
Refusals = Callable[[str, str, int, str, str], tuple[int, bytes]]


@contextmanager
def answering(server: socket.socket, refusals: Refusals) -> Iterator[None]:
    """Answer who connects to the listening socket until the end of the block; whoever was accepted then has its answer."""
    waker, woken = socket.socketpair()
    server.setblocking(False)
    thread = threading.Thread(target=_Answering(server, woken, refusals).serve, name="preparing-page", daemon=True)
    thread.start()
    try:
        yield
    finally:
        waker.close()
        thread.join(HEAD_S + END_S + 1)
        woken.close()
        server.setblocking(True)


def answer(head: bytes, refusals: Refusals) -> bytes:
    """The whole answer to a request with this head, which may be anything."""
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = (*first.split(" "), "", "", "")[:3]
    fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    path = target.partition("?")[0]
    status, kind = 503, JSON
    if path == "/healthz":
        status, body = 200, json.dumps({"ok": True}).encode()
    elif path == "/readyz":
        body = json.dumps({"ready": False, "message": SENTENCE}).encode()
    elif "text/html" in fields.get("accept", ""):
        kind, body = "text/html; charset=utf-8", PAGE.encode()
    else:
        status, body = refusals(target, fields.get("host", ""), 503, "preparing", SENTENCE)
    said = [
        f"HTTP/1.1 {status} {REASONS.get(status, '')}", f"Content-Type: {kind}", f"Content-Length: {len(body)}",
        "Connection: close", "Cache-Control: no-store", f"Retry-After: {RETRY_S}", "X-Content-Type-Options: nosniff",
        "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'", "", "",
    ]  # fmt: skip
    return "\r\n".join(said).encode("latin-1") + (b"" if method == "HEAD" else body)


class _Client:
    """A connection: its head is read, then it gets the answer, then its rest is read, so that no reset takes the answer away."""

    def __init__(self, link: socket.socket) -> None:
        self.link, self.head, self.answered = link, b"", False
        self.until = time.monotonic() + HEAD_S

    def read(self, refusals: Refusals) -> bool:
        """After something came; False when the connection is done with."""
        data = self.link.recv(65_536)
        if self.answered or not data:
            return bool(data)
        self.head += data
        if b"\r\n\r\n" in self.head or len(self.head) > HEAD:
            self.answered, self.until = True, time.monotonic() + END_S
            self.link.send(answer(self.head.partition(b"\r\n\r\n")[0], refusals))
            self.link.shutdown(socket.SHUT_WR)
        return True


class _Answering:
    def __init__(self, server: socket.socket, woken: socket.socket, refusals: Refusals) -> None:
        self._server, self._woken, self._refusals = server, woken, refusals
        self._selector, self._clients = selectors.DefaultSelector(), 0

    def serve(self) -> None:
        """Until the other end of `woken` is closed and each accepted connection has ended."""
        with self._selector:
            self._selector.register(self._woken, selectors.EVENT_READ)
            accepting, ended = False, False
            while not ended or self._clients:
                if accepting != (wanted := not ended and self._clients < AT_A_TIME):
                    accepting = wanted
                    if wanted:
                        self._selector.register(self._server, selectors.EVENT_READ)
                    else:
                        self._selector.unregister(self._server)
                for key, _ in self._selector.select(0.25 if self._clients else None):
                    if key.fileobj is self._woken:
                        ended = True
                        self._selector.unregister(self._woken)
                    elif key.fileobj is self._server:
                        self._accept()
                    else:
                        self._go_on(key.data)
                now = time.monotonic()
                for key in [key for key in self._selector.get_map().values() if key.data and key.data.until < now]:
                    self._close(key.data)

    def _accept(self) -> None:
        with suppress(OSError):  # it went away meanwhile
            link, _ = self._server.accept()
            link.setblocking(False)
            self._selector.register(link, selectors.EVENT_READ, _Client(link))
            self._clients += 1

    def _go_on(self, client: _Client) -> None:
        try:
            more = client.read(self._refusals)
        except OSError:
            more = False
        if not more:
            self._close(client)

    def _close(self, client: _Client) -> None:
        self._selector.unregister(client.link)
        client.link.close()
        self._clients -= 1
