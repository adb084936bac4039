"""Reading the past: exports, two rollouts beside each other, and the numbers of a stage."""
from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import number_of
from gs2admin.dashboard.templatetags.gs import span, took
from gs2admin.errors import Invalid, NotFound
from gs2admin.identity.models import Project
from stages.core.versions import differences, effective
from stages.models import Rollout
from stages.pages.delivery_metrics import Week, read
from stages.pages.rollout_export import MOST, as_csv, as_json, rows_of
from stages.pages.rollout_filters import RolloutFilter
from stages.pages.views.rollouts import rollout_of
from stages.pages.views.stage import stage_of
from stages.plan.previews import versions_of

FORMATS = {"csv": (as_csv, "text/csv; charset=utf-8"), "json": (as_json, "application/json; charset=utf-8")}


@require_GET
@project_page()
def export(request: HttpRequest, project: Project, kind: str) -> StreamingHttpResponse:
    """What the list shows with the same address, as a file; at most the newest MOST. Raises NotFound, Invalid."""
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
    """?a= and ?b= are numbers of rollouts; without b, the one before a on the same stage."""
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


def facts_of(*rows: Rollout) -> list[tuple[str, list[str], bool]]:
    """(property, its text in each, whether they differ)."""
    found = []
    for name, text in (
        ("Stage", lambda row: row.stage.name), ("Kind", lambda row: row.get_kind_display()),
        ("State", lambda row: row.get_state_display()), ("Strategy", lambda row: row.strategy),
        ("Asked for by", lambda row: row.requested_by), ("Source", lambda row: row.source_name or "latest versions"),
        ("Set", lambda row: f"{row.from_set.number if row.from_set else 'none'} → {row.to_set.number}"),
        ("Took", lambda row: span(took(row)) or "–"), ("Steps", lambda row: f"{row.steps_done} of {row.steps_total}"),
        ("Changes", lambda row: str(row.changes_count)), ("Error", lambda row: row.error[:300] or "–"),
        ("Why", lambda row: row.reason[:300] or "–"),
    ):
        texts = [text(row) for row in rows]
        found.append((name, texts, len(set(texts)) > 1))
    return found


def times_of(*rows: Rollout) -> list[tuple[str, list[str]]]:
    """(microservice, how long its steps took in each), slowest of the second first."""
    sums: list[dict[str, timedelta]] = []
    for row in rows:
        found: dict[str, timedelta] = {}
        steps = row.steps.filter(started_at__isnull=False, ended_at__isnull=False, origin="")
        for name, began, ended in steps.values_list("microservice", "started_at", "ended_at"):
            found[name] = found.get(name, timedelta()) + (ended - began)
        sums.append(found)
    names = sorted({name for found in sums for name in found},
                   key=lambda name: (-sums[-1].get(name, timedelta()).total_seconds(), name))
    return [(name, [span(found[name]) if name in found else "–" for found in sums]) for name in names[:200]]


@dataclass(frozen=True)
class Bar:
    """One week of a chart. y, height: in the drawing's units of 0 to 100; words: for the tooltip and the table."""

    x: int
    y: float
    height: float
    words: str
    label: str


@dataclass(frozen=True)
class Chart:
    """One measure over the weeks. now: of the last week with a value, in words."""

    key: str
    title: str
    help: str
    bars: Sequence[Bar]
    peak: str
    now: str
    tone: str = "ok"


def chart_of(key: str, title: str, help: str, weeks: Iterable[Week], value, words, tone: str = "ok") -> Chart:
    """A chart. value: of a week, None for nothing to measure. words: of a value."""
    rows = [(week, value(week)) for week in weeks]
    top = max((number for _, number in rows if number is not None), default=0) or 1
    bars = [
        Bar(index * 20, 100 - (number or 0) / top * 96, (number or 0) / top * 96, "–" if number is None else words(number),
            f"{week.start.day} {week.start:%b}")
        for index, (week, number) in enumerate(rows)
    ]
    last = next((number for _, number in reversed(rows) if number is not None), None)
    peak = words(top) if any(number for _, number in rows) else ""
    return Chart(key, title, help, bars, peak, "nothing yet" if last is None else words(last), tone)


@require_GET
@project_page()
def numbers(request: HttpRequest, project: Project, stage: str) -> HttpResponse:
    """How delivery to a stage goes, in four charts of twelve weeks."""
    row = stage_of(project, stage)
    weeks = read(row)
    changes, bad = sum(week.changes for week in weeks), sum(week.failures for week in weeks)
    return render(request, "stages/numbers.html", {
        "stage": row, "any": any(week.changes or week.restore for week in weeks), "changes": changes, "bad": bad,
        "charts": [
            chart_of("frequency", "Deployments", "Promotes a week that succeeded and changed something.", weeks,
                     lambda week: week.deployments, lambda number: f"{number:g} a week"),
            chart_of("lead", "Lead time", f"From registering a version to running on {row.name}, median.", weeks,
                     lambda week: week.lead_s, span),
            chart_of("failures", "Change failure rate", "Promotes that failed, or had to be rolled back.", weeks,
                     lambda week: week.failure_rate, lambda number: f"{number:.0%}", "bad"),
            chart_of("restore", "Time to restore", "From a failure to the next success, median.", weeks,
                     lambda week: week.restore_s, span, "bad"),
        ],
        "crumbs": [(row.name, reverse("stage", kwargs={"project": project.name, "stage": row.name})), ("Numbers", "")],
        "title": f"Numbers of {row.name}",
        "text": "How delivery goes, week by week, over the last twelve weeks (weeks begin on Monday, UTC).",
    })
