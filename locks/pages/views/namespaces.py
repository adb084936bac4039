"""The list of lock namespaces, what is held in one, and its settings."""
from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from gs2admin.dashboard.charts import SPANS
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.polling import BUSY_MS, CALM_MS, cursor_of, is_present, live_answer, nothing_new
from gs2admin.dashboard.posting import link, text_of
from gs2admin.identity.models import Project
from gs2admin.namespaces.pages import NamespacePages
from gs2admin.text import without_nul
from locks import reads
from locks.models import LockNamespace, Mutex
from locks.pages.addresses import at
from locks.pages.charts import charts
from locks.pages.forms import NamespaceForm
from locks.pages.views.common import crumbs, namespace_of, rights
from locks.services import namespaces as services

PAGE = 50


@require_GET
@project_page()
def locks(request: HttpRequest, project: Project) -> HttpResponse:
    """All namespaces by name, with their counters."""
    after = text_of(request, "after")
    rows = reads.namespaces(project, after=after, limit=PAGE + 1)
    found = reads.counters([row.pk for row in rows[:PAGE]])
    return render(request, "locks/locks.html", {
        "rows": [(row, found[row.pk]) for row in rows[:PAGE]],
        "next": link(after=rows[PAGE - 1].name) if len(rows) > PAGE else "", "first": "?" if after else "",
        **rights(request, project),
    })


def _place(request: HttpRequest) -> reads.Place | None:
    """The place of the last row of the page before, from ?place=; None when it is absent or invalid."""
    ms, _, pk = request.GET.get("place", "").partition("~")
    fits = all(part.isascii() and part.isdigit() and len(part) < 19 for part in (ms, pk))
    return reads.Place(int(ms), int(pk)) if fits else None


def _held(request: HttpRequest, row: LockNamespace) -> dict[str, Any]:
    """The list: filters and place are in the address. Ids are taken as they are: they may begin or end with a blank."""
    user = without_nul(request.GET.get("user", ""))
    front = without_nul(request.GET.get("property", ""))
    place = _place(request)
    portion = reads.held(row, user_id=user, property_prefix=front, after=place, limit=PAGE + 1)
    found: list[Mutex] = portion.rows
    filters = {"user": user, "property": front, "span": request.GET.get("span", "") if request.GET.get("span") in SPANS else ""}
    further = (found[PAGE - 1].acquired_ms, found[PAGE - 1].pk) if len(found) > PAGE else portion.further
    return {
        "held": found[:PAGE], "user": user, "front": front, "now_ms": reads.now_ms(), "kept": filters,
        "next": link(**filters, place="~".join(map(str, further))) if further else "", "first": link(**filters) if place else "",
        "partial": portion.further is not None,
        "live_url": f"{at('locks-live', row)}{link(**filters, place=request.GET.get('place', '') if place else '')}",
    }


def _moving(request: HttpRequest, row: LockNamespace) -> dict[str, Any]:
    """What is held, the counters, and the cursor, which changes with them and with the minute, when the charts move on."""
    counters, listed = reads.counters([row.pk])[row.pk], _held(request, row)
    facts = [(mutex.pk, mutex.revision, mutex.counter, mutex.until_ms, mutex.denied) for mutex in listed["held"]]
    minute = listed["now_ms"] // 60_000
    return {**listed, "numbers": counters, "cursor": cursor_of(row.revision, row.status, counters, facts, minute)}


def _shown(request: HttpRequest, project: Project, row: LockNamespace, moving: dict[str, Any]) -> dict[str, Any]:
    """All that is shown."""
    key = request.GET.get("span", "1h")
    held_chart, lost_chart = charts(row, key if key in SPANS else "1h")
    return {
        **moving, "namespace": row,
        "spans": [(each, link(**{**moving["kept"], "span": each.key})) for each in SPANS.values()],
        "held_chart": held_chart, "lost_chart": lost_chart,
        "every": BUSY_MS if moving["numbers"].held else CALM_MS, **rights(request, project),
    }


@require_GET
@project_page()
def namespace(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """One namespace: its counters, its charts, and what is held now, the longest first."""
    row = namespace_of(project, namespace)
    shown = _shown(request, project, row, _moving(request, row))
    return render(request, "locks/namespace.html", {**shown, "crumbs": crumbs(project, (row.name, ""))})


@require_GET
@project_page()
def live(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """What moved since the reader's cursor."""
    row = namespace_of(project, namespace)
    moving = _moving(request, row)
    if is_present(request, moving["cursor"]):
        return nothing_new()
    return live_answer(request, "locks/_namespace_live.html", moving["cursor"], _shown(request, project, row, moving))


def _lost(row: LockNamespace) -> list[str]:
    held = reads.counters([row.pk])[row.pk].held
    many = "1 mutex is" if held == 1 else f"{'More than ' if held > reads.MANY else ''}{min(held, reads.MANY):,} mutexes are"
    return [
        f"{many} held in it and released by this; their holders' unlocks are refused." if held else "Nothing is held in it.",
        "Nothing can be locked in it from this moment on.",
        "The history of its mutexes goes with it. A namespace made again under this name goes on with higher revisions.",
    ]


create, edit, delete = NamespacePages(
    front="locks", noun="lock namespace", section="Locks", right="lock.manage", form=NamespaceForm, find=namespace_of,
    create=services.create_namespace, update=services.update_namespace, delete=services.delete_namespace,
    holds="Holds one mutex per player and property.", made="; clients can lock in it now", lost=_lost,
).views()
