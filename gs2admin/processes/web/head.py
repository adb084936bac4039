"""The head of a request: found in what has arrived, and read by gunicorn's parser, which knows what is to be refused."""
from __future__ import annotations

from typing import Any

from gunicorn.http.errors import InvalidRequestLine, LimitRequestHeaders, NoMoreData, ParseException
from gunicorn.http.message import Request
from gunicorn.http.unreader import IterUnreader

from gs2admin.processes.web.connection import Connection

END = b"\r\n\r\n"
# Longest head. The longest address of the contract is a quarter of it.
MAX_HEAD = 64 * 1024


def take(connection: Connection, cfg: Any) -> Request | None:
    """The next request, its head cut off from what was received; None while the head is not there whole.

    Raises gunicorn's ParseException when it is not HTTP, or too large.
    """
    received = connection.received
    end = received.find(END, connection.searched)
    if end < 0 and len(received) <= MAX_HEAD:
        # The parser refuses a line that ends without a carriage return; such a head would never end here. Only what is new is
        # searched: bytes may come one by one.
        begin, connection.searched = connection.searched, max(0, len(received) - len(END) + 1)
        if received.count(b"\n", begin) == received.count(b"\r\n", max(0, begin - 1)):
            return None
    if end < 0 or end > MAX_HEAD:
        head = bytes(received[: MAX_HEAD + 1])
    else:
        head = bytes(received[: end + len(END)])
        del received[: len(head)]
    connection.searched = 0
    connection.number += 1
    try:
        return parse(head, connection, cfg)
    except ParseException:
        connection.received[:0] = head  # its address says in which form the refusal is
        raise


def parse(head: bytes, connection: Connection, cfg: Any) -> Request:
    """A whole head. Raises ParseException."""
    try:
        request = Request(cfg, IterUnreader([head]), connection.client, connection.number)
    except (NoMoreData, StopIteration):
        raise (LimitRequestHeaders("head") if len(head) > MAX_HEAD else InvalidRequestLine("")) from None
    if len(head) > MAX_HEAD:
        raise LimitRequestHeaders("head")
    return request


def host_of(request: Request) -> str:
    """The Host header of a request that was read; empty when it has none."""
    return next((value for name, value in request.headers if name == "HOST"), "")


def target_and_host(received: bytes | bytearray) -> tuple[str, str]:
    """The target and the host of a request whose head could not be read, as far as they can be seen; else empty."""
    lines = bytes(received[:MAX_HEAD]).decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    hosts = (line.partition(":")[2].strip() for line in lines[1:] if line[:5].lower() == "host:")
    return words[1] if len(words) > 1 else "", next(hosts, "")
