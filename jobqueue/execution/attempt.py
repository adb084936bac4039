"""One attempt at a job: find its script, run it with its arguments, return how it ended. Writes nothing."""
from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project, Role
from jobqueue.execution import calls
from jobqueue.execution.running import run_source
from jobqueue.execution.scripts import BuiltIn, Source, find

MAX_RESULT = 5_242_880


@dataclass(frozen=True)
class Ended:
    """How an attempt ended. result: JSON text, an object on success and a list of errors else. output: printed lines.

    script_revision: of the script that ran, None where none did.
    """

    status_code: int
    result: str
    output: str = ""
    may_retry: bool = True
    took_ms: int = 0
    script_revision: int | None = None


def errors(component: str, message: str, code: str = "") -> str:
    """The error list that clients read, as JSON text."""
    return json.dumps([{"component": component, "message": message, "code": code or message}])


def perform(
    *, project: Project, user_id: str, script_id: str, args: str, tick: Callable[[], None]
) -> Ended:
    """Run a job's script. tick is called about twice a second
    and before every call that has effects; it may raise to stop everything at once."""
    began = time.monotonic()
    found = find(project, script_id)
    if found is None:
        ended = Ended(404, errors("script", "script.script.script.error.notFound"))
    elif isinstance(found, BuiltIn):
        tick()
        ended = _built_in(found, project, args)
    else:
        ended = _script(found, project, user_id, args, tick)
    revision = found.revision if isinstance(found, Source) else None
    return replace(ended, took_ms=int((time.monotonic() - began) * 1000), script_revision=revision)


def _built_in(found: BuiltIn, project: Project, args: str) -> Ended:
    actor = Actor("script", "", f"execute_{found.service}_{found.method}", {project.pk: Role.SERVICE}, door="script")
    status, text = calls.call(actor, project, found.service, found.method, args)
    return Ended(status, text)


def _script(found: Source, project: Project, user_id: str, args: str, tick: Callable[[], None]) -> Ended:
    outcome = run_source(found, project=project, user_id=user_id, args=args, tick=tick)
    result = outcome.result
    if len(result) > MAX_RESULT:
        return Ended(500, errors("script", "script.execution.result", "script.execution.result"), "\n".join(outcome.output))
    return Ended(outcome.status_code, result, "\n".join(outcome.output), outcome.retry)
