"""Whose turn it is: first by project, then by namespace, by the time that each has used. Pure; one object per worker process.

Start-time fair queueing: who has used least goes next, and who comes back after a rest begins where the others are, so that
nobody saves time up. Each worker shares its own time fairly, so the sum of all workers is shared fairly.
"""
from __future__ import annotations

from collections.abc import Iterable, Sequence

from jobqueue.sql import Ready

KEPT = 10_000


class Level:
    """Shares time among keys."""

    def __init__(self) -> None:
        self._used: dict[int, float] = {}
        self._now = 0.0

    def least(self, keys: Iterable[int]) -> int:
        """The key that has used least."""
        best = min(keys, key=self._of)
        self._now = self._of(best)
        return best

    def charge(self, key: int, seconds: float) -> None:
        """Note what a key has used."""
        self._used[key] = self._of(key) + seconds
        if len(self._used) > KEPT:
            self._used = {one: used for one, used in self._used.items() if used > self._now}

    def _of(self, key: int) -> float:
        return max(self._used.get(key, 0.0), self._now)


class Shares:
    """Shares a worker's time among projects, and a project's time among its namespaces."""

    def __init__(self) -> None:
        self._projects, self._namespaces = Level(), {}

    def choose(self, ready: Sequence[Ready]) -> Ready | None:
        """The one whose turn it is; None of none."""
        if not ready:
            return None
        project = self._projects.least({one.project_id for one in ready})
        mine = {one.namespace_id: one for one in ready if one.project_id == project}
        return mine[self._of(project).least(mine)]

    def charge(self, chosen: Ready, seconds: float) -> None:
        """Note how long its turn took."""
        self._projects.charge(chosen.project_id, seconds)
        self._of(chosen.project_id).charge(chosen.namespace_id, seconds)

    def _of(self, project: int) -> Level:
        if len(self._namespaces) > KEPT:
            self._namespaces.clear()
        return self._namespaces.setdefault(project, Level())
