"""The list of namespaces, one namespace with its players, and its settings."""
from __future__ import annotations

import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from gs2admin.dashboard.charts import SPANS, Bar
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.polling import BUSY_MS, CALM_MS, cursor_of, live_answer
from gs2admin.dashboard.posting import link, text_of
from gs2admin.identity.models import Project
from gs2admin.namespaces.pages import NamespacePages
from gs2admin.text import without_nul
from jobqueue.models import Namespace, Queue
from jobqueue.pages.charts import chart
from jobqueue.pages.forms import QueueNamespaceForm
from jobqueue.pages.views.common import at, namespace_of, rights, script_urls
from jobqueue.reads import overview, players
from jobqueue.services import namespaces as services

PAGE = 30
# An instant as the databases write it in a list. Python reads more than they do: weeks, offsets of 23 hours.
_AS_STORED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}(\.[0-9]{1,6})?(\+00(:00)?)?")


@require_GET
@project_page()
def queues(request: HttpRequest, project: Project) -> HttpResponse:
    """All namespaces by name, with their counters."""
    after = text_of(request, "after")
    rows = overview.page(project.pk, after=after, limit=PAGE + 1)
    found = overview.counters([row.pk for row in rows[:PAGE]])
    return render(request, "jobqueue/queues.html", {
        "rows": [(row, found[row.pk], _spark(found[row.pk].per_minute)) for row in rows[:PAGE]],
        "next": link(after=rows[PAGE - 1].name) if len(rows) > PAGE else "",
        "first": "?" if after else "",
        **rights(request, project, "queue.manage"),
    })


def _spark(minutes: list[tuple[int, int]]) -> list[Bar]:
    """The last hour as 20 bars of 3 minutes, in a drawing of 100 by 20."""
    thirds = [(sum(ok for ok, _ in minutes[i : i + 3]), sum(bad for _, bad in minutes[i : i + 3])) for i in range(0, 60, 3)]
    peak = max((ok + bad for ok, bad in thirds), default=0)
    bars = []
    for place, (ok, bad) in enumerate(thirds):
        if ok + bad:
            low, high = ok / peak * 20, max(bad / peak * 20, 1.5) if bad else 0.0
            bars.append(Bar(place * 5 + 0.5, 4, round(20 - low, 1), round(low, 1), round(max(0.0, 20 - low - high), 1),
                            round(high, 1), ""))
    return bars


def _top(request: HttpRequest, row: Namespace, running: list[int]) -> dict[str, Any]:
    """The parts that move: counters, chart, failing scripts. running: the queues of which a job runs."""
    key = request.GET.get("span", "1h")
    drawn = chart(row, key if key in SPANS else "1h")
    minutes = {row.pk: drawn.per_minute} if drawn.per_minute else None
    counters = overview.counters([row.pk], busy=running, minutes=minutes)[row.pk]
    urls = script_urls(row.project, [line.script for line in drawn.scripts])
    busy = counters.busy or (row.enable_auto_run and not row.paused_at and counters.waiting)
    return {
        "namespace": row, "numbers": counters, "chart": drawn, "spans": SPANS.values(), "every": BUSY_MS if busy else CALM_MS,
        "live_url": f"{at('queues-live', row)}{link(span=drawn.span.key)}",
        "failing": [(line, urls.get(line.script, "")) for line in drawn.scripts],
        "cursor": cursor_of(row.revision, counters, drawn), "still": not (counters.running or counters.waiting),
    }


@require_GET
@project_page()
def namespace(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """One namespace: its counters, what its scripts did, and the players with work."""
    row = namespace_of(project, namespace)
    # The filter is taken as it is: a player's id may begin or end with a blank.
    user = without_nul(request.GET.get("user", ""))
    state = request.GET.get("state", "")
    state = state if state in players.Shown.values else players.Shown.ANY.value
    after, after_user = _place(request), without_nul(request.GET.get("after_user", ""))
    running = overview.running_queues()
    portion = players.with_work(row, busy=running, user=user, state=state, after=after, after_user=after_user, limit=PAGE + 1)
    found: list[Queue] = portion.rows
    further = _beyond(found[PAGE - 1], user) if len(found) > PAGE else portion.further and {"after_user": portion.further[0]}
    filters = {"user": user, "state": state, "span": request.GET.get("span", "")}
    return render(request, "jobqueue/namespace.html", {
        **_top(request, row, running),
        "players": players.rows_of(row, found[:PAGE], running), "player_url": f"{at('queues-user', row)}?id=",
        "user": user, "state": state, "states": players.Shown.choices,
        "next": link(**filters, **further) if further else "", "partial": portion.further is not None,
        "first": link(**filters) if after or after_user else "",
        **rights(request, project, "queue.manage", "queue.pause", "job.push"),
    })


def _beyond(row: Queue, user: str) -> dict[str, str]:
    return {"after_user": row.user_id} if user else {"after": f"{row.place or ''}~{row.pk}"}


def _place(request: HttpRequest) -> players.Place | None:
    text, _, pk = request.GET.get("after", "").partition("~")
    try:
        known = _AS_STORED.fullmatch(text) and parse_datetime(text)
    except ValueError:
        return None
    return players.Place(text, int(pk)) if known and pk.isascii() and pk.isdigit() and len(pk) < 19 else None


@require_GET
@project_page()
def live(request: HttpRequest, project: Project, namespace: str) -> HttpResponse:
    """What moved since the reader's cursor."""
    row = namespace_of(project, namespace)
    context = _top(request, row, overview.running_queues())
    return live_answer(request, "jobqueue/_namespace_live.html", context["cursor"], context)


def _lost(row: Namespace) -> list[str]:
    counters = overview.counters([row.pk])[row.pk]
    more = "More than " if counters.more else ""
    waits = "No job waits in it." if not counters.waiting else (
        f"{more}{counters.waiting:,} job{'s' if counters.waiting != 1 else ''} of {counters.players:,}"
        f" player{'s' if counters.players != 1 else ''} wait in it and will never run."
    )
    return [
        waits,
        "It takes no more jobs from this moment on; a job that is running now ends, and its result is dropped.",
        "All results and given-up jobs in it go with it.",
    ]


create, edit, delete = NamespacePages(
    front="queues", noun="queue namespace", section="Queues", right="queue.manage", form=QueueNamespaceForm, find=namespace_of,
    create=services.create_namespace, update=services.update_namespace, delete=services.delete_namespace,
    holds="Holds one queue per player; the jobs of a player run in the order in which they were pushed.",
    made="; clients can push jobs to it now", lost=_lost,
).views()
