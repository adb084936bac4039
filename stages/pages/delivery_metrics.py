"""The delivery metrics of a stage, week by week: frequency, lead time, failure rate, time to restore.

A change is a promote, deploy or release that changed a version. It counts as a failure when it failed, when a cancel left the
targets with different versions, or when it succeeded and was rolled back. Lead time: from registering a version to its first
success on the stage. Time to restore: from a failure to the next success, or from a success to the rollback of it.

Only `read` uses the database.
"""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median

from gs2admin.db import clock
from stages.models import Rollout, Stage, Version, VersionSet
from stages.states import Kind, RolloutState

WEEKS = 12
MOST = 5_000
BAD = {RolloutState.FAILED, RolloutState.ERRORED}


@dataclass(frozen=True)
class Run:
    """One rollout that ran and ended.

    fresh: the (microservice, version) pairs that it brought. undone_at: when a rollback of it succeeded.
    """

    kind: str
    state: str
    ended_at: datetime
    changed: bool = True
    consistent: bool = True
    fresh: Sequence[tuple[str, str]] = ()
    undone_at: datetime | None = None

    @property
    def is_change(self) -> bool:
        """It changes a version, and is no rollback."""
        return self.kind != Kind.ROLLBACK and self.changed

    @property
    def went_bad(self) -> bool:
        """It failed, left the targets with different versions, or was rolled back."""
        uneven = self.state == RolloutState.CANCELED and not self.consistent
        return self.state in BAD or uneven or self.undone_at is not None


@dataclass
class Week:
    """One week that begins on `start`. Times in seconds; None where nothing was measured."""

    start: datetime
    deployments: int = 0
    changes: int = 0
    failures: int = 0
    lead: list[float] = field(default_factory=list)
    restore: list[float] = field(default_factory=list)

    @property
    def lead_s(self) -> float | None:
        """The median lead time."""
        return median(self.lead) if self.lead else None

    @property
    def restore_s(self) -> float | None:
        """The median time to restore."""
        return median(self.restore) if self.restore else None

    @property
    def failure_rate(self) -> float | None:
        """Failures per change, 0 to 1."""
        return self.failures / self.changes if self.changes else None


def week_of(at: datetime) -> datetime:
    """The Monday, 00:00 UTC, before a moment."""
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def weeks(runs: Iterable[Run], registered: Mapping[tuple[str, str], datetime], now: datetime) -> list[Week]:
    """The last WEEKS weeks, oldest first, the present one included. runs: in the order in which they ended."""
    first = week_of(now) - timedelta(weeks=WEEKS - 1)
    found = {first + timedelta(weeks=number): Week(first + timedelta(weeks=number)) for number in range(WEEKS)}
    seen: set[tuple[str, str]] = set()
    broken_since: datetime | None = None
    for run in runs:
        week = found.get(week_of(run.ended_at))
        good = run.state == RolloutState.SUCCEEDED
        if good:
            for pair in run.fresh:
                if pair not in seen and week and run.is_change and pair in registered:
                    week.lead.append((run.ended_at - registered[pair]).total_seconds())
                seen.add(pair)
            if broken_since and week:
                week.restore.append((run.ended_at - broken_since).total_seconds())
            broken_since = None
        if run.is_change and week:
            week.changes += 1
            week.deployments += good
            week.failures += run.went_bad
        if run.undone_at:
            if undo := found.get(week_of(run.undone_at)):
                undo.restore.append((run.undone_at - run.ended_at).total_seconds())
        elif run.went_bad and broken_since is None:
            broken_since = run.ended_at
    return [found[start] for start in sorted(found)]


def read(stage: Stage, now: datetime | None = None) -> list[Week]:
    """The metrics of a stage over its last MOST rollouts; at most five queries."""
    now = now or clock.now()
    since = week_of(now) - timedelta(weeks=WEEKS - 1)
    rows = list(
        Rollout.objects.filter(stage=stage, started_at__isnull=False, ended_at__gte=since)
        .order_by("-id").values("id", "kind", "state", "ended_at", "changes_count", "consistent", "from_set", "to_set")[:MOST]
    )[::-1]
    rows.sort(key=lambda row: row["ended_at"])
    undone = dict(
        Rollout.objects.filter(stage=stage, state=RolloutState.SUCCEEDED, undoes__in=[row["id"] for row in rows])
        .values_list("undoes", "ended_at")
    ) if rows else {}
    wanted = {row[name] for row in rows for name in ("from_set", "to_set")} - {None}
    sets = dict(VersionSet.objects.filter(pk__in=wanted).values_list("pk", "versions"))
    runs = [
        Run(row["kind"], row["state"], row["ended_at"], row["changes_count"] > 0, row["consistent"],
            _fresh(sets.get(row["from_set"]) or {}, sets[row["to_set"]]), undone.get(row["id"]))
        for row in rows
    ]
    return weeks(runs, _registered(stage, runs), now)


def _fresh(before: Mapping[str, str], after: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name, version) for name, version in after.items() if before.get(name) != version]


def _registered(stage: Stage, runs: Sequence[Run]) -> dict[tuple[str, str], datetime]:
    by_name: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for name, version in run.fresh:
            by_name[name].add(version)
    versions = sorted({version for found in by_name.values() for version in found})[:MOST]
    rows = Version.objects.filter(microservice__project_id=stage.project_id, microservice__name__in=sorted(by_name),
                                  version__in=versions)
    return {(name, version): at for name, version, at in rows.values_list("microservice__name", "version", "registered_at")}
