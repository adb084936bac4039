"""Writes of scripts, and running one at once."""
from __future__ import annotations

import json
import math
import uuid
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gs2admin.audit.services import record
from gs2admin.errors import Conflict, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project, Role
from gs2admin.identity.rights import require
from gs2admin.limits import require_fewer
from gs2admin.names import check_name
from gs2admin.namespaces.status import NamespaceStatus
from jobqueue.execution import calls, scripts
from jobqueue.execution.running import run_source
from jobqueue.models import Script, ScriptNamespace, ScriptVersion
from jobqueue.services.namespaces import SCRIPTS

FIELDS = ("description", "source", "disable_string_number_to_number", "keep_whole_floats")


def create_script(
    *,
    actor: Actor,
    namespace: ScriptNamespace,
    name: str,
    source: str,
    description: str = "",
    disable_string_number_to_number: bool = False,
    keep_whole_floats: bool = False,
) -> Script:
    """Store a script, as it is, also when it does not parse.

    Raises NotFound, Denied, Invalid (name), Conflict (name taken), Quota.
    """
    require(actor, "script.edit", namespace)
    check_name(name, component="script", word="script.script.name")
    if namespace.status != NamespaceStatus.ACTIVE:
        raise SCRIPTS.gone()
    require_fewer(Script.objects.filter(namespace=namespace), settings.MAX_SCRIPTS, f"scripts in {namespace.name}",
                  component="script", message="script.script.script.error.tooMany")  # fmt: skip
    try:
        with transaction.atomic():
            row = Script.objects.create(
                namespace=namespace, name=name, source=source, description=description,
                disable_string_number_to_number=disable_string_number_to_number, keep_whole_floats=keep_whole_floats,
            )  # fmt: skip
            _keep_version(actor, row)
            record(actor=actor, action="script.create", obj=row, after=_facts(row))
    except IntegrityError:
        if not ScriptNamespace.objects.filter(pk=namespace.pk).exists():
            raise SCRIPTS.gone() from None
        raise Conflict(f"There is a script called {name} already.", component="script",
                       message="script.script.name.error.duplicate") from None  # fmt: skip
    return row


def update_script(*, actor: Actor, script: Script, reason: str = "", **changes: Any) -> Script:
    """Change fields of FIELDS; each change is a new revision that stays readable.

    Raises NotFound, Denied.
    """
    require(actor, "script.edit", script)
    if unknown := set(changes) - set(FIELDS):
        raise TypeError(f"unknown fields: {unknown}")
    with transaction.atomic():
        row = Script.objects.select_for_update(of=("self",)).select_related("namespace").filter(pk=script.pk).first()
        if row is None:
            raise _gone()
        before, old = _facts(row), [getattr(row, name) for name in FIELDS]
        for name, value in changes.items():
            setattr(row, name, value)
        if [getattr(row, name) for name in FIELDS] == old:
            return row
        row.revision, row.updated_at = row.revision + 1, Now()
        row.save()
        row.refresh_from_db(fields=["updated_at"])
        _keep_version(actor, row)
        record(actor=actor, action="script.update", obj=row, before=before, after=_facts(row), reason=reason)
    return row


def delete_script(*, actor: Actor, script: Script, reason: str = "") -> Script:
    """Remove a script with its versions; jobs that name it fail from then on. Raises NotFound, Denied."""
    require(actor, "script.edit", script)
    with transaction.atomic():
        record(actor=actor, action="script.delete", obj=script, before=_facts(script), reason=reason)
        if not Script.objects.filter(pk=script.pk).delete()[0]:
            raise _gone()
        transaction.on_commit(scripts.forget)
    return script


def _keep_version(actor: Actor, row: Script) -> None:
    ScriptVersion.objects.create(script=row, revision=row.revision, source=row.source, by=actor.name)
    transaction.on_commit(scripts.forget)


def _facts(row: Script) -> dict[str, Any]:
    return {
        "revision": row.revision,
        "characters": len(row.source),
        "description": row.description,
        "disable_string_number_to_number": row.disable_string_number_to_number,
        "keep_whole_floats": row.keep_whole_floats,
    }


def _gone() -> NotFound:
    return NotFound("There is no such script.", component="script", message="script.script.script.error.notFound")


# ── Running ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Invoked:
    """How a script ended that was run at once.

    status_code: 2xx is success. result: JSON text, an object or a list of errors. output: printed lines. execute_ms:
    whole milliseconds. memory_bytes: what it used. transaction: {transactionId, verifyActions, consumeActions,
    acquireActions} that it asked for, or None; nothing carries it out. random_status: replays its random numbers.
    """

    status_code: int
    result: str
    output: list[str] = field(default_factory=list)
    execute_ms: int = 0
    memory_bytes: int = 0
    transaction: dict[str, Any] | None = None
    random_status: dict[str, Any] | None = None


def invoke_script(
    *, actor: Actor, project: Project, script_id: str, user_id: str | None = None, args: str = "{}",
    random_status: dict[str, Any] | None = None,
) -> Invoked:  # fmt: skip
    """Run a stored script and wait for its end. Raises NotFound, Denied."""
    require(actor, "script.run", project)
    found = scripts.find(project, script_id)
    if found is None:
        raise _gone()
    if isinstance(found, scripts.BuiltIn):
        name = f"execute_{found.service}_{found.method}"
        maker = Actor("script", "", name, {project.pk: Role.SERVICE}, door="script", request_id=actor.request_id)
        status, text = calls.call(maker, project, found.service, found.method, args)
        return Invoked(status, text)
    return _invoke(actor, project, found, user_id, args, random_status)


def try_script(
    *, actor: Actor, project: Project, source: str, user_id: str | None = None, args: str = "{}",
    disable_string_number_to_number: bool = False, keep_whole_floats: bool = False,
    random_status: dict[str, Any] | None = None,
) -> Invoked:  # fmt: skip
    """Run a text that is not stored. What it writes is logged as made by "try-out by" the actor. Raises NotFound, Denied."""
    require(actor, "script.run", project)
    found = scripts.Source(0, f"try-out by {actor.name}", source, disable_string_number_to_number, keep_whole_floats)
    return _invoke(actor, project, found, user_id, args, random_status)


def _invoke(
    actor: Actor, project: Project, found: scripts.Source, user_id: str | None, args: str, random_status: dict | None
) -> Invoked:
    outcome = run_source(
        found, project=project, user_id=user_id, args=args, random_status=random_status, request_id=actor.request_id
    )
    moves = json.loads(outcome.transaction) if outcome.transaction else None
    if moves:
        moves.setdefault("transactionId", str(uuid.uuid4()))
    return Invoked(
        outcome.status_code, outcome.result, list(outcome.output), math.ceil(outcome.execute_ms), outcome.memory_bytes,
        moves, outcome.random_status or None,
    )  # fmt: skip
