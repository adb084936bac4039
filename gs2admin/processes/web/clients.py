"""Whose a connection and a request are: in what limits and turns they count."""
from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from gs2admin.caller import Ambiguous, address_of, find
from gs2admin.env import Network

_FORWARDED = {"X-FORWARDED-FOR": "HTTP_X_FORWARDED_FOR", "FORWARDED": "HTTP_FORWARDED"}


class Clients:
    """A client is an IPv4 address, or an IPv6 network of 64 bits, as text. "": trusted proxies, and sockets without addresses."""

    def __init__(self, trusted: Iterable[Network]) -> None:
        self.trusted = tuple(trusted)
        self._of_text = lru_cache(10_000)(self._name)

    def of_peer(self, peer: Any) -> str:
        """Whose a connection is. peer: its address as `accept` gives it."""
        return self._of_text(peer[0]) if isinstance(peer, tuple) and peer else ""

    def of_text(self, address: str) -> str:
        """Whose an address is."""
        return self._of_text(address)

    def of_request(self, peer: Any, headers: Iterable[tuple[str, str]]) -> str:
        """Whose a request is: its connection's, or whom a trusted proxy names. headers: gunicorn's, names in capitals."""
        own = self.of_peer(peer)
        if own:
            return own
        said: dict[str, str] = {}
        for name, value in headers:
            if key := _FORWARDED.get(name):
                said[key] = f"{said[key]},{value}" if key in said else value
        if not said:
            return ""
        try:
            address = find({"REMOTE_ADDR": peer[0] if isinstance(peer, tuple) and peer else "", **said}, self.trusted).address
        except Ambiguous:  # the application refuses it
            return ""
        return self._of_text(address)

    def _name(self, text: str) -> str:
        address = address_of(text)
        if address is None or any(address in network for network in self.trusted):
            return ""
        return str(address) if address.version == 4 else str(ipaddress.ip_network((address, 64), strict=False))
