"""What the step tests share: a context that remembers, a way to wait without sleeping, a receiver for HTTP."""

import os
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from stages.steps import KINDS, StepFailed, launcher


@dataclass
class Context:
    """A StepContext in memory. ``on_tick`` and ``on_emit`` are where a test steps in."""

    config: dict
    memo: dict = field(default_factory=dict)
    project: str = "default"
    rollout_number: int = 415
    stage: str = "stg"
    microservice: str = "lottery"
    old_version: str | None = "1.4.0"
    new_version: str | None = "1.5.0"
    target: str = "tokyo"
    phase: str = "deploy"
    leg: str = "base"
    undo: bool = False
    weight: int = 0
    colour: str = ""
    attempt: int = 1
    key: str = "default/415/12"
    on_tick: object = None
    on_emit: object = None
    lines: list = field(default_factory=list)
    ticks: list = field(default_factory=list)
    remembered: list = field(default_factory=list)

    def emit(self, text, stream="stdout"):
        self.lines.append((text, stream))
        if self.on_emit:
            self.on_emit(text)

    def tick(self):
        self.ticks.append(time.monotonic())
        if self.on_tick:
            self.on_tick()

    def remember(self, **memo):
        self.remembered.append(memo)
        self.memo = {**self.memo, **memo}

    def texts(self, stream=None):
        return [text for text, name in self.lines if stream in (None, name)]

    def word_after(self, word):
        """What follows ``word`` on the line that begins with it; None while there is none."""
        return next((text.split(" ", 1)[1] for text in self.texts() if text.startswith(word + " ")), None)

    def longest_silence(self):
        """The longest time between two ticks. s."""
        return max(later - earlier for earlier, later in zip(self.ticks, self.ticks[1:], strict=False))


def running(pid):
    """Whether this process is there and no zombie."""
    entry = launcher.processes().get(int(pid))
    return entry is not None and entry[2] not in "ZX"


def open_fds():
    """The file descriptors of this process, with what they lead to."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            pass  # the one that listed them
    return found


class Receiver(ThreadingHTTPServer):
    """A team's own deployment service on loopback. ``answer(handler)`` writes the answer; requests are kept."""

    daemon_threads = True

    def __init__(self, answer):
        self.answer = answer
        self.requests = []
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def stop(self):
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that hangs up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _serve(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.requests.append(self)
        self.close_connection = True
        self.server.answer(self)

    do_GET = do_POST = _serve

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang(self):
        """Say nothing until the test is over."""
        self.server.closing.wait(60)

    def drip(self, piece=b"x", every=0.05):
        """Write a little for ever."""
        while not self.server.closing.wait(every):
            self.wfile.write(piece)
            self.wfile.flush()

    def log_message(self, *_):
        pass


def failure(ctx, kind=StepFailed):
    """What a call of the http kind says when it fails."""
    with pytest.raises(kind) as caught:
        KINDS["http"].run(ctx)
    return str(caught.value)
