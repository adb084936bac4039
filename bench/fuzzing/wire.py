"""Requests as they are meant, on a kept connection: http.client, because httpx tidies addresses and verbs up."""
from __future__ import annotations

import gzip
import http.client
import time
from typing import NamedTuple

from bench.fuzzing.judge import Answer


class Call(NamedTuple):
    """One request. path: encoded, with its query. who: how it shows who it is, for the report."""

    verb: str
    path: str
    headers: dict[str, str]
    body: bytes
    who: str


class Wire:
    """One connection; one request at a time."""

    def __init__(self, port: int, timeout_s: float = 60) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    def ask(self, call: Call) -> tuple[Answer, float]:
        """The answer and its seconds. Raises OSError or http.client.HTTPException when there is none."""
        began = time.perf_counter()
        try:
            answer = self._send(call)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            # A kept connection may have been ended while it was idle; a new one has to answer.
            self._link.close()
            began = time.perf_counter()
            answer = self._send(call)
        return answer, time.perf_counter() - began

    def _send(self, call: Call) -> Answer:
        link = self._link
        link.putrequest(call.verb, call.path, skip_host=True, skip_accept_encoding=True)
        headers = {"Host": f"127.0.0.1:{link.port}"} | call.headers
        if call.body or call.verb in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = str(len(call.body))
        for name, value in headers.items():
            link.putheader(name, value.encode("latin-1", "replace"))
        link.endheaders(call.body or None)
        found = link.getresponse()
        headers, body = {name.lower(): value for name, value in found.getheaders()}, found.read()
        if found.will_close:
            link.close()
        if headers.pop("content-encoding", "") == "gzip" and body:
            body = gzip.decompress(body)
        return Answer(found.status, headers, body)

    def close(self) -> None:
        """Let go."""
        self._link.close()
