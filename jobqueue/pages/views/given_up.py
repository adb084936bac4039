"""Given-up jobs of a namespace: by error or one by one, and what can be done about a chosen set of them."""
from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.posting import attempt, link, number_of, status_of
from gs2admin.db.portions import Portion
from gs2admin.errors import Conflict, Invalid
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from gs2admin.json_merge import is_object, merged
from gs2admin.text import without_nul
from jobqueue.models import GivenUp, Job, Namespace
from jobqueue.pages.forms import ChangedReplayForm, GivenUpFilter, ReplayForm
from jobqueue.pages.given_up_choice import Chosen, address_of, chosen_of, filter_of, filters_of, lines_of
from jobqueue.pages.views.common import at, crumbs, get_and_post, namespace_of, rights, script_url
from jobqueue.reads import given_up as reads
from jobqueue.reads.given_up_groups import groups
from jobqueue.reads.players import last_results
from jobqueue.services import delete_jobs, replay_jobs

PAGE, SHOWN, SAMPLE = 30, 5, 3


@require_GET
@project_page()
def given_up(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """By error, or with ?by=job or of chosen errors one by one, newest first; filters and place are in the address."""
    row = namespace_of(project, namespace)
    form, chosen = filter_of(request), chosen_of(request)
    one_by_one = request.GET.get("by") == "job" or chosen.some
    filters = filters_of(form)
    context = {
        "namespace": row, "form": form, "filtered": any(filters.values()), "chosen": chosen, "one_by_one": one_by_one,
        "by_error": link(**filters), "by_job": link(**filters, by="job"),
        **rights(request, project, "job.replay", "job.delete"),
    }
    if form.is_valid() and not one_by_one:
        found = groups(row, form.words(), quick=True)
        context |= {
            "found": found, "shown": SHOWN, "groups": [(group, script_url(project, group.ran.name)) for group in found.groups],
            "any_left": any(line.replayed_at is None for group in found.groups for line in group.lines), "rows": found.groups,
            "partial": found.more and not found.groups, "older": link(**filters, by="job"),
        }
    elif form.is_valid():
        context |= _one_by_one(request, row, form, chosen)
    context["replay"] = f"{at('queues-replay', row)}{address_of(form, chosen)}"
    return render(request, "jobqueue/given_up.html", context, status=200 if form.is_valid() else 400)


def _one_by_one(request: HttpRequest, row: Namespace, form: GivenUpFilter, chosen: Chosen) -> dict[str, Any]:
    before = number_of(request)
    if chosen.some:
        rows = lines_of(row, form.words(), chosen)
        rows = rows if before is None else rows.filter(pk__lt=before)
        portion = Portion(list(rows.select_related("job").defer("job__args")[: PAGE + 1]))
    else:
        portion = reads.first_matching(row, form.words(), before=before, limit=PAGE + 1)
    found: list[GivenUp] = portion.rows
    further = (found[PAGE - 1].pk,) if len(found) > PAGE else portion.further
    results = last_results([line.job for line in found[:PAGE]])
    here = f"{address_of(form, chosen)}{'' if chosen.some else '&by=job'}"
    return {
        "rows": [(line, results.get(line.job_id)) for line in found[:PAGE]],
        "older": f"{here}&before={further[0]}" if further else "", "partial": portion.further is not None,
        "newer": here if before is not None else "",
        "any_left": any(line.replayed_at is None for line in found),
    }


@get_and_post
@project_page("job.replay")
def replay(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Say how many jobs are meant, ask, then push them again; the set that is replayed is the one that was shown."""
    may_change = can(request.actor, "job.replay_changed", project)
    kind = ChangedReplayForm if may_change else ReplayForm

    def act(row: Namespace, lines: list[GivenUp], sent: dict[str, Any]) -> str:
        jobs = _jobs_of(lines)
        changes = sent.get("changes") or {}
        args = {job.pk: _merged(job.args, changes) for job in jobs} if changes else None
        done = len(replay_jobs(actor=request.actor, namespace=row, jobs=jobs, reason=sent["reason"], args=args))
        how = "The server runs them now." if row.enable_auto_run else "They wait for somebody to run them."
        how = "They wait until the namespace is resumed." if row.paused_at else how
        return f"{'1 job is' if done == 1 else f'{done:,} jobs are'} pushed again. {how}"

    return _about(request, project, namespace, kind, act, "replay")


@get_and_post
@project_page("job.delete")
def delete(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """Say how many jobs are meant, ask, then take exactly these away."""

    def act(row: Namespace, lines: list[GivenUp], sent: dict[str, Any]) -> str:
        done = len(delete_jobs(actor=request.actor, namespace=row, jobs=_jobs_of(lines), reason=sent["reason"]))
        return f"{'1 given-up job is' if done == 1 else f'{done:,} given-up jobs are'} deleted."

    return _about(request, project, namespace, ReplayForm, act, "delete")


def _jobs_of(lines: list[GivenUp]) -> list[Job]:
    return list(Job.objects.filter(pk__in=[line.job_id for line in lines]).select_related("queue"))


def _about(request: HttpRequest, project: Project, namespace: str, kind: type[ReplayForm], act: Any, verb: str) -> HttpResponse:
    """The page of an act on the chosen jobs, and the act. act(namespace, lines, what was sent) returns what to tell."""
    row = namespace_of(project, namespace)
    words, chosen = filter_of(request), chosen_of(request)
    if not words.is_valid():
        return redirect(f"{at('queues-given-up', row)}?{request.META['QUERY_STRING']}")
    facts = words.words() | ({"replayed": False} if verb == "replay" else {})
    form = kind(request.POST if request.method == "POST" else None)
    back = f"{at('queues-given-up', row)}{link(**filters_of(words))}"
    if request.method == "POST" and form.is_valid() and request.POST.get("do") != "look":
        told = attempt(form, lambda: act(row, _as_shown(row, facts, chosen, form.cleaned_data), form.cleaned_data))
        if told is not None:
            messages.success(request, told)
            return redirect(back)
    lines = list(lines_of(row, facts, chosen)[: reads.MOST + 1])
    asked = kind(initial={
        "upto": lines[0].pk if lines else 0, "count": len(lines), "reason": without_nul(request.POST.get("reason", "")),
        "changes": without_nul(request.POST.get("changes", "")),
    })
    refusals = [text for texts in form.errors.values() for text in texts] if form.is_bound else []
    changes = form.cleaned_data.get("changes") if form.is_bound and form.is_valid() else None
    return render(request, "jobqueue/given_up_act.html", {
        "namespace": row, "form": asked, "refusals": refusals, "verb": verb,
        "count": len(lines), "too_many": len(lines) > reads.MOST, "most": reads.MOST, "back": back,
        "players": len({line.user_id for line in lines}), "words": [(field.label, field.data) for field in words if field.data],
        "chosen": chosen, "sample": lines[:10], "changed": _changed(lines[:SAMPLE], changes) if changes else [],
        "crumbs": crumbs(project, (row.name, at("queues-namespace", row)), ("Given up", back), (verb.capitalize(), "")),
    }, status=status_of(form))


def _changed(lines: list[GivenUp], changes: dict[str, Any]) -> list[tuple[GivenUp, str, str]]:
    """The first of the chosen jobs with their arguments before and after."""
    args = {job.pk: job.args for job in _jobs_of(lines)}
    return [
        (line, args[line.job_id], _merged(args[line.job_id], changes))
        for line in lines if line.job_id in args and is_object(args[line.job_id])
    ]


def _merged(args: str, changes: dict[str, Any]) -> str:
    """Raises Invalid where the arguments have no keys."""
    if not is_object(args):
        raise Invalid("The arguments of some of these jobs are no object, so no key of them can be changed. Nothing was done.",
                      component="job", message="jobQueue.jobEntry.args.error.invalid", extra={"field": "changes"})
    return merged(args, changes)


def _as_shown(row: Namespace, facts: dict[str, Any], chosen: Chosen, sent: dict[str, Any]) -> list[GivenUp]:
    """The lines up to the newest that was shown. Raises Conflict when they are not as many as were shown."""
    lines = list(lines_of(row, facts, chosen, upto=sent["upto"])[: reads.MOST + 1])
    if len(lines) > reads.MOST:
        raise Conflict(f"The filter fits more than {reads.MOST:,} jobs; narrow it first.")
    if len(lines) != sent["count"] or not lines:
        raise Conflict(f"The set has changed since you looked: it was {sent['count']:,}, now it is {len(lines):,}. Nothing was "
                       "done; look again and confirm.")
    return lines
