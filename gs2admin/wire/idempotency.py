"""Idempotency: the same request with the same duplication avoider has one effect and one answer, for an hour.

Answers are stored, refusals are not: a refused call changed nothing, so the same request may be tried again.
Where the effect is one transaction, the record is part of it, and of 50 that arrive at once 49 wait in the database for
the first. Where it is not (scripts run), a pending record with a lease stands for the call that is under way; the others
wait for its answer. A call that broke off in the middle is never repeated by itself: whether it took effect is unknown,
and the answer says so.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.db import fences
from gs2admin.errors import Conflict, DomainError, Unavailable
from gs2admin.wire import records
from gs2admin.wire.failures import Failure
from gs2admin.wire.records import Fresh, Record

if TYPE_CHECKING:
    from pydantic import BaseModel

    from gs2admin.wire.call import Call
    from gs2admin.wire.table import Method

KEPT_S = 3600
# Longer than anything that runs scripts may take.
LEASE_S = 60
WAIT_S = 20.0
BATCH = 1_000


def once(method: Method, call: Call, request: BaseModel) -> Any:
    """The handler's answer, or the stored one.

    Raises what the handler raises; Conflict for another request under the same avoider, and for a call that broke off;
    Unavailable when the first call takes too long.
    """
    user_id = call.user_id or getattr(request, "user_id", None) or ""
    names = [call.project.pk, method.service, method.function, user_id, call.duplication_avoider]
    digested = request.model_dump_json() + str(call.actor.roles.get(call.project.pk))
    # The columns are for people who read the table, and to clear a player's rows; the key holds the names whole.
    fresh = Fresh(_digest(json.dumps(names)), call.project.pk, method.name[:128], user_id[:128], _digest(digested))
    act = _leased if method.runs_scripts else _in_one_transaction
    return act(method, call, request, fresh)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _in_one_transaction(method: Method, call: Call, request: BaseModel, fresh: Fresh) -> Any:
    try:
        with transaction.atomic():
            while not records.begin(fresh, kept_s=KEPT_S):
                if record := records.read(fresh.key):
                    return _stored(method, record, fresh)
            answer = method.handler(call, request)
            records.settle(fresh.key, json.dumps(answer))
            return answer
    except IntegrityError:
        # The handler's own checks met it in the middle; this is the commit, of a row whose owner was deleted meanwhile.
        raise _refusal(method, Conflict, "conflict", "What this call is about was deleted meanwhile.") from None


def _leased(method: Method, call: Call, request: BaseModel, fresh: Fresh) -> Any:
    deadline, pause = time.monotonic() + WAIT_S, 0.01
    record: Record | None = None
    # Who waits only looks: an insert, even one in vain, stands in the way of the call that goes on.
    while record is not None or not records.begin(fresh, kept_s=KEPT_S, lease_s=LEASE_S):
        record = records.read(fresh.key)
        if record is None:
            continue
        answer = _stored(method, record, fresh)
        if answer is not None:
            return answer
        if record.broke_off:
            raise _refusal(
                method, Conflict, "lost",
                "The first call with this duplication avoider broke off; whether it took effect is not known. "
                "Look, and use a new one.",
            )  # fmt: skip
        if time.monotonic() > deadline:
            raise _refusal(method, Unavailable, "busy", "The first call with this duplication avoider is still going on.")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
    mine = _rows().filter(pk=fresh.key, answer=None)
    sealed = False

    def seal(answer: dict[str, Any]) -> None:
        nonlocal sealed
        sealed = records.settle(fresh.key, json.dumps(answer))

    try:
        answer = method.handler(replace(call, seal=seal), request)
    except (DomainError, Failure):
        with transaction.atomic():
            mine.delete()
        raise
    except BaseException:
        with fences.apart():  # it broke off, whoever holds what; the others need not wait
            mine.update(lease_until=Now())
        raise
    if not sealed:
        seal(answer)
    return answer


def _stored(method: Method, record: Record, fresh: Fresh) -> dict[str, Any] | None:
    """The answer of the first call, None while it is going on. Raises Conflict when that was another request."""
    if record.request_digest != fresh.request_digest:
        raise _refusal(method, Conflict, "duplicate", "This duplication avoider was used for another request; use a new one.")
    return None if record.answer is None else json.loads(record.answer)


def _refusal(method: Method, kind: type[DomainError], word: str, sentence: str) -> DomainError:
    message = f"{method.words}.{method.component}.duplicationAvoider.error.{word}"
    return kind(sentence, component=method.component, message=message)


def _rows():
    from gs2admin.wire.models import DuplicateRecord  # late: the table of methods is made before the models

    return DuplicateRecord.objects


@engine.cleaner(every_s=300)
def forget_old_calls() -> int:
    """Remove records after their hour."""
    removed = 0
    while True:
        old = _rows().filter(created_at__lt=Now() - timedelta(seconds=KEPT_S)).order_by("created_at")
        keys = list(old.values_list("pk", flat=True)[:BATCH])
        if not keys:
            return removed
        removed += _rows().filter(pk__in=keys).delete()[0]
