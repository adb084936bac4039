"""One mutex: who holds it, who held it from when to when, and its release by force."""
from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from gs2admin.audit.models import Activity
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.player import address
from gs2admin.dashboard.polling import BUSY_MS, CALM_MS, cursor_of, is_present, live_answer, nothing_new
from gs2admin.dashboard.posting import attempt, confirm_page, link, number_of
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from gs2admin.text import shortened
from locks import reads
from locks.models import LockNamespace, Mutex
from locks.pages.addresses import at
from locks.pages.forms import ReleaseForm
from locks.pages.views.common import crumbs, get_and_post, mutex_of, namespace_of, rights
from locks.services import force_release

PAGE = 50
STAFF = 10


def _crumbs(row: Mutex, *more: tuple[str, str]) -> list[tuple[str, str]]:
    namespace: LockNamespace = row.namespace
    name = shortened(row.property_id, 61)
    here = at("locks-mutex", namespace, pk=row.pk) if more else ""
    return crumbs(namespace.project, (namespace.name, at("locks-namespace", namespace)), (name, here), *more)


def _cursor(row: Mutex, now_ms: int) -> str:
    return cursor_of(row.revision, row.counter, row.until_ms, row.ended_ms, row.denied, row.until_ms > now_ms)


def _shown(request: HttpRequest, project: Project, row: Mutex) -> dict[str, Any]:
    now_ms = reads.now_ms()
    before = number_of(request)
    past = reads.history(row, before=before, limit=PAGE + 1)
    held = row.counter > 0 and row.until_ms > now_ms
    here = at("locks-mutex", row.namespace, pk=row.pk)
    return {
        "mutex": row, "namespace": row.namespace, "now_ms": now_ms, "held": held, "lost": row.counter > 0 and not held,
        "past": past[:PAGE], "older": link(before=past[PAGE - 1].revision) if len(past) > PAGE else "",
        "newer": here if before is not None else "", "player": address(project, row.user_id),
        "every": BUSY_MS if held else CALM_MS, "cursor": _cursor(row, now_ms),
        "live_url": f"{at('locks-mutex-live', row.namespace, pk=row.pk)}{link(before=before)}", **rights(request, project),
    }


@require_GET
@project_page()
def mutex(request: HttpRequest, project: Project, namespace: str, pk: int) -> HttpResponse:
    """The page."""
    row = mutex_of(namespace_of(project, namespace), pk)
    staff = Activity.objects.filter(project=project, object_type="mutex", object_id=str(row.pk)).order_by("-id")[:STAFF]
    return render(request, "locks/mutex.html", {
        **_shown(request, project, row), "crumbs": _crumbs(row),
        "staff": list(staff) if can(request.actor, "activity.view", project) else [],
    })


@require_GET
@project_page()
def live(request: HttpRequest, project: Project, namespace: str, pk: int) -> HttpResponse:
    """What moved since the reader's cursor."""
    row = mutex_of(namespace_of(project, namespace), pk)
    cursor = _cursor(row, reads.now_ms())
    if is_present(request, cursor):
        return nothing_new()
    return live_answer(request, "locks/_mutex_live.html", cursor, _shown(request, project, row))


@get_and_post
@project_page("lock.release")
def release(request: HttpRequest, project: Project, namespace: str, pk: int) -> HttpResponse:
    """Ask why, then take the mutex from the holding that was shown."""
    row = mutex_of(namespace_of(project, namespace), pk)
    here = at("locks-mutex", row.namespace, pk=row.pk)
    back = address(project, row.user_id) if request.GET.get("from") == "player" else here
    form = ReleaseForm(request.POST) if request.method == "POST" else ReleaseForm(initial={"revision": row.revision})
    if request.method == "POST" and form.is_valid():
        done = attempt(form, lambda: force_release(
            actor=request.actor, namespace=row.namespace, mutex=row, revision=form.cleaned_data["revision"],
            reason=form.cleaned_data["reason"],
        ))
        if done:
            messages.success(request, f"The mutex is free; {done.transaction_id} holds it no more.")
            return redirect(back)
    held = row.counter > 0 and row.until_ms > reads.now_ms()
    if not held and not form.is_bound:
        messages.info(request, "This mutex is free: it was unlocked, or its time was over.")
        return redirect(back)
    return confirm_page(
        request, form, title="Release the mutex by force", button="Release", back=back, crumbs=_crumbs(row, ("Release", "")),
        text=f"{row.property_id} of {row.user_id}",
        points=[
            f"The transaction {row.transaction_id} loses it at once, whatever its counter ({row.counter:,}). Its unlock is "
            "refused.",
            "What that transaction is doing is not stopped. If it still writes, only a check of the revision keeps it out.",
            f"Anybody can lock it from then on, with a revision above {row.revision}.",
        ] if held else ["Nobody holds it any more."],
    )
