"""The delivery metrics of a stage."""
from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.identity.models import Project
from stages.pages.delivery_charts import charts_of
from stages.pages.delivery_metrics import read
from stages.pages.views.stage import stage_of


@require_GET
@project_page()
def delivery_metrics(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """Four charts over twelve weeks."""
    row = stage_of(project, stage)
    weeks = read(row)
    return render(request, "stages/delivery_metrics.html", {
        "stage": row, "any": any(week.changes or week.restore for week in weeks),
        "changes": sum(week.changes for week in weeks), "bad": sum(week.failures for week in weeks),
        "charts": charts_of(weeks, row.name),
        "crumbs": [(row.name, reverse("stage", kwargs={"project": project.name, "stage": row.name})), ("Delivery metrics", "")],
        "title": f"Delivery metrics of {row.name}",
        "text": "How delivery goes, week by week, over the last twelve weeks (weeks begin on Monday, UTC).",
    })
