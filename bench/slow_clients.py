"""`python -m bench.slow_clients PORT KIND COUNT`: so many clients that send or read slowly, until our input ends.

A process of its own, so that its work takes nothing from whoever measures. Prints a line when all of them have sent what they
send at once. They are one client to the server, which believes our X-Forwarded-For.
"""
from __future__ import annotations

import contextlib
import resource
import select
import socket
import sys
import time

DRIP_S, LONGEST_S = 3.0, 30.0
WHO = b"Host: localhost\r\nX-Forwarded-For: 203.0.113.9\r\n"
HALF = b"GET /one HTTP/1.1\r\n" + WHO + b"X-A: "
# name -> what is sent, size of the receive buffer, whether a byte follows every DRIP_S
KINDS = {
    "half a head": (HALF, 0, False),
    "half a body": (b"POST /one HTTP/1.1\r\n" + WHO + b"Content-Length: 1000\r\n\r\n{", 0, False),
    "a byte every 3 s": (HALF, 0, True),
    "slow readers": (b"GET /big HTTP/1.1\r\n" + WHO + b"\r\n", 4096, False),
    "requests of a second": (b"GET /slow HTTP/1.1\r\n" + WHO + b"\r\n", 0, False),
}


def main(port: int, kind: str, count: int) -> None:
    """Until stdin ends."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    data, receive, drips = KINDS[kind]
    links = []
    for _ in range(count):
        link = socket.socket()
        if receive:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        link.settimeout(LONGEST_S)
        link.connect(("127.0.0.1", port))
        link.sendall(data)
        links.append(link)
    print("there", flush=True)
    due = time.monotonic() + DRIP_S
    while not select.select([sys.stdin], [], [], max(0.0, due - time.monotonic()))[0]:
        due = time.monotonic() + DRIP_S
        for link in links if drips else ():
            with contextlib.suppress(OSError):
                link.send(b"x")
    for link in links:
        link.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
