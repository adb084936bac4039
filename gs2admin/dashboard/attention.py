"""What needs a person, from every domain: each registers a source, the board shows what the sources return.

A source must be cheap: it is called every few seconds while somebody looks at the board.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gs2admin.cache import Cache
from gs2admin.identity.models import Project

TTL_S = 5.0


@dataclass(frozen=True)
class Need:
    """One line of the board's list.

    tone: bad or warn. text: what happened. small: details. url, label: the link. key: unique on the page.
    """

    tone: str
    icon: str
    text: str
    small: str
    url: str
    label: str
    key: str
    rollout: None = None


Source = Callable[[Project], list[Need]]
_sources: list[Source] = []
_kept: Cache[int, list[Need]] = Cache(ttl_s=TTL_S, entries=256, max_bytes=2_000_000)


def source(find: Source) -> Source:
    """Register fn(project) -> list of needs."""
    _sources.append(find)
    return find


def needs(project: Project) -> list[Need]:
    """The needs of all sources, at most TTL_S old."""
    kept = _kept.get(project.pk)
    if kept is not None:
        return kept
    return _kept.put(project.pk, [need for find in _sources for need in find(project)])


def forget() -> None:
    """Empty the cache (tests)."""
    _kept.clear()
