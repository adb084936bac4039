"""The board: what runs where, what the next promote would change, and what needs a human now."""
from __future__ import annotations

import threading
from dataclasses import dataclass
from sys import getsizeof
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from gs2admin.cache import FOR_EVER, Cache
from gs2admin.dashboard import health
from gs2admin.dashboard.attention import Need
from gs2admin.dashboard.attention import needs as attention_of
from gs2admin.dashboard.pages import project_page
from gs2admin.dashboard.polling import cursor_of, is_present, nothing_new
from gs2admin.dashboard.templatetags.gs import span
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from stages.core import ledger
from stages.core.actions import actions_of
from stages.pages.board import Board, Card, read_board
from stages.states import RolloutState

KEEP_S = 10.0
KEEP = 64
KEEP_BYTES = 16_000_000
RIGHTS = ("canary.decide", "stage.promote", "stage.rollback", "rollout.cancel", "stage.edit")


@dataclass(frozen=True)
class Attention:
    """One line of "Needs a human"."""

    tone: str
    icon: str
    text: str
    small: str
    url: str
    label: str
    rollout: int | None = None
    stage: str = ""
    key: str = ""


def rights_of(actor: Actor, project: Project) -> tuple[str, ...]:
    """The board's actions that this person may do; people with the same ones share one rendering."""
    return tuple(action for action in RIGHTS if can(actor, action, project))


def buttons(card: Card, rights: tuple[str, ...], project: Project) -> list[dict[str, Any]]:
    """The card's buttons, the primary one first: which exist is asked of states.user_actions and of the rights."""
    where = {"project": project.name}
    at = {**where, "stage": card.stage.name}
    found: list[dict[str, Any]] = []

    def add(name: str, label: str, icon: str, url: str, primary: bool = False) -> None:
        css = "btn btn-primary" if primary else "btn"
        found.append({"id": f"{name}-{card.stage.pk}", "label": label, "icon": icon, "url": url, "css": css})

    last = card.rollout
    actions = actions_of(last) if last else ()
    if card.updating and last:
        decides = "canary_accept" in actions and "canary.decide" in rights
        add("watch", "Decide" if decides else "Watch", "eye", reverse("rollout", kwargs={**where, "number": last.number}), True)
        if "cancel" in actions and "rollout.cancel" in rights:
            add("cancel", "Cancel…", "ban", reverse("rollout-cancel", kwargs={**where, "number": last.number}))
        return found
    if card.failed and last:
        add("why", "See why", "eye", reverse("rollout", kwargs={**where, "number": last.number}), True)
    if "stage.promote" in rights and card.total:
        primary = bool(card.behind) and not card.failed
        add("promote", "Promote…", "rocket", reverse("stage-promote", kwargs=at), primary)
    if "stage.rollback" in rights and last and card.stage.current_set_id:
        url = reverse("stage-rollback", kwargs=at) + ("?to=pinned" if card.failed and not last.consistent else "")
        add("rollback", "Roll back…", "arrow-back-up", url)
    if len(found) > 2:  # three fit into a card without their icons
        found = [button | {"icon": ""} for button in found]
    return found


def attention(board: Board, project: Project, workers: health.Health) -> list[Attention]:
    """What somebody should look at now."""
    found = []
    if not workers.ok:
        found.append(Attention(
            "bad", "plug-connected-x", "No worker is running: nothing that is started will move on.",
            "Start the server with `make up`, or a worker alone with `manage.py worker`.", "", "",
        ))
    freezes = reverse("freezes", kwargs={"project": project.name})
    for gate in board.gates:
        tone, icon = ("bad", "ban") if gate.kind == "stop" else ("warn", "clock")
        found.append(Attention(tone, icon, gate.sentence, "", freezes, "Look", key=f"{gate.kind}-{gate.pk}"))
    for row in board.pending:
        url = reverse("rollout", kwargs={"project": project.name, "number": row.number})
        said = f"asked for by {row.requested_by}. {row.approval.sentence}"
        found.append(Attention("warn", "shield-check", "waits for approval,", said, url, "Review", row.number, row.stage.name))
    now = timezone.now()
    for card in board.cards:
        last = card.rollout
        if last is None:
            continue
        url = reverse("rollout", kwargs={"project": project.name, "number": last.number})
        if card.failed:
            verb = {"failed": "failed", "errored": "ended with an error"}.get(last.state, "was canceled half-way")
            found.append(Attention("bad", "alert-triangle", verb, f"started by {last.requested_by}", url, "Look",
                                   last.number, card.stage.name))
        elif last.state == RolloutState.CANARY_HOLD and last.analysis != "none":
            found.append(Attention(
                "warn", "users", f"gives its versions to {last.gray_weight} % of the players and waits for a decision",
                f"started by {last.requested_by}", url, "Decide", last.number, card.stage.name,
            ))
        elif card.overdue(now):
            found.append(Attention(
                "warn", "hourglass", f"has been running for {span(now - last.started_at)}",
                f"the last ones took {span(card.typical_s)}", url, "Watch", last.number, card.stage.name,
            ))
    return found


def cursor(board: Board, workers: health.Health, needs: list[Need]) -> str:
    """Another one whenever the board looks different: the project's revision, and what time, workers and others add."""
    return cursor_of(board.revision, len(board.overdue()), workers.ok, needs, board.gates)


class _Kept:
    """The latest board per project, and its rendering per rights: rendered once, shared by all who watch it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.boards: Cache[int, Board] = Cache(ttl_s=KEEP_S, entries=KEEP)
        self.pages: Cache[tuple, tuple[tuple, str]] = Cache(
            ttl_s=FOR_EVER, entries=KEEP, max_bytes=KEEP_BYTES, size=lambda page: getsizeof(page[1])
        )

    def board(self, project: Project) -> Board:
        revision = ledger.revision(project.pk)
        kept = self.boards.get(project.pk)
        if kept and kept.revision == revision:
            return kept
        with self.lock:
            kept = self.boards.get(project.pk)
            if kept and kept.revision >= revision:
                return kept
            return self.boards.put(project.pk, read_board(project))

    def html(self, project: Project, rights: tuple[str, ...], board: Board, workers: health.Health) -> str:
        key = (project.pk, rights)
        needs = attention_of(project)
        stamp = (cursor(board, workers, needs), id(board))
        kept = self.pages.get(key)
        if kept and kept[0] == stamp:
            return kept[1]
        with self.lock:
            kept = self.pages.get(key)
            if kept and kept[0] == stamp:
                return kept[1]
            html = render_to_string("stages/_board.html", {
                "project": project,
                "cards": [{"card": card, "buttons": buttons(card, rights, project)} for card in board.cards],
                "attention": [*attention(board, project, workers), *needs],
                "cursor": stamp[0],
                "running": board.running,
                "may_edit": "stage.edit" in rights,
            })
            return self.pages.put(key, (stamp, html))[1]


_kept = _Kept()


@require_GET
@project_page()
def board(request: HttpRequest, project: Project) -> HttpResponse:
    """The page."""
    found, workers = _kept.board(project), health.snapshot()
    rights = rights_of(request.actor, project)
    html = _kept.html(project, rights, found, workers)
    return render(request, "stages/board.html", {"board_html": html, "may_edit": bool(found.cards) and "stage.edit" in rights})


@require_GET
@project_page()
def board_live(request: HttpRequest, project: Project) -> HttpResponse:
    """204 while the reader's cursor (?after=) is the present one, else the board's fragment."""
    found, workers = _kept.board(project), health.snapshot()
    if is_present(request, cursor(found, workers, attention_of(project))):
        return nothing_new()
    html = _kept.html(project, rights_of(request.actor, project), found, workers)
    return HttpResponse(html, headers={"Cache-Control": "no-store"})
