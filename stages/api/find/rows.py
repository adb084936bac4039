"""What answers say of stages, rollouts and versions, each by one statement that names the project (gs2admin/db/prepared.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Coalesce, Length
from django.db.models.lookups import LessThanOrEqual

from gs2admin.db.columns import Milliseconds, UuidText
from gs2admin.db.prepared import MOST, Places, Prepared
from stages.models import Output, Rollout, Stage, Version


class StageRow(NamedTuple):
    """A stage. last_state, last_consistent: of the rollout that decides its status. Times are in Unix milliseconds."""

    name: str
    source_id: int | None
    source_name: str | None
    sort_number: int
    revision: int
    last_state: str | None
    last_consistent: bool | None
    created_ms: int
    updated_ms: int


class StageDetail(NamedTuple):
    """The same with last_number, that rollout's number, and versions: {microservice: version}, None where there are none.

    source_versions: of its source stage.
    """

    name: str
    source_id: int | None
    source_name: str | None
    sort_number: int
    revision: int
    last_state: str | None
    last_consistent: bool | None
    created_ms: int
    updated_ms: int
    last_number: int | None
    versions: dict[str, str] | None
    source_versions: dict[str, str] | None


class RolloutRow(NamedTuple):
    """A rollout. from_versions, to_versions: {microservice: version}, None where there are none. part: as Rollout.part."""

    number: int
    stage_name: str
    kind: str
    state: str
    strategy: str
    leg: str
    gray_weight: int
    scenario_copy: dict[str, Any]
    reason: str
    requested_by: str
    steps_done: int
    steps_total: int
    from_versions: dict[str, str] | None
    to_versions: dict[str, str] | None
    part: list[str] | None
    error: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class VersionRow(NamedTuple):
    """A registered version of a microservice."""

    id: int
    service: str
    version: str
    note: str
    registered_by: str
    registered_at: datetime
    withdrawn_at: datetime | None


class OutputRow(NamedTuple):
    """A piece of output. size: of its text, in characters; small_text: the text, unless it is longer than was asked for."""

    id: int
    uuid: str
    small_text: str | None
    size: int
    at_ms: int


def _stages(at: Places) -> QuerySet[Stage]:
    rows = Stage.objects.existing(at.project).with_last_rollout().annotate(
        source_name=F("source__name"), created_ms=Milliseconds("created_at"), updated_ms=Milliseconds("updated_at")
    )
    return rows.filter(name=at.name).order_by() if "name" in at else rows


def _detail(at: Places) -> QuerySet[Stage]:
    rows = _stages(at).with_last_number()
    return rows.annotate(versions=F("current_set__versions"), source_versions=F("source__current_set__versions"))


_STAGES = Prepared(StageRow, _stages)
_DETAIL = Prepared(StageDetail, _detail)


def stages(project_id: int) -> list[StageRow]:
    """The project's stages, in display order."""
    return _STAGES.rows(project=project_id)


def stage(project_id: int, name: str) -> StageRow | None:
    """One of them."""
    rows = _STAGES.rows(project=project_id, name=name)
    return rows[0] if rows else None


def stage_detail(project_id: int, name: str) -> StageDetail | None:
    """One of them with its versions."""
    rows = _DETAIL.rows(project=project_id, name=name)
    return rows[0] if rows else None


def _rollouts(at: Places) -> QuerySet[Rollout]:
    rows = Rollout.objects.of_project(at.project).filter(number=at.number).order_by()
    return rows.annotate(
        stage_name=F("stage__name"), gray_weight=Coalesce(F("canary__weight"), Value(0)),
        from_versions=F("from_set__versions"), to_versions=F("to_set__versions"),
    )  # fmt: skip


def _versions(at: Places) -> QuerySet[Version]:
    rows = Version.objects.of_project(at.project).annotate(service=F("microservice__name")).order_by("-id")
    rows = rows.filter(microservice__name=at.microservice) if "microservice" in at else rows
    return (rows.filter(id__lt=at.before) if "before" in at else rows)[:MOST]


_ROLLOUTS = Prepared(RolloutRow, _rollouts)
_VERSIONS = Prepared(VersionRow, _versions)


def rollout(project_id: int, number: int) -> RolloutRow | None:
    """The project's rollout of that number."""
    rows = _ROLLOUTS.rows(project=project_id, number=number)
    return rows[0] if rows else None


def versions_before(project_id: int, *, microservice: str | None, before: int | None, limit: int) -> list[VersionRow]:
    """The `limit` versions that were registered last, and one more where there is one; only ids below `before`, newest first."""
    given = {"microservice": microservice, "before": before}
    only = {name: value for name, value in given.items() if value is not None}
    return _VERSIONS.rows(project=project_id, **only, most=limit + 1)


def _outputs(at: Places) -> QuerySet[Output]:
    stage_id = Stage.objects.existing(at.project).filter(name=at.stage).order_by().values("pk")[:1]
    rows = Output.objects.kept().filter(stage_id=stage_id).order_by("id").annotate(
        uuid=UuidText("name"), at_ms=Milliseconds("at"), size=Length("text"),
        small_text=Case(When(LessThanOrEqual(Length("text"), at.small), then=F("text"))),
    )  # fmt: skip
    return rows.filter(name=at.name).order_by() if "name" in at else rows.filter(id__gt=at.after)[:MOST]


_OUTPUTS = Prepared(OutputRow, _outputs)


def outputs_after(project_id: int, stage: str, *, after: int, limit: int, small: int) -> list[OutputRow]:
    """The first `limit` pieces with an id above `after`, and one more where there is one; of all rollouts, oldest first.

    small: how long a text may be that is read along, in characters.
    """
    return _OUTPUTS.rows(project=project_id, stage=stage, after=after, small=small, most=limit + 1)


def output(project_id: int, stage: str, name: UUID) -> OutputRow | None:
    """The stage's piece of output of that name, with its text however long it is."""
    rows = _OUTPUTS.rows(project=project_id, stage=stage, name=name, small=MOST)
    return rows[0] if rows else None


def texts_of(rows: list[OutputRow]) -> dict[int, str]:
    """{id: text} of these rows; without those that were removed meanwhile."""
    large = [row.id for row in rows if row.small_text is None]
    found = dict(Output.objects.filter(pk__in=large).order_by().values_list("pk", "text")) if large else {}
    return found | {row.id: row.small_text for row in rows if row.small_text is not None}
