"""gs2() of a script: a call goes through the method table like any other, as made by that script, in its project only."""
from __future__ import annotations

import json
import logging
import re
from contextvars import ContextVar
from functools import cache

from django.conf import settings

from gs2admin import outage
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.wire.call import Call, CallContext
from gs2admin.wire.dispatch import dispatch, within
from gs2admin.wire.failures import Failure, Problem, fault
from gs2admin.wire.table import Method, table

log = logging.getLogger(__name__)
# How many calls of scripts are under way around this one.
_depth: ContextVar[int] = ContextVar("script_calls", default=0)
# Lua's name of a service -> its segment in the table.
SERVICES = {"freeze": "freeze", "job_queue": "job-queue", "lock": "lock", "script": "script"}


def snake(name: str) -> str:
    """pushByUserId -> push_by_user_id."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


@cache
def _by_name() -> dict[tuple[str, str], Method]:
    segments = {segment: service for service, segment in SERVICES.items()}
    return {
        (segments[method.service], snake(method.function)): method
        for method in table().methods
        if method.service in segments
    }


@cache
def methods() -> dict[str, list[str]]:
    """What a script may call: {"job_queue": ["push_by_user_id", …], …}."""
    found: dict[str, list[str]] = {service: [] for service in SERVICES}
    for service, name in _by_name():
        found[service].append(name)
    return found


def call(actor: Actor, project: Project, service: str, name: str, text: str) -> tuple[int, str]:
    """Carry one call out. text: its fields as JSON. Returns the HTTP status and the answer or the error list, as JSON."""
    method = _by_name().get((service, name))
    if method is None:
        return 404, _problems(Failure(404, _unknown(service, name)))
    depth = _depth.get()
    if depth >= settings.SCRIPT_DEPTH:
        return 400, _problems(Failure(400, Problem("script", "script.execution.nested.error.tooMany", "script.execution.nested")))
    before = _depth.set(depth + 1)
    try:
        fields = json.loads(text or "{}")
        if not isinstance(fields, dict):
            fields = {}
        context = CallContext(
            door="script",
            request_id=actor.request_id,
            access_token=_text(fields, "accessToken"),
            time_offset_token=_text(fields, "timeOffsetToken"),
            duplication_avoider=_text(fields, "duplicationAvoider"),
        )
        return 200, json.dumps(_dispatch(method, context, actor, project, fields), ensure_ascii=False)
    except Failure as failure:
        return failure.status, _problems(failure)
    except Exception as problem:
        if outage.of(problem):
            return 503, _problems(fault(method.words, problem))
        log.exception("a script's call failed", extra={"method": method.name})
        return 500, json.dumps([{"component": method.component, "message": "internal.error", "code": "internal.error"}])
    finally:
        _depth.reset(before)


def _dispatch(method: Method, context: CallContext, actor: Actor, project: Project, fields: dict) -> dict:
    return dispatch(method, within(method, context, Call(context, actor, project)), fields).body


def _text(fields: dict, name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) else ""


def _unknown(service: str, name: str) -> Problem:
    segment = SERVICES.get(service, service)
    return Problem("method", f"{segment}.request.method.error.notFound", "", f"There is no method {name} of {service}.")


def _problems(failure: Failure) -> str:
    return json.dumps([problem.as_element() for problem in failure.problems])


