"""The lines of "Needs a human" on the board: what a person should look at now."""
from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.urls import reverse

from gs2admin.dashboard import attention
from gs2admin.dashboard.health import Health
from gs2admin.dashboard.templatetags.gs import span
from gs2admin.db import clock
from gs2admin.identity.models import Project
from gs2admin.text import shortened
from stages.core.leftovers import left_in
from stages.core.words import words_of
from stages.gates.reads import Gate
from stages.models import Rollout
from stages.models.governance import AutoPromotion
from stages.pages.board import ERROR_CHARS, Board, Card
from stages.states import Analysis, RolloutState

MOST_HELD = 20


@dataclass(frozen=True)
class Line:
    """One line. tone: bad or warn. rollout: its number, for a line that begins "Rollout 7 on live"; stage: its stage.

    text: what happened. small: what more is known. url, label: where the button leads. key: unique on the page.
    """

    tone: str
    icon: str
    text: str
    small: str
    url: str
    label: str
    rollout: int | None = None
    stage: str = ""
    key: str = ""


@attention.source
def held(project: Project) -> list[attention.Need]:
    """Auto-promotions that a person has to release, at most MOST_HELD."""
    rows = AutoPromotion.objects.filter(stage__project=project, stage__deleted_at=None, enabled=True, held_at__isnull=False)
    return [
        attention.Need(
            "warn", "player-play", f"The auto-promotion of {row.stage.name} is held.", row.held_because,
            reverse("stage-release", kwargs={"project": project.name, "stage": row.stage.name}), "Release…", f"held-{row.pk}",
        )
        for row in rows.select_related("stage").order_by("pk")[:MOST_HELD]
    ]


@attention.source
def left(project: Project) -> list[attention.Need]:
    """What ended rollouts have left and that still serves players."""
    found = []
    for each in left_in(project.pk):
        rollout = each.step.rollout
        text = f"Rollout {rollout.number} on {rollout.stage.name} {words_of(rollout.state).phrase}, and something of it stays."
        url = reverse("rollout", kwargs={"project": project.name, "number": rollout.number})
        found.append(attention.Need("warn", "alert-triangle", text, each.sentence, url, "Look", f"left-{each.pk}"))
    return found


def lines(board: Board, project: Project, workers: Health) -> list[Line]:
    """The lines that the board itself gives; other domains add theirs through gs2admin.dashboard.attention."""
    now = clock.now()
    found = [] if workers.ok else [_no_worker()]
    found += [_gate(gate, project) for gate in board.gates]
    found += [_pending(row, project) for row in board.pending]
    found += [line for card in board.cards if (line := _card(card, project, now))]
    return found


def _no_worker() -> Line:
    return Line(
        "bad", "plug-connected-x", "No worker is running: nothing that is started goes on.",
        "Start the server with `make up`, or a worker alone with `manage.py worker`.", "", "",
    )


def _gate(gate: Gate, project: Project) -> Line:
    tone, icon = ("bad", "ban") if gate.kind == "stop" else ("warn", "clock")
    url = reverse("freezes", kwargs={"project": project.name})
    return Line(tone, icon, gate.sentence, "", url, "Look", key=f"{gate.kind}-{gate.pk}")


def _pending(row: Rollout, project: Project) -> Line:
    small = f"requested by {row.requested_by}. {row.approval.sentence}"
    phrase = f"{words_of(row.state).phrase},"
    return Line("warn", "shield-check", phrase, small, _page(row, project), "Review", row.number, row.stage.name)


def _card(card: Card, project: Project, now: datetime) -> Line | None:
    """The line for the last rollout of a stage: it ended badly, waits for a decision, or runs for too long."""
    last = card.rollout
    if last is None:
        return None
    started_by = f"started by {last.requested_by}"
    if card.failed:
        words = words_of(last.state)
        uneven = "" if last.consistent else "some targets may run other versions than are pinned"
        reason = shortened(last.error_start, ERROR_CHARS - 1).rstrip(".") or words.reason or uneven
        small = f"{reason}; {started_by}" if reason else started_by
        return Line("bad", "alert-triangle", words.phrase, small, _page(last, project), "Look", last.number, card.stage.name)
    if last.state == RolloutState.CANARY_HOLD and last.canary.analysis != Analysis.NONE:
        return Line(
            "warn", "users", f"gives its versions to {last.gray_weight} % of the players and waits for a decision",
            started_by, _page(last, project), "Decide", last.number, card.stage.name,
        )
    if card.overdue(now):
        return Line(
            "warn", "hourglass", f"has been running for {span(now - last.started_at)}",
            f"typically {span(card.typical_s)}", _page(last, project), "Watch", last.number, card.stage.name,
        )
    return None


def _page(row: Rollout, project: Project) -> str:
    return reverse("rollout", kwargs={"project": project.name, "number": row.number})
