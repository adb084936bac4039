"""One connection of a client."""
from __future__ import annotations

import select
import socket
import threading
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from gs2admin.processes.web.outgoing import Outgoing
from gs2admin.processes.web.spool import Room

if TYPE_CHECKING:
    from gs2admin.processes.web.body import Intake


class Phase(Enum):
    """What a connection is at. In ANSWER a thread of the pool owns it, else the poller.

    HEAD, BODY: a request arrives. HELD: its head is there; too many of its client wait already for its body to be taken. ANSWER:
    the request waits for its turn, or the application works on it. HELD_POLL: it is answered when there is something new.
    SEND: the client takes the answer. IDLE: it is kept for the next request. LINGER: it has had its last answer; what it still
    sends is thrown away, until it has read that.
    """

    HEAD, HELD, BODY, ANSWER, HELD_POLL, SEND, IDLE, LINGER = (auto() for _ in range(8))


class Connection:
    """deadline: on the monotonic clock; when it has passed the connection ends, unless a thread owns it.

    client, server: addresses as `accept` and `getsockname` give them. share: whose share of connections it counts in, or "".
    caller: whose its request is, or "". line: the epoll that knows it. lock: held while its phase changes hands.
    received: bytes that no request has taken yet; searched: how many of them hold no end of a head. request: gunicorn's, once its
    head is there; intake: what its body is taken with; keep: whether another may follow it. cut: its answer is not whole, and
    the end of the connection must not look as if it were. poll: its request, where that may be held (long_polls.py).
    """

    __slots__ = (
        "sock", "fd", "client", "server", "share", "caller", "line", "lock", "phase", "deadline", "received", "searched",
        "number", "request", "intake", "keep", "cut", "out", "poll",
    )  # fmt: skip

    def __init__(self, sock: socket.socket, client: Any, server: Any, share: str, deadline: float, room: Room) -> None:
        self.sock, self.fd = sock, sock.fileno()
        self.client, self.server, self.share, self.caller = client, server, share, share
        self.line: select.epoll | None = None
        self.lock = threading.Lock()
        self.phase, self.deadline = Phase.HEAD, deadline
        self.received, self.searched = bytearray(), 0
        self.number, self.request, self.keep, self.cut = 0, None, True, False
        self.intake: Intake | None = None
        self.poll: Any = None
        self.out = Outgoing(sock, room, share)

    def forget_request_body(self) -> None:
        """Let go of what a body took; the request is kept for log lines."""
        if self.intake is not None:
            self.intake.close()
            self.intake = None

    def forget_request(self) -> None:
        """Let go of a request and of what its body took."""
        self.forget_request_body()
        self.request = None

    def close(self, *, reset: bool = False) -> None:
        """Close the socket. reset: what the client has not taken is thrown away by the kernel, too."""
        self.forget_request()
        self.out.clear()
        if reset:
            try:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            except OSError:
                pass  # closed by the client
        self.sock.close()

    def facts(self) -> dict[str, Any]:
        """For a log line: who, and what was asked for; never a query string."""
        known = {"method": self.request.method, "path": self.request.path} if self.request is not None else {}
        return {"client": self.address(), **known}

    def address(self) -> str:
        """Of its other end."""
        return self.client[0] if isinstance(self.client, tuple) and self.client else ""
