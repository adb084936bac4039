"""The list of rollouts, and one rollout with its live output."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_GET, require_http_methods

from gs2admin.audit.notes import ROLLOUT, notes_about
from gs2admin.audit.pages.notes import note_page, with_rights
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import number_of
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from stages.core.release_notes import release_notes
from stages.core.versions import differences
from stages.models import Output, Rollout
from stages.pages.output import SHOWN_CHARS, line_html, line_text
from stages.pages.rollout_filters import RolloutFilter
from stages.pages.rollout_page import parts_context, requester_of, rights_of
from stages.plan.previews import versions_of

PAGE = 50
# Of a page: so many lines and characters of them; read in pieces, so that long lines are not read to be thrown away.
LINES, CHARS, PIECE = 500, 200_000, 100


def rollout_of(project: Project, number: int) -> Rollout:
    """The project's rollout of that number with its stage and sets. Raises NotFound."""
    row = (
        Rollout.objects.filter(project=project, number=number)
        .select_related(
            "stage", "stage__current_set", "stage__source", "from_set", "to_set", "retry_of", "undoes", "approval", "canary"
        )
        .first()
    )
    if row is None:
        raise NotFound(f"There is no rollout {number} in {project.name}.")
    return row


@require_GET
@project_page()
def rollouts(request: HttpRequest, project: Project) -> HttpResponse:
    """All rollouts, newest first; the address holds the filters and the place in the list."""
    form = RolloutFilter(request.GET, project=project)
    before = number_of(request)
    portion = form.first(before=before or None, limit=PAGE + 1)
    found: list[Rollout] = portion.rows
    further = (found[PAGE - 1].number,) if len(found) > PAGE else portion.further
    return render(request, "stages/rollouts.html", {
        "rollouts": found[:PAGE], "form": form, "filtered": bool(form.chosen) or not form.is_valid(),
        "older": form.query(before=further[0]) if further else "", "partial": portion.further is not None,
        "newer": (form.query() or "?") if before else "", "query": form.query(), "stage_name": form.chosen.get("stage", ""),
    }, status=200 if form.is_valid() else 400)


def _output(row: Rollout, *, before: int | None = None, after: int | None = None) -> tuple[list[Output], int | None]:
    """Lines of output in order, and the cursor of those before them (None at the start).

    before: LINES at most, and little more than CHARS of text. after: the next PIECE. Both are exclusive sequence numbers;
    without them the last ones.
    """
    rows = Output.objects.kept().filter(rollout=row)
    if after is not None:
        return list(rows.filter(seq__gt=after).order_by("seq")[:PIECE]), None
    found: list[Output] = []
    size = 0
    while len(found) < LINES and size < CHARS:
        part = list((rows if before is None else rows.filter(seq__lt=before)).order_by("-seq")[: min(PIECE, LINES - len(found))])
        for line in part:
            found.append(line)
            size += min(len(line.text), SHOWN_CHARS)
            if size >= CHARS:
                break
        if not part:
            return found[::-1], None
        before = found[-1].seq
    return found[::-1], before if rows.filter(seq__lt=before).exists() else None


def _cursor(request: HttpRequest) -> int | None:
    value = request.GET.get("before", "")
    return int(value) if value.isdigit() and len(value) < 10 else None


@require_GET
@project_page()
def rollout(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The page of one rollout: its facts, its progress and its output."""
    row = rollout_of(project, number)
    before = _cursor(request)
    lines, earlier = _output(row, before=before)
    rights = rights_of(request.actor, project, requester_of(row.requested_by_kind, row.requested_by_id, row.requested_by))
    context: dict[str, Any] = parts_context(row, rights)
    return render(request, "stages/rollout.html", {
        **context,
        **with_rights(request, project, notes_about(project.pk, ROLLOUT, str(row.number))),
        "note_url": reverse("rollout-note", kwargs={"project": project.name, "number": row.number}),
        "lines": reverse("rollout", kwargs={"project": project.name, "number": row.number}),
        "notes": release_notes(project.pk, differences(versions_of(row.from_set), versions_of(row.to_set))),
        "lines_html": mark_safe("".join(line_html(line) for line in lines)),  # line_html escapes it
        "earlier": earlier,
        "past": before is not None,
        "seq": lines[-1].seq if lines else 0,
        "watch": before is None and (not context["final"] or context["taking_back"]),
    })


@require_http_methods(["GET", "POST"])
@project_page("note.write")
def note(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """A note on a rollout, also after its end."""
    row = rollout_of(project, number)
    back = reverse("rollout", kwargs={"project": project.name, "number": row.number})
    return note_page(request, project, about=ROLLOUT, about_id=str(row.number), back=back, title=f"Note on rollout {row.number}")


@require_GET
@project_page()
def rollout_output(request: HttpRequest, project: Project, number: int) -> HttpResponse:
    """The output before ?before=, for "Show earlier output"."""
    row = rollout_of(project, number)
    lines, earlier = _output(row, before=_cursor(request))
    return render(request, "stages/_earlier.html", {
        "rollout": row, "earlier": earlier, "lines_html": mark_safe("".join(line_html(line) for line in lines)),
    })


@require_GET
@project_page()
def rollout_text(request: HttpRequest, project: Project, number: int) -> StreamingHttpResponse:
    """All output as text, streamed."""
    row = rollout_of(project, number)

    def stream() -> Iterator[str]:
        after = 0
        while True:
            lines, _ = _output(row, after=after)
            if not lines:
                return
            yield "".join(line_text(line) for line in lines)
            after = lines[-1].seq

    name = f"{project.name}-rollout-{row.number}.txt"
    return StreamingHttpResponse(stream(), content_type="text/plain; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    })
