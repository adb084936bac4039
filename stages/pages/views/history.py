"""Past rollouts: exports, and two rollouts side by side."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import number_of
from gs2admin.errors import Invalid, NotFound
from gs2admin.identity.models import Project
from stages.core.versions import differences, effective
from stages.models import Rollout
from stages.pages.compare import facts_of, times_of
from stages.pages.rollout_export import MOST, as_csv, as_json, rows_of
from stages.pages.rollout_filters import RolloutFilter
from stages.pages.views.rollouts import rollout_of
from stages.plan.previews import versions_of

FORMATS = {"csv": (as_csv, "text/csv; charset=utf-8"), "json": (as_json, "application/json; charset=utf-8")}


@require_GET
@project_page()
def export(request: HttpRequest, project: Project, kind: str) -> StreamingHttpResponse:
    """The rollouts that the list shows for the same query, as a file; at most the newest MOST. Raises NotFound, Invalid."""
    if kind not in FORMATS:
        raise NotFound("Rollouts are exported as csv or json.")
    form = RolloutFilter(request.GET, project=project)
    if not form.is_valid():
        raise Invalid("These filters cannot be read. Go back to the list and correct the one that is marked.")
    written, content_type = FORMATS[kind]
    return StreamingHttpResponse(written(rows_of(form.rows())), content_type=content_type, headers={
        "Content-Disposition": f'attachment; filename="{project.name}-rollouts.{kind}"', "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store", "X-Most-Rows": str(MOST),
    })


@require_GET
@project_page()
def compare(request: HttpRequest, project: Project) -> HttpResponse:
    """The rollouts of the numbers ?a= and ?b=; without b, the one before a on the same stage."""
    first, second, missing = number_of(request, "a"), number_of(request, "b"), ""
    rows: list[Rollout] = []
    try:
        if first:
            rows = [rollout_of(project, first)]
            before = Rollout.objects.filter(stage=rows[0].stage, id__lt=rows[0].pk, started_at__isnull=False).order_by("-id")
            second = second or before.values_list("number", flat=True).first()
        if rows and second:
            rows.append(rollout_of(project, second))
    except NotFound as refusal:
        missing, rows = refusal.sentence, []
    rows.sort(key=lambda row: row.number)
    context: dict[str, Any] = {"a": first or "", "b": second or "", "missing": missing, "rows": rows}
    if len(rows) == 2:
        changes = differences(versions_of(rows[0].to_set), versions_of(rows[1].to_set))
        context |= {
            "changed": effective(changes), "same": [change for change in changes if change.kind == "same"],
            "facts": facts_of(*rows), "times": times_of(*rows),
        }
    return render(request, "stages/compare.html", context)
