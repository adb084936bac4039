"""Search for a player or a job in the whole project."""
from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import link, number_of
from gs2admin.identity.models import Project
from gs2admin.text import without_nul
from jobqueue.pages.forms import SearchForm
from jobqueue.reads import search as reads
from jobqueue.reads.players import last_results

PLAYERS = 30


@require_GET
@project_page()
def search(request: HttpRequest, project: Project) -> HttpResponse:
    """Players and jobs that fit; what is searched is in the address."""
    data = request.GET.copy()
    for key in data:
        data[key] = without_nul(data[key])
    data.setdefault("q", data.get("id", ""))  # so a player's own page asks
    form = SearchForm(data)
    form.is_valid()
    words = getattr(form, "cleaned_data", {})
    q, script, text = words.get("q", ""), words.get("script", ""), words.get("text", "")
    named = reads.job_named(project, q) if q else None
    if named is not None and not (script or text):
        return redirect("queues-job", project=project.name, job=named.name)
    players = reads.players(project, q, limit=PLAYERS + 1) if q else []
    before = number_of(request)
    found = reads.jobs(project, user=q, script=script, text=text, before=before) if (script or text) else None
    results = last_results(found.jobs) if found else {}
    filters = {"q": q, "script": script, "text": text}
    read = (found.read if found else 0) + (number_of(request, "read") or 0 if before is not None else 0)
    return render(request, "jobqueue/search.html", {
        "form": form, "q": q, "asked": bool(q or script or text),
        "players": players[:PLAYERS], "more_players": len(players) > PLAYERS,
        "found": found, "read": read, "text": text,
        "jobs": [(job, results.get(job.pk)) for job in found.jobs] if found else [],
        "further": link(**filters, before=found.further, read=read) if found and found.further else "",
        "again": before is not None,
        "first": link(**filters) if before is not None else "",
    }, status=400 if form.errors else 200)
