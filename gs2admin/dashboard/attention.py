"""What needs a human, from every domain: each registers a source, the board shows what they find.

A source must be bounded: it is asked every few seconds while somebody looks at the board.
"""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from gs2admin.identity.models import Project

TTL_S = 5.0
KEEP = 256


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
_kept: dict[int, tuple[float, list[Need]]] = {}
_lock = threading.Lock()


def source(find: Source) -> Source:
    """Register fn(project) -> list of needs."""
    _sources.append(find)
    return find


def needs(project: Project) -> list[Need]:
    """What all sources say, at most TTL_S old."""
    kept = _kept.get(project.pk)
    if kept and time.monotonic() - kept[0] < TTL_S:
        return kept[1]
    found = [need for find in _sources for need in find(project)]
    with _lock:
        while len(_kept) >= KEEP:
            _kept.pop(next(iter(_kept)), None)
        _kept[project.pk] = (time.monotonic(), found)
    return found


def forget() -> None:
    """Ask anew (tests)."""
    _kept.clear()
