"""Whose request it is: a published protocol's, the method table's, or nobody's, so that a page may answer."""

from __future__ import annotations

from typing import Any, NamedTuple

from gs2admin.wire import unserved
from gs2admin.wire.location import Location, located, target_of
from gs2admin.wire.protocol import Protocol, protocols


class OfProtocol(NamedTuple):
    """A protocol, and the path below its root; an empty one where the path is not as it should be written."""

    protocol: Protocol
    path: str


def known(meta: dict[str, Any]) -> OfProtocol | Location | None:
    """Who answers a WSGI request, by a path and a host as they should be written; None when nobody does."""
    target = target_of(meta)
    for protocol in protocols():
        path = protocol.find(target)
        if path is not None:
            return OfProtocol(protocol, path)
    return located(target)


def meant(meta: dict[str, Any], *, pages: bool = True) -> OfProtocol | Location | None:
    """In whose form a request that nobody is known for is refused; None when a page answers. pages: whether one may."""
    paths = unserved.meant(target_of(meta).path)
    for protocol in protocols():
        if protocol.is_near(paths):
            return OfProtocol(protocol, "")
    return unserved.look(meta, pages=pages)
