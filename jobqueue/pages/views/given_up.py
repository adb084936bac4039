"""Given-up jobs of a namespace, and the replay of a filtered set of them."""
from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, link, number_of, status_of
from gs2admin.db.portions import Portion
from gs2admin.errors import Conflict
from gs2admin.identity.models import Project
from gs2admin.text import without_nul
from jobqueue.models import GivenUp, Job, Namespace
from jobqueue.pages.forms import GivenUpFilter, ReplayForm
from jobqueue.pages.views.common import at, crumbs, get_and_post, namespace_of, rights
from jobqueue.reads import given_up as reads
from jobqueue.reads.players import last_results
from jobqueue.services import replay_jobs

PAGE = 30


def _filter(request: HttpRequest) -> GivenUpFilter:
    """The filter in the address; NUL is taken out, because no database takes it."""
    data = request.GET.copy()
    for key in data:
        data[key] = without_nul(data[key])
    return GivenUpFilter(data)


def _filters_of(form: GivenUpFilter) -> dict[str, str]:
    return {name: form.data.get(name, "") for name in form.fields}


@require_GET
@project_page()
def given_up(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """The lines, newest first; filters and place are in the address."""
    row = namespace_of(project, namespace)
    form = _filter(request)
    before = number_of(request)
    portion = Portion()
    if form.is_valid():
        portion = reads.first_matching(row, form.words(), before=before, limit=PAGE + 1)
    found: list[GivenUp] = portion.rows
    further = (found[PAGE - 1].pk,) if len(found) > PAGE else portion.further
    filters = _filters_of(form)
    results = last_results([line.job for line in found[:PAGE]])
    return render(request, "jobqueue/given_up.html", {
        "namespace": row, "form": form, "filtered": any(filters.values()),
        "rows": [(line, results.get(line.job_id)) for line in found[:PAGE]],
        "older": link(**filters, before=further[0]) if further else "", "partial": portion.further is not None,
        "newer": link(**filters) if before is not None else "",
        "replay": f"{at('queues-replay', row)}{link(**{**filters, 'replayed': ''})}",
        "any_left": any(line.replayed_at is None for line in found),
        **rights(request, project, "job.replay"),
    }, status=200 if form.is_valid() else 400)


@get_and_post
@project_page("job.replay")
def replay(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Say how many jobs the filter means, ask, then push them again; the set that is replayed is the one that was shown."""
    row = namespace_of(project, namespace)
    words = _filter(request)
    if not words.is_valid():
        return redirect(f"{at('queues-given-up', row)}?{request.META['QUERY_STRING']}")
    facts = words.words() | {"replayed": False}
    form = ReplayForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: _replay(request, row, facts, form.cleaned_data))
        if done is not None:
            each = "1 job is" if done == 1 else f"{done:,} jobs are"
            how = "The server runs them now." if row.enable_auto_run else "They wait for somebody to run them."
            how = "They wait until the namespace is resumed." if row.paused_at else how
            messages.success(request, f"{each} pushed again. {how}")
            return redirect(f"{at('queues-given-up', row)}{link(**_filters_of(words))}")
    lines = list(reads.matching(row, facts)[: reads.MOST + 1])
    asked = ReplayForm(initial={
        "upto": lines[0].pk if lines else 0, "count": len(lines), "reason": without_nul(request.POST.get("reason", "")),
    })
    refusals = [text for texts in form.errors.values() for text in texts] if form.is_bound else []
    back = f"{at('queues-given-up', row)}{link(**_filters_of(words))}"
    return render(request, "jobqueue/replay.html", {
        "namespace": row, "form": asked, "refusals": refusals,
        "count": len(lines), "too_many": len(lines) > reads.MOST, "most": reads.MOST, "back": back,
        "players": len({line.user_id for line in lines}), "words": [(field.label, field.data) for field in words if field.data],
        "sample": lines[:10],
        "crumbs": crumbs(project, (row.name, at("queues-namespace", row)), ("Given up", back), ("Replay", "")),
    }, status=status_of(form))


def _replay(request: HttpRequest, row: Namespace, facts: dict[str, Any], sent: dict[str, Any]) -> int:
    """Replay the lines up to the newest that was shown. Raises Conflict when they are not as many as were shown."""
    lines = list(reads.matching(row, facts, upto=sent["upto"])[: reads.MOST + 1])
    if len(lines) > reads.MOST:
        raise Conflict(f"The filter fits more than {reads.MOST:,} jobs; narrow it first.")
    if len(lines) != sent["count"] or not lines:
        raise Conflict(f"The set has changed since you looked: it was {sent['count']:,}, now it is {len(lines):,}. Nothing was "
                       "replayed; look again and confirm.")
    jobs = Job.objects.filter(pk__in=[line.job_id for line in lines]).select_related("queue")
    return len(replay_jobs(actor=request.actor, namespace=row, jobs=list(jobs), reason=sent["reason"]))
