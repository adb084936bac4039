"""Which versions a player gets: a fixed hash of player and rollout, so that the same 5 % stay the 5 %.

A player's place is a number from 0 to 9,999; a weight of w percent takes the places below 100 w. So a higher weight
only adds players. A place depends on its arguments alone, so every process gives the same answer for the same split.
Splits and sets are read from the database; a process keeps a split for KEEP_S seconds, and a set, which never changes,
until KEEP_SETS or KEEP_SETS_BYTES others have been read.
"""
from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import FilteredRelation, Q

from gs2admin.cache import FOR_EVER, Cache
from stages.models import Stage, VersionSet
from stages.states import Leg, RolloutState

PLACES = 10_000
# How old a cached split may be. s.
KEEP_S = 0.2
KEEP, KEEP_BYTES = 1_000, 2_000_000
KEEP_SETS = 2_048
KEEP_SETS_BYTES = 4_000_000
# A canary counts while it is up and while everybody is getting it; withdrawn or canceled it does not.
UP = (
    Q(rollouts__state__in=[RolloutState.CANARY_HOLD, RolloutState.CANARY_ANALYZING])
    | Q(rollouts__state=RolloutState.RUNNING, rollouts__leg=Leg.FULL)
)


@dataclass(frozen=True)
class Split:
    """The versions of a stage at one moment.

    set_id: of the pinned versions, None when nothing is. rollout: the number of the canary that is up, 0 for none;
    gray_set_id, weight: its set, and the percent of the players who get it.
    """

    stage_id: int
    project_id: int
    set_id: int | None
    rollout: int = 0
    gray_set_id: int | None = None
    weight: int = 0


@dataclass(frozen=True)
class Resolution:
    """The versions of one player: {microservice: version}. stable: those without a canary.

    place: of the player in this rollout, 0 to 9,999, None without a canary; gray: it is below the weight.
    """

    versions: Mapping[str, str]
    stable: Mapping[str, str]
    gray: bool
    place: int | None
    split: Split
    digest: str

    @property
    def etag(self) -> str:
        """The entity tag; it changes with the versions, the canary, and the side that the player is on."""
        return f'"{self.digest[:24]}-{self.split.rollout}-{int(self.gray)}"'


def place_of(salt: str, user_id: str) -> int:
    """0 to 9,999, always the same for this player and this salt."""
    number = int.from_bytes(hashlib.sha256(f"{salt}\0{user_id}".encode("utf-8", "surrogatepass")).digest()[:8])
    return number * PLACES >> 64


def resolve_in(split: Split, user_id: str) -> Resolution:
    """The player's versions in this split; a query where a set is not cached."""
    stable, digest = _set(split.set_id)
    if not split.rollout:
        return Resolution(stable, stable, False, None, split, digest)
    place = place_of(f"{split.project_id}/{split.rollout}", user_id)
    gray = place < split.weight * (PLACES // 100)
    versions, digest = _set(split.gray_set_id) if gray else (stable, digest)
    return Resolution(versions, stable, gray, place, split, digest)


class Splits:
    """The splits that this process has cached: at most one query per stage in KEEP_S, however many players sign in."""

    def __init__(self) -> None:
        self._found: Cache[tuple[int, str], Split | None] = Cache(ttl_s=KEEP_S, entries=KEEP, max_bytes=KEEP_BYTES)

    def get(self, project_id: int, stage: str) -> Split | None:
        """The stage's split, at most KEEP_S old; None when there is no such stage."""
        return self._found.get_or_make((project_id, stage), lambda: read(project_id, stage))

    def clear(self) -> None:
        """Empty the cache, and that of the sets (tests)."""
        self._found.clear()
        _sets.clear()


splits = Splits()


def read(project_id: int, stage: str) -> Split | None:
    """The stage's split now, None when there is no such stage; one query."""
    return next((split for _, split in read_all(project_id, name=stage)), None)


def read_all(project_id: int, **only: str) -> list[tuple[str, Split]]:
    """(name, split) of the project's stages in the order of the board; one query. only: conditions on the stage."""
    rows = (
        Stage.objects.existing(project_id).filter(**only)
        .annotate(up=FilteredRelation("rollouts", condition=UP))
        .values_list("name", "pk", "project_id", "current_set_id", "up__number", "up__to_set_id", "up__canary__weight")
    )
    return [
        (name, Split(pk, project, pinned, rollout or 0, gray, weight or 0))
        for name, pk, project, pinned, rollout, gray, weight in rows
    ]


# Version sets are immutable, so each is read once: {id: (versions, digest)}.
_sets: Cache[int, tuple[Mapping[str, str], str]] = Cache(
    ttl_s=FOR_EVER, entries=KEEP_SETS, max_bytes=KEEP_SETS_BYTES,
    size=lambda known: sum(len(name) + len(version) + 200 for name, version in known[0].items()),  # 200: two str and a slot
)
EMPTY: tuple[Mapping[str, str], str] = ({}, "0" * 24)


def load_sets(wanted: Iterable[int | None]) -> dict[int | None, tuple[Mapping[str, str], str]]:
    """{id: (versions, digest)} of these sets; one query for those that are not cached."""
    ids = set(wanted)
    found = {set_id: cached for set_id in ids if (cached := _sets.get(set_id))} | {None: EMPTY}
    missing = ids - set(found)
    if missing:
        rows = VersionSet.objects.filter(pk__in=missing).only("versions", "digest")
        new = {row.pk: (row.versions, row.digest) for row in rows}
        for set_id, known in new.items():
            _sets.put(set_id, known)
        found |= new
    return found


def _set(set_id: int | None) -> tuple[Mapping[str, str], str]:
    return _sets.get(set_id) or load_sets([set_id])[set_id]
