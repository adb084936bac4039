"""The page behind the search box."""
from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from gs2admin.dashboard import search as registry
from gs2admin.dashboard.pages import project_page
from gs2admin.identity.models import Project
from gs2admin.text import without_nul


@require_GET
@project_page()
def search(request: HttpRequest, project: Project) -> HttpResponse:
    """What starts with ?q=. When exactly one name equals it, its page is opened at once.

    Ids are taken as they are written; blanks around them count only if a name has them.
    """
    text = without_nul(request.GET.get("q", ""))
    bare = text.strip()
    groups = registry.find(project, text) if bare else []
    if bare and not groups and bare != text:
        groups = registry.find(project, bare)
    hits = [hit for group in groups for hit in group.hits]
    if len(hits) == 1 and hits[0].exact and not groups[0].more:
        return redirect(hits[0].url)
    return render(request, "dashboard/search.html", {"search_text": text, "bare": bare, "groups": groups})
