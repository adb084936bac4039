"""The rows that the path of a call names, and a page of a list. Asks no right: handlers do (stages.api.find.viewing)."""

from __future__ import annotations

import re
from typing import TypeVar

from django.db.models import QuerySet

from gs2admin.errors import Invalid, NotFound
from gs2admin.identity.models import Project
from gs2admin.text import shortened
from gs2admin.wire.protocol import Request
from stages.models import Rollout, Scenario, Stage

_ID = re.compile(r"[1-9][0-9]{0,17}")
_COUNT = re.compile(r"[0-9]{1,9}")
MAX_PAGE = 100
M = TypeVar("M")


def number_of(request: Request, piece: str) -> int:
    """The number in a path piece. Raises NotFound for any other text: it names nothing."""
    text = request.pieces[piece]
    if not _ID.fullmatch(text):
        raise NotFound(f"There is no {piece.removesuffix('Id')} {shortened(text, 40)}.")
    return int(text)


def project_of(request: Request) -> Project:
    """The caller's project. Raises NotFound for another number: a credential belongs to one project."""
    if number_of(request, "projectId") != request.project.pk:
        raise NotFound(f"There is no project {request.pieces['projectId']}.")
    return request.project


def stage_of(request: Request) -> Stage:
    """A stage of the project. Raises NotFound."""
    project, number = project_of(request), number_of(request, "stageId")
    row = Stage.objects.existing(project.pk).select_related("source", "scenario").filter(pk=number).first()
    if row is None:
        raise NotFound(f"There is no stage {number}.")
    return row


def scenario_of(request: Request) -> tuple[Stage, Scenario]:
    """A stage of the project and its scenario. Raises NotFound."""
    stage, number = stage_of(request), number_of(request, "scenarioId")
    row = Scenario.objects.select_related("stage").filter(stage=stage, pk=number).first()
    if row is None:
        raise NotFound(f"There is no scenario {number} in {stage.name}.")
    return stage, row


def rollout_of(request: Request) -> Rollout:
    """A rollout of the project, by its number, which is the id of its history. Raises NotFound."""
    project, number = project_of(request), number_of(request, "historyId")
    rows = Rollout.objects.of_project(project.pk).select_related("project", "stage", "scenario", "from_set", "to_set")
    row = rows.filter(number=number).first()
    if row is None:
        raise NotFound(f"There is no history {number}.")
    return row


def page_of(request: Request, rows: QuerySet[M]) -> list[M]:
    """The rows of `pageNo` (from 1) with `pageSize` (1 to 100, 100 when absent). Raises Invalid."""
    number, size = _count(request, "pageNo", 1), _count(request, "pageSize", MAX_PAGE)
    if number < 1:
        raise Invalid("pageNo counts from 1.")
    if not 1 <= size <= MAX_PAGE:
        raise Invalid(f"pageSize is 1 to {MAX_PAGE}.")
    return list(rows[(number - 1) * size : number * size])


def _count(request: Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    if not text:
        return default
    if not _COUNT.fullmatch(text):
        raise Invalid(f"{name} is a whole number.")
    return int(text)
