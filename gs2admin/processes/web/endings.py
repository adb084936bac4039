"""Log lines about connections that were ended: a few a second, however many there are."""
from __future__ import annotations

import logging
from collections import Counter

from gs2admin.processes.web.connection import Connection

log = logging.getLogger(__name__)
# Slow readers that get a line of their own, and clients that are named in the others, per sweep.
NAMED = 10
WHY = {
    "head": "requests whose head did not arrive in time were refused",
    "body": "requests whose body did not arrive in time were refused",
    "share": "connections of clients that have too many were refused",
    "waiting": "requests of clients of which too many wait were refused",
    "place": "connections were ended to make place for others",
    "room": "slow transfers were ended to make room on disk",
    "reader": "more slow readers were dropped",
}


class Endings:
    """Counted until `write`."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._clients: dict[str, Counter[str]] = {}
        self._named = 0

    def note(self, why: str, client: str) -> None:
        """One more. why: of WHY; client: its address."""
        self._counts[why] += 1
        self._clients.setdefault(why, Counter())[client] += 1

    def slow_reader(self, connection: Connection) -> None:
        """A client that does not take its answer."""
        self._named += 1
        if self._named > NAMED:
            self.note("reader", connection.address())
            return
        facts = {"sent": connection.out.sent, "left": connection.out.waiting()}
        log.warning("a slow reader was dropped", extra={**connection.facts(), **facts})

    def write(self) -> None:
        """Write the lines."""
        for why, count in self._counts.items():
            log.warning(WHY[why], extra={"count": count, "clients": dict(self._clients[why].most_common(NAMED))})
        self._counts.clear()
        self._clients.clear()
        self._named = 0
