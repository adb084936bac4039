"""What answers say of stages and their output, each read by one statement that names the project (gs2admin/db/prepared.py)."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

from gs2admin.db.columns import Milliseconds, UuidText
from gs2admin.db.prepared import MOST, Places, Prepared
from stages.models import Output, Stage


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
