"""The data of the board: each stage with its status, its drift and its pins, and what stops or waits. No HTML, no rights.

The number of queries does not depend on the number of stages and microservices.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from gs2admin.cache import FOR_EVER, Cache
from gs2admin.db import clock
from gs2admin.identity.models import Project
from stages.core import ledger
from stages.core.versions import Change, differences, digest, effective
from stages.gates.reads import Gate, blocking, closed
from stages.models import Rollout, Stage, Version, VersionSet
from stages.pages.typical_duration import overdue_after, typical_seconds
from stages.states import FINAL, TIMED, RolloutState, StageStatus, stage_status

SHOWN = 6
FOLDED_LIMIT = 40
PENDING = 20


@dataclass(frozen=True)
class Card:
    """One stage on the board.

    shown: the first few pins, changed ones first. folded: the other pins when they are few, else empty. rest: how many pins
    are not in shown. arrow: the card to the left is the stage's source. drift: a sentence. behind: how many pins a promote would
    change. gates: the stops and freeze windows that apply now.
    """

    stage: Stage
    source_name: str
    status: StageStatus
    rollout: Rollout | None
    drift: str
    behind: int
    shown: list[Change] = field(default_factory=list)
    folded: list[Change] = field(default_factory=list)
    rest: int = 0
    total: int = 0
    arrow: bool = False
    typical_s: float | None = None
    gates: list[Gate] = field(default_factory=list)

    @property
    def stopped(self) -> bool:
        """Promotions are stopped here. With gates and no stop, a freeze window is on."""
        return any(gate.kind == "stop" for gate in self.gates)

    @property
    def updating(self) -> bool:
        """A rollout is live on this stage."""
        return self.status == StageStatus.UPDATING

    @property
    def waits(self) -> bool:
        """A canary is up and waits for a person or for its metrics."""
        return bool(self.updating and self.rollout and self.rollout.state in TIMED)

    @property
    def failed(self) -> bool:
        """The last rollout failed, or a cancel left the targets with different versions."""
        return self.status == StageStatus.UPDATE_FAILED

    def overdue(self, now: datetime) -> bool:
        """Whether the live rollout has run for much longer than is typical."""
        limit = overdue_after(self.typical_s)
        began = self.rollout.started_at if self.rollout and self.updating and not self.waits else None
        return bool(limit and began and (now - began).total_seconds() > limit)


@dataclass(frozen=True)
class Board:
    """revision: the project's, read first, so that the next poll sees a change that is made meanwhile.

    gates: all that are closed now. pending: rollouts that wait for approval, oldest first, at most PENDING.
    """

    revision: int
    cards: list[Card]
    gates: list[Gate] = field(default_factory=list)
    pending: list[Rollout] = field(default_factory=list)

    @property
    def running(self) -> bool:
        """Whether a rollout is live: then the page polls every second."""
        return any(card.updating for card in self.cards)

    def overdue(self, now: datetime | None = None) -> list[Card]:
        """Stages that have been updating for much longer than is typical."""
        moment = now or clock.now()
        return [card for card in self.cards if card.overdue(moment)]


class VersionKey:
    """A set of versions that compares by its digest, as the key of a cache of differences: sets never change."""

    __slots__ = ("digest", "versions")

    def __init__(self, digest: str, versions: dict[str, str]) -> None:
        self.digest, self.versions = digest, versions

    def __hash__(self) -> int:
        return hash(self.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VersionKey) and self.digest == other.digest


Differences = tuple[tuple[Change, ...], tuple[Change, ...]]
# A change is 72 bytes and a place in a tuple; its texts are shared, at worst its versions are nowhere else. A board of 100 stages
# with 200 microservices fits: when one does not, the pair put first leaves first, and every look compares all stages anew.
_differences: Cache[tuple[str, str], Differences] = Cache(
    ttl_s=FOR_EVER, entries=512, max_bytes=4_000_000, size=lambda both: 150 * (len(both[0]) + len(both[1]))
)


def _between(before: VersionKey, after: VersionKey) -> Differences:
    return _differences.get_or_make((before.digest, after.digest), lambda: _differ(before, after))


def _differ(before: VersionKey, after: VersionKey) -> Differences:
    changes = differences(before.versions, after.versions)
    changed = effective(changes)
    return tuple(changed), tuple(change for change in changes if change.kind == "same")


EMPTY = VersionKey("", {})


def read_board(project: Project) -> Board:
    """The board of a project; at most nine queries."""
    revision = ledger.revision(project.pk)
    stages = list(Stage.objects.existing(project.pk).with_last_rollout())
    wanted = [stage.last_rollout_id for stage in stages if stage.last_rollout_id]
    last = Rollout.objects.filter(pk__in=wanted).select_related("canary").defer("error")
    rollouts = {row.pk: row for row in last} if stages else {}
    sets = _sets(stages, rollouts.values())
    latest = _latest(project) if any(stage.source_id is None for stage in stages) else EMPTY
    live = [row.stage_id for row in rollouts.values() if row.state not in FINAL]
    typical = typical_seconds(live)
    gates = closed(project.pk)
    by_id = {stage.pk: stage for stage in stages}
    cards, left = [], None
    for stage in stages:
        cards.append(_card(stage, left, by_id, rollouts.get(stage.last_rollout_id), sets, latest, typical, gates))
        left = stage
    return Board(revision, cards, gates, _pending(project))


def _pending(project: Project) -> list[Rollout]:
    rows = Rollout.objects.filter(project=project, state=RolloutState.AWAITING_APPROVAL, stage__deleted_at=None)
    return list(rows.select_related("stage", "approval").order_by("id")[:PENDING])


def _sets(stages: list[Stage], rollouts) -> dict[int | None, VersionKey]:
    wanted = {stage.current_set_id for stage in stages} | {row.to_set_id for row in rollouts if row.state not in FINAL}
    rows = VersionSet.objects.filter(pk__in=wanted - {None}).only("digest", "versions")
    return {row.pk: VersionKey(row.digest, row.versions) for row in rows} | {None: EMPTY}


def _latest(project: Project) -> VersionKey:
    versions = Version.objects.latest(project.pk)
    return VersionKey(digest(dict(sorted(versions.items()))), versions)


def _card(stage, left, by_id, rollout, sets, latest, typical, gates) -> Card:
    status = stage_status(stage.last_state, True if stage.last_consistent is None else stage.last_consistent)
    source = by_id.get(stage.source_id)
    now = sets[stage.current_set_id]
    if status == StageStatus.UPDATING and rollout is not None:
        upcoming = sets[rollout.to_set_id]
    else:
        upcoming = latest if stage.source_id is None else sets[source.current_set_id] if source else EMPTY
    changed, same = _between(now, upcoming)
    if stage.source_id is not None and not upcoming.versions and now.versions:
        changed, same = (), tuple(Change(name, v, v, "same") for name, v in sorted(now.versions.items()))
    rows = [*changed, *same]
    folded = rows[SHOWN:]
    return Card(
        stage=stage,
        source_name=source.name if source else "",
        status=status,
        rollout=rollout,
        drift=drift_sentence(changed, source.name if source else "", bool(now.versions), bool(upcoming.versions)),
        behind=len(changed),
        shown=rows[:SHOWN],
        folded=folded if len(folded) <= FOLDED_LIMIT else [],
        rest=len(folded),
        total=len(rows),
        arrow=bool(left and stage.source_id == left.pk),
        typical_s=typical.get(stage.pk),
        gates=blocking(gates, stage.pk),
    )


def drift_sentence(changed, source: str, deployed: bool, source_deployed: bool) -> str:
    """The difference between the stage and what a promote would give it, in words.

    changed: the effective changes. source: the source stage's name, empty for the latest versions.
    """
    if not source_deployed:
        return f"{source} has no versions yet" if source else "No version is registered yet"
    if not deployed:
        return "Nothing has been promoted here yet"
    if not changed:
        return f"Same versions as {source}" if source else "Has the latest versions"
    ahead = sum(change.kind == "downgraded" for change in changed)
    behind = len(changed) - ahead
    versions = f"version{'' if len(changed) == 1 else 's'}"
    if not source:
        return f"{behind} new {versions}" if not ahead else f"{len(changed)} {versions} differ from the latest"
    if not ahead:
        return f"{behind} {versions} behind {source}"
    return f"{behind} behind, {ahead} ahead of {source}" if behind else f"{ahead} {versions} ahead of {source}"
