"""The activity page and its export."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gs2admin.audit.models import Activity
from gs2admin.audit.pages.export import lines
from gs2admin.audit.pages.facts import brief, facts
from gs2admin.audit.pages.forms import FilterForm
from gs2admin.audit.pages.words import DOORS, OBJECTS, ON_ONESELF, verb
from gs2admin.audit.querysets import ActivityQuerySet
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import link, number_of
from gs2admin.db import clock
from gs2admin.db.portions import Portion
from gs2admin.errors import Invalid
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can

PAGE = 50


@require_GET
@project_page("activity.view")
def activity(request: HttpRequest, project: Project) -> HttpResponse:
    """The lines, newest first; filters and place are in the address."""
    form = FilterForm(request.GET)
    words = form.cleaned_data if form.is_valid() else {}
    before = number_of(request)
    portion = Portion()
    if form.is_valid():
        portion = _rows(request, project, words).first_matching(words, before=before, limit=PAGE + 1)
    found: list[Activity] = portion.rows
    further = (found[PAGE - 1].pk,) if len(found) > PAGE else portion.further
    kept = {name: request.GET.get(name, "") for name in form.fields}
    return render(request, "audit/activity.html", {
        "form": form,
        "lines": [line_of(row) for row in found[:PAGE]],
        "older": link(**kept, before=further[0]) if further else "",
        "partial": portion.further is not None,
        "newer": link(**kept) if before is not None else "",
        "filtered": any(words.values()) or not form.is_valid(),
        "export": link(**kept) if form.is_valid() else "",
    }, status=200 if form.is_valid() else 400)


def _rows(request: HttpRequest, project: Project, words: dict[str, Any]) -> ActivityQuerySet:
    """All lines of the project; asked for accounts, those of its members for who manages them, else one's own."""
    if words.get("type") != "user" and not (words.get("action") or "").startswith("person."):
        return Activity.objects.of_project(project.pk)
    people = [request.actor.id]
    if can(request.actor, "member.manage", project):
        people = [str(pk) for pk in project.memberships.values_list("user_id", flat=True)]
    return Activity.objects.of_accounts(people)


def line_of(row: Activity) -> dict[str, Any]:
    """What a page shows of a line."""
    before, after = row.before, row.after
    if isinstance(before, dict) and isinstance(after, dict):
        # These lines name their surroundings on one side only.
        if row.object_type == "rollout":
            after = before | after
        elif row.object_type == "membership":
            before = after | before
    found = facts(before, after)
    where = f"{before['stage']}, " if row.object_type == "rollout" and "stage" in (before or {}) else ""
    oneself = row.object_type == "user" and row.actor_kind == "person" and row.actor_id == row.object_id
    return {
        "row": row,
        "verb": ON_ONESELF.get(row.action, verb(row.action)) if oneself else verb(row.action),
        "names_object": not (oneself and row.action in ON_ONESELF),
        "facts": found,
        "brief": f"{where}{brief(found, two_sides=before is not None and after is not None)}",
        "door": DOORS.get(row.door, row.door),
        "same_actor": link(actor=row.actor_name),
        "same_object": link(type=row.object_type if row.object_type in OBJECTS else "", object=row.object_id),
    }


@require_GET
@project_page("activity.view")
def export(request: HttpRequest, project: Project) -> StreamingHttpResponse:
    """Every line that fits the filters, as CSV; streamed, so its size does not matter."""
    form = FilterForm(request.GET)
    if not form.is_valid():
        raise Invalid("These filters cannot be read. Go back to the activity page and correct them first.")
    rows = _rows(request, project, form.cleaned_data).matching(form.cleaned_data)
    name = f"{project.name}-activity-{clock.now():%Y-%m-%d}.csv"
    return StreamingHttpResponse(lines(rows.in_chunks()), content_type="text/csv; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    })
