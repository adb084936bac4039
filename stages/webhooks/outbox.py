"""Writes a message for each active webhook endpoint when a rollout is created or moves, in the same transaction."""
from __future__ import annotations

import json
import uuid
from typing import Any

from django.db.models import QuerySet

from gs2admin import engine
from gs2admin.db import clock
from gs2admin.text import shortened
from gs2admin.transitions import Move, heard
from stages.core.accounts import account
from stages.models import Rollout
from stages.models.webhooks import WebhookDelivery, WebhookEndpoint

MOST_BYTES = 64 * 1024


@heard(Rollout)
def rollout_moved(rows: QuerySet, move: Move) -> None:
    """Called by transitions.apply. A move that keeps the state (a new weight) makes no message."""
    if move.sources == {move.target}:
        return
    endpoints = list(WebhookEndpoint.objects.filter(active=True, project_id__in=rows.values("project_id")))
    if endpoints:
        row = rows.select_related("stage", "project", "from_set", "to_set").get()
        write_messages(endpoints, row, before="" if len(move.sources) != 1 else next(iter(move.sources)))


def rollout_created(rollout: Rollout) -> None:
    """Called in the transaction that creates a rollout."""
    endpoints = list(WebhookEndpoint.objects.filter(active=True, project_id=rollout.project_id))
    if endpoints:
        write_messages(endpoints, rollout, before="")


def write_messages(endpoints: list[WebhookEndpoint], row: Rollout, *, before: str) -> None:
    """Write one message per endpoint, all with the same event id. before: the state before the move, "" if there is none.

    The delivery threads (deliver.py) are woken for them.
    """
    event, event_id = f"rollout.{row.state}", uuid.uuid4()
    body = body_of(event, event_id, row.project.name, _rollout(row, before))
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(endpoint=endpoint, rollout=row, event_id=event_id, event=event, body=body) for endpoint in endpoints
    )
    engine.wake_chores()


def body_of(event: str, event_id: uuid.UUID, project: str, rollout: dict[str, Any] | None) -> str:
    """The message as JSON text of at most MOST_BYTES. rollout: None for a test message.

    A rollout with so many services that the message would be longer is sent without its versions, with `shortened: true`,
    and with the first 1,000 characters of `error`, `reason` and each part of `failure`, which then end with "…".
    """
    message = {"id": str(event_id), "event": event, "at": _iso(clock.now()), "project": project, "rollout": rollout}
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    if len(text.encode()) > MOST_BYTES and rollout:
        short = {key: value for key, value in rollout.items() if key not in {"fromVersions", "toVersions", "part"}}
        short["error"], short["reason"] = shortened(short["error"], 1000), shortened(short["reason"], 1000)
        if "failure" in short:
            short["failure"] = {name: shortened(text, 1000) for name, text in short["failure"].items()}
        return body_of(event, event_id, project, short | {"shortened": True})
    return text


def _rollout(row: Rollout, before: str) -> dict[str, Any]:
    return {
        "number": row.number,
        "stage": row.stage.name,
        "kind": row.kind,
        "strategy": row.strategy,
        "state": str(row.state),
        "previousState": str(before) or None,
        "source": row.source_name or None,
        "part": row.part,
        "requestedBy": row.requested_by,
        "reason": row.reason,
        "error": row.error,
        **_failure(row),
        "stepsDone": row.steps_done,
        "stepsTotal": row.steps_total,
        "fromVersions": dict(row.from_set.versions) if row.from_set else {},
        "toVersions": dict(row.to_set.versions),
    }


def _failure(row: Rollout) -> dict[str, Any]:
    """What a rollout that did not end well left, as its page says it; nothing for others."""
    found = account(row)
    return {} if found is None else {"failure": {"first": found.first, "undo": found.undo, "now": found.now}}


def _iso(at) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
