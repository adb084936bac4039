"""The board: what runs where, what the next promote would change, and what needs a human now."""
from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gs2admin.dashboard import health
from gs2admin.dashboard.pages import project_page
from gs2admin.identity.models import Project
from stages.pages.board_html import boards, rights_of


@require_GET
@project_page()
def board(request: HttpRequest, project: Project) -> HttpResponse:
    """The page."""
    found, workers = boards.board(project), health.snapshot()
    rights = rights_of(request.actor, project)
    html = boards.html(project, rights, found, workers)
    return render(request, "stages/board.html", {"board_html": html, "may_edit": bool(found.cards) and "stage.edit" in rights})
