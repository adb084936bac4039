"""One HTTP request and its answer in a thread of its own, so that the step can tick while the request hangs."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .addresses import AddressRefused, resolve
from .hanging import waits_for
from .urls import Url

#: So much of an answer is read at most. Bytes.
MAX_BODY_BYTES = 64 * 1024


@dataclass
class Answer:
    """What has arrived so far; ``complete`` once the whole body (or MAX_BODY_BYTES of it) is there."""

    status: int
    location: str | None
    body: bytes = b""
    complete: bool = False


class _Whole(http.client.HTTPResponse):
    """An answer that is refused when the connection closes within its headers.

    The standard class takes that for the end of the headers, so that a 200 of a server that died would be a success.
    """

    def begin(self) -> None:
        stream = self.fp
        lines = self.fp = _LastLine(stream)
        super().begin()
        if lines.last == b"":
            raise http.client.RemoteDisconnected("closed within the headers")
        if self.fp is lines:
            self.fp = stream


class _LastLine:
    """A stream that remembers the last line that was read of it; b"" is its end."""

    def __init__(self, stream: Any) -> None:
        self._stream, self.last = stream, b"\n"

    def readline(self, limit: int = -1) -> bytes:
        self.last = self._stream.readline(limit)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Exchange:
    """Sends at once on construction. No redirects, no proxies, one connection, made to an address that was checked."""

    def __init__(
        self,
        method: str,
        url: Url,
        *,
        headers: Mapping[str, str],
        body: bytes,
        allow: Iterable[str],
        timeout_s: float,
    ) -> None:
        """``timeout_s`` bounds each single wait of the thread; ``abort`` ends the whole."""
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self.began = time.monotonic()
        self._request = (method, url, {"Host": url.host_header, **headers}, body)
        self._allow = list(allow)
        self._timeout_s = timeout_s
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._aborted = False
        self._thread = threading.Thread(target=self._work, name="step-http", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """True once there is an answer or an error."""
        return self._done.wait(seconds)

    def waits_for(self) -> str:
        """What it waits for now (hanging.waits_for)."""
        return waits_for(self._thread)

    def abort(self) -> None:
        """Close the connection in whatever state it is; the thread ends by itself."""
        with self._lock:
            self._aborted = True
            if self._socket is not None:
                try:
                    # The base class's: SSLSocket.shutdown would break the thread that reads.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                except OSError:
                    pass

    def _work(self) -> None:
        try:
            self._talk(*self._request)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            with self._lock:
                # An error that abort caused is no fault of the other side.
                if self.answer is None and not self._aborted:
                    self.error = error
        finally:
            with self._lock:
                if self._socket is not None:
                    self._socket.close()
                    self._socket = None
            self._done.set()

    def _talk(self, method: str, url: Url, headers: Mapping[str, str], body: bytes) -> None:
        self._connect(url)
        connection = http.client.HTTPConnection(url.host, url.port, timeout=self._timeout_s)
        connection.response_class = _Whole
        connection.sock = self._socket
        connection.request(method, url.target, body=body or None, headers=headers)
        with connection.getresponse() as response:
            answer = self.answer = Answer(response.status, response.headers.get("Location"))
            while len(answer.body) < MAX_BODY_BYTES:
                data = response.read1(MAX_BODY_BYTES - len(answer.body))
                if not data:
                    # abort ends the stream too, and an answer without a length would look complete.
                    answer.complete = not response.length and not self._aborted
                    return
                answer.body += data
            answer.complete = True

    def _connect(self, url: Url) -> None:
        problem: OSError | None = None
        for family, address in resolve(url.host, url.port, self._allow):
            self._hold(socket.socket(family, socket.SOCK_STREAM))
            try:
                self._socket.connect(address)
            except OSError as error:
                problem = error
                continue
            if url.scheme == "https":
                self._hold(
                    ssl.create_default_context().wrap_socket(
                        self._socket, server_hostname=url.host, do_handshake_on_connect=False
                    )
                )
                self._socket.do_handshake()
            return
        raise problem

    def _hold(self, new: socket.socket) -> None:
        """Keep the socket where ``abort`` finds it, and close the one before."""
        new.settimeout(self._timeout_s)
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = new
            if self._aborted:
                raise ConnectionAbortedError("aborted")


def explain(error: Exception, url: Url) -> str:
    """Why there was no answer, as the end of a sentence."""
    if isinstance(error, AddressRefused):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate of {url.host} was not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"no TLS connection with {url.host}: {error.reason or error}"
    if isinstance(error, socket.gaierror):
        return f"the name {url.host} is not known: {error.strerror}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection was closed without an answer"
    if isinstance(error, http.client.HTTPException):
        return f"what came back is not HTTP ({type(error).__name__})"
    if isinstance(error, OSError):
        return error.strerror or str(error)
    raise error
