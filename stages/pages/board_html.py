"""The board as HTML: read once per change and rendered once per class of rights, for all who watch it."""
from __future__ import annotations

import threading
import time
from sys import getsizeof
from typing import Any, NamedTuple

from django.template.loader import render_to_string
from django.urls import reverse

from gs2admin.cache import FOR_EVER, Cache
from gs2admin.dashboard import attention as other_domains
from gs2admin.dashboard import health
from gs2admin.dashboard.health import Health
from gs2admin.dashboard.polling import cursor_of
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import can
from stages.core import ledger
from stages.core.actions import actions_of
from stages.pages import attention
from stages.pages.board import Board, Card, read_board

# A board is read anew after this time too: freeze windows begin, and rollouts become overdue, without a write.
READ_AGAIN_S = 10.0
# So often it is looked at without a change of the project: workers end, and other domains have lines of their own.
LOOK_AGAIN_S = 3.0
ENTRIES = 64
MAX_BYTES, BOARDS_BYTES = 6_000_000, 4_000_000
RIGHTS = ("canary.decide", "stage.promote", "stage.rollback", "rollout.cancel", "stage.edit")


def rights_of(actor: Actor, project: Project) -> tuple[str, ...]:
    """The board's actions that this person may do; people with the same ones share one rendering."""
    return tuple(action for action in RIGHTS if can(actor, action, project))


def buttons(card: Card, rights: tuple[str, ...], project: Project) -> list[dict[str, Any]]:
    """The card's buttons, the primary one first. states.user_actions and the rights decide which there are."""
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


def cursor_for(project: Project, board: Board, workers: Health) -> str:
    """A digest of what the board shows: the revision, and what changes without one."""
    overdue = [card.stage.pk for card in board.overdue()]
    return cursor_of(board.revision, overdue, workers.ok, other_domains.needs(project), board.gates)


class Seen(NamedTuple):
    """What a board showed at a moment of time.monotonic(): the project's revision, and the cursor."""

    revision: int
    cursor: str
    at: float


class Boards:
    """The latest board of each project, and its HTML per class of rights."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._boards: Cache[int, Board] = Cache(ttl_s=READ_AGAIN_S, entries=ENTRIES, max_bytes=BOARDS_BYTES)
        self._pages: Cache[tuple, tuple[tuple, str]] = Cache(
            ttl_s=FOR_EVER, entries=ENTRIES, max_bytes=MAX_BYTES, size=lambda page: getsizeof(page[1])
        )
        self._seen: Cache[int, Seen] = Cache(ttl_s=FOR_EVER, entries=4 * ENTRIES, max_bytes=500_000)

    def board(self, project: Project) -> Board:
        """The board at the project's present revision, at most READ_AGAIN_S old."""
        revision = ledger.revision(project.pk)
        cached = self._boards.get(project.pk)
        if cached and cached.revision == revision:
            return cached
        with self._lock:
            cached = self._boards.get(project.pk)
            if cached and cached.revision >= revision:
                return cached
            return self._boards.put(project.pk, read_board(project))

    def seen(self, project_id: int, revision: int) -> str | None:
        """The cursor of a board at that revision, None when nobody has looked at it for LOOK_AGAIN_S."""
        found = self._seen.get(project_id)
        fresh = found is not None and found.revision == revision and time.monotonic() - found.at < LOOK_AGAIN_S
        return found.cursor if fresh else None

    def look(self, project: Project, rights: tuple[str, ...]) -> tuple[str, str]:
        """The cursor and the fragment as they are now."""
        began = time.monotonic()
        board, workers = self.board(project), health.snapshot()
        html = self.html(project, rights, board, workers)
        cursor = cursor_for(project, board, workers)
        self._seen.put(project.pk, Seen(board.revision, cursor, began))
        return cursor, html

    def html(self, project: Project, rights: tuple[str, ...], board: Board, workers: Health) -> str:
        """The board's fragment for people with these rights."""
        key = (project.pk, rights)
        cursor = cursor_for(project, board, workers)
        stamp = (cursor, id(board))
        cached = self._pages.get(key)
        if cached and cached[0] == stamp:
            return cached[1]
        with self._lock:
            cached = self._pages.get(key)
            if cached and cached[0] == stamp:
                return cached[1]
            html = render_to_string("stages/_board.html", {
                "project": project,
                "cards": [{"card": card, "buttons": buttons(card, rights, project)} for card in board.cards],
                "attention": [*attention.lines(board, project, workers), *other_domains.needs(project)],
                "cursor": cursor,
                "running": board.running,
                "may_edit": "stage.edit" in rights,
            })
            return self._pages.put(key, (stamp, html))[1]

    def clear(self) -> None:
        """Forget everything (tests)."""
        self._boards.clear()
        self._pages.clear()
        self._seen.clear()


boards = Boards()
