"""Runs a script's text. What it writes is logged as made by that script, and stays in its project."""
from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project, Role
from gs2admin.text import shortened
from jobqueue.execution import calls
from jobqueue.execution.scripts import Source

if TYPE_CHECKING:
    from jobqueue.scripting.outcome import Outcome

log = logging.getLogger(__name__)
# The length of a name in the activity log; a longer one ends in "…".
LABEL = 150


def run_source(
    found: Source,
    *,
    project: Project,
    user_id: str | None,
    args: str,
    tick: Callable[[], object] | None = None,
    random_status: dict[str, Any] | None = None,
    request_id: str = "",
) -> Outcome:
    """Run a script to its end or to its limits; when a runner fails, the outcome is 500 or 503.

    args: JSON text. tick: called about twice a second; what it raises ends the script and is raised here.
    """
    from jobqueue.scripting.outcome import RunnerDied, RunnersBusy, failure
    from jobqueue.scripting.pool import runner  # late: only processes that run scripts start a runner

    label = shortened(found.label, LABEL)
    actor = Actor("script", str(found.pk or ""), label, {project.pk: Role.SERVICE}, door="script", request_id=request_id)
    try:
        return runner().run(
            source=found.source,
            args=args,
            user_id=user_id,
            call=lambda service, method, text: calls.call(actor, project, service, method, text),
            tick=tick,
            methods=calls.methods(),
            disable_number_strings=found.disable_number_strings,
            keep_whole_floats=found.keep_whole_floats,
            random_status=random_status,
        )
    except RunnersBusy:
        return failure(503, "script.execution.busy", "all script runners of this server are busy")
    except RunnerDied:
        log.exception("a script runner died", extra={"script": label})
        return failure(500, "jobQueue.execution.lost", "the script runner ended in the middle of the script")
