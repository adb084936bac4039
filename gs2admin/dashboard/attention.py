"""What needs a human, from every domain: each registers a source, the board shows what they find.

A source must be bounded: it is asked every few seconds while somebody looks at the board.
"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gs2admin.cache import Cache
from gs2admin.identity.models import Project

TTL_S = 5.0


@dataclass(frozen=True)
class Need:
    """One line. tone: bad or warn. key: unique on the page. text, small: what happened, and what more is known."""

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
_kept: Cache[int, list[Need]] = Cache(ttl_s=TTL_S, entries=256)


def source(find: Source) -> Source:
    """Register fn(project) -> list of needs."""
    _sources.append(find)
    return find


def needs(project: Project) -> list[Need]:
    """What all sources say, at most TTL_S old."""
    kept = _kept.get(project.pk)
    if kept is not None:
        return kept
    return _kept.put(project.pk, [need for find in _sources for need in find(project)])


def forget() -> None:
    """Ask anew (tests)."""
    _kept.clear()
