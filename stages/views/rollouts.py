"""The list of rollouts, and one rollout with its live output."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from stages.lines import line_html, line_text
from stages.models import Output, Rollout, Stage
from stages.rollout_page import parts_context, rights_of
from stages.states import LIVE, TIMED, RolloutState

PAGE = 50
LINES = 500
STATE_FILTERS = (
    ("awaiting", "Waiting for approval", [RolloutState.AWAITING_APPROVAL]),
    ("live", "Running", sorted(LIVE)),
    ("canary", "Canary is up", sorted(TIMED)),
    ("succeeded", "Succeeded", [RolloutState.SUCCEEDED]),
    ("failed", "Failed", [RolloutState.FAILED, RolloutState.ERRORED]),
    ("canceled", "Canceled", [RolloutState.CANCELED]),
    ("withdrawn", "Canary withdrawn", [RolloutState.CANARY_REJECTED, RolloutState.CANARY_TIMEOUT]),
    ("rejected", "Rejected", [RolloutState.REJECTED]),
)


def rollout_of(project: Project, number: int) -> Rollout:
    """The project's rollout of that number with its stage and sets. Raises NotFound."""
    row = (
        Rollout.objects.filter(project=project, number=number)
        .select_related("stage", "stage__current_set", "stage__source", "from_set", "to_set", "retry_of", "undoes", "approval")
        .first()
    )
    if row is None:
        raise NotFound(f"There is no rollout {number} in {project.name}.")
    return row


@require_GET
@project_page()
def rollouts(request: HttpRequest, project: Project) -> HttpResponse:
    """All rollouts, newest first; filters and place are in the address."""
    stages = list(Stage.objects.existing(project.pk).only("id", "name"))
    stage = next((row for row in stages if row.name == request.GET.get("stage")), None)
    state = next((entry for entry in STATE_FILTERS if entry[0] == request.GET.get("state")), None)
    by = request.GET.get("by", "").replace("\x00", "").strip()[:150]
    rows = Rollout.objects.of_project(project.pk).select_related("stage")
    if stage:
        rows = rows.filter(stage=stage)
    if state:
        rows = rows.filter(state__in=state[2])
    if by:
        rows = rows.filter(requested_by=by)
    before = request.GET.get("before", "")
    if before.isdigit() and len(before) < 10:
        rows = rows.filter(number__lt=int(before))
    found = list(rows.defer("error")[: PAGE + 1])
    filters = {key: value for key, value in
               (("stage", stage.name if stage else ""), ("state", state[0] if state else ""), ("by", by)) if value}
    older = f"?{urlencode({**filters, 'before': found[PAGE - 1].number})}" if len(found) > PAGE else ""
    return render(request, "stages/rollouts.html", {
        "rollouts": found[:PAGE], "older": older, "newer": f"?{urlencode(filters)}" if before else "",
        "stages": stages, "stage": stage, "states": STATE_FILTERS, "state": state[0] if state else "", "by": by,
        "filtered": bool(filters),
    })


def _lines(row: Rollout, *, before: int | None = None, after: int | None = None) -> tuple[list[Output], int | None]:
    """At most LINES pieces of output in order, and the cursor of the page before them (None at the start).

    before, after: exclusive sequence numbers; without them the last ones.
    """
    rows = Output.objects.kept().filter(rollout=row)
    if after is not None:
        return list(rows.filter(seq__gt=after).order_by("seq")[:LINES]), None
    if before is not None:
        rows = rows.filter(seq__lt=before)
    found = list(rows.order_by("-seq")[: LINES + 1])[::-1]
    if len(found) > LINES:
        return found[1:], found[1].seq
    return found, None


def _cursor(request: HttpRequest) -> int | None:
    value = request.GET.get("before", "")
    return int(value) if value.isdigit() and len(value) < 10 else None


@require_GET
@project_page()
def rollout(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The page: what, who, why, how far, what it prints."""
    row = rollout_of(project, number)
    before = _cursor(request)
    lines, earlier = _lines(row, before=before)
    rights = rights_of(request.actor, project)
    context: dict[str, Any] = parts_context(row, rights)
    return render(request, "stages/rollout.html", {
        **context,
        "lines_html": mark_safe("".join(line_html(line) for line in lines)),  # escaped piece by piece in stages.lines
        "earlier": earlier,
        "past": before is not None,
        "seq": lines[-1].seq if lines else 0,
        "watch": before is None and not context["final"],
    })


@require_GET
@project_page()
def rollout_lines(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The lines before ?before=, for "Show earlier lines"."""
    row = rollout_of(project, number)
    lines, earlier = _lines(row, before=_cursor(request))
    return render(request, "stages/_earlier.html", {
        "rollout": row, "earlier": earlier, "lines_html": mark_safe("".join(line_html(line) for line in lines)),
    })


@require_GET
@project_page()
def rollout_text(request: HttpRequest, project: Project, number: int) -> StreamingHttpResponse:
    """The whole output as text, streamed."""
    row = rollout_of(project, number)

    def stream() -> Iterator[str]:
        after = 0
        while True:
            lines, _ = _lines(row, after=after)
            if not lines:
                return
            yield "".join(line_text(line) for line in lines)
            after = lines[-1].seq

    name = f"{project.name}-rollout-{row.number}.txt"
    return StreamingHttpResponse(stream(), content_type="text/plain; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    })
