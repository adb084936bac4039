"""Namespaces of every service: created, changed, closed and emptied by the same functions, each domain with its own Kind."""
from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings as server
from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now

from gs2admin import engine
from gs2admin.audit.services import record
from gs2admin.errors import Conflict, Invalid, NotFound
from gs2admin.identity.actors import Actor
from gs2admin.identity.models import Project
from gs2admin.identity.rights import require
from gs2admin.limits import require_fewer
from gs2admin.names import check_name
from gs2admin.namespaces.status import NamespaceStatus
from gs2admin.text import storable

BATCH = 1_000
# More levels than any setting has; SQLite takes a thousand.
MAX_LEVELS = 32
# How long a delete may keep its caller; what is left then is removed by a worker.
IN_REQUEST_S = 2.0


@dataclass(frozen=True)
class Kind:
    """A kind of namespace. words: its service in error words. action: the front of its audit actions."""

    model: type[Model]
    words: str
    action: str
    right: str
    settings: tuple[str, ...]

    def known(self, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings, checked. Raises TypeError for an unknown one, Invalid for a value that a database cannot hold."""
        unknown = set(settings) - set(self.settings)
        if unknown:
            raise TypeError(f"unknown settings: {unknown}")
        for name, value in settings.items():
            if not _storable(value):
                raise Invalid(
                    f"{name} holds a character that is no text, a number that JSON does not have, or too many levels.",
                    component="namespace", message=f"{self.words}.namespace.{_camel(name)}.error.invalid",
                    extra={"field": name},
                )  # fmt: skip
        return settings

    def facts(self, row: Any) -> dict[str, Any]:
        """What the audit log keeps of a row."""
        return {key: getattr(row, key) for key in self.settings}

    def gone(self) -> NotFound:
        """The refusal: the namespace does not exist any more."""
        return NotFound(
            "This namespace is gone.", component="namespace", message=f"{self.words}.namespace.namespace.error.notFound"
        )

    def closing(self, name: str) -> Conflict:
        """The refusal: the namespace is being deleted."""
        return Conflict(
            f"{name} is being deleted.", component="namespace", message=f"{self.words}.namespace.namespace.error.conflict"
        )


def _storable(value: Any, levels: int = MAX_LEVELS) -> bool:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        return levels > 0 and all(_storable(each, levels - 1) for pair in value.items() for each in pair)
    if isinstance(value, list):
        return levels > 0 and all(_storable(each, levels - 1) for each in value)
    return True


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def create(kind: Kind, *, actor: Actor, project: Project, name: str, settings: dict[str, Any], **more: Any) -> Any:
    """Make one. more: columns that are no settings.

    Raises NotFound, Denied, Invalid (name, settings), Conflict (name taken), Quota.
    """
    require(actor, kind.right, project)
    check_name(name, component="namespace", word=f"{kind.words}.namespace.name")
    kind.known(settings)
    require_fewer(kind.model.objects.filter(project=project), server.MAX_NAMESPACES, f"such namespaces in {project.name}",
                  component="namespace", message=f"{kind.words}.namespace.namespace.error.tooMany")  # fmt: skip
    try:
        with transaction.atomic():
            row = kind.model.objects.create(project=project, name=name, **settings, **more)
            record(actor=actor, action=f"{kind.action}.create", obj=row, after=kind.facts(row))
            return row
    except IntegrityError:
        raise Conflict(f"There is a namespace called {name} already.", component="namespace",
                       message=f"{kind.words}.namespace.name.error.duplicate") from None  # fmt: skip


def update(kind: Kind, *, actor: Actor, namespace: Any, settings: dict[str, Any], reason: str) -> Any:
    """Change what is given. Raises NotFound, Denied, Invalid, Conflict (it is being deleted)."""
    require(actor, kind.right, namespace)
    kind.known(settings)
    with transaction.atomic():
        row = kind.model.objects.select_for_update(of=("self",)).select_related("project").filter(pk=namespace.pk).first()
        if row is None:
            raise kind.gone()
        if row.status != NamespaceStatus.ACTIVE:
            raise kind.closing(row.name)
        before = kind.facts(row)
        for key, value in settings.items():
            setattr(row, key, value)
        if kind.facts(row) == before:
            return row
        row.revision, row.updated_at = row.revision + 1, Now()
        row.save(update_fields=[*kind.settings, "revision", "updated_at"])
        row.refresh_from_db(fields=["updated_at"])
        record(
            actor=actor, action=f"{kind.action}.update", obj=row, before=before, after=kind.facts(row), reason=reason
        )
    return row


def close(kind: Kind, *, actor: Actor, namespace: Any, reason: str, task: str, **more: Any) -> None:
    """Nothing new comes in from here on; a worker goes on with the removal, should the caller not come to its end.

    task: the worker's task, by its dotted name. more: columns to change as well. Raises NotFound, Denied.
    """
    require(actor, kind.right, namespace)
    with transaction.atomic():
        rows = kind.model.objects.filter(pk=namespace.pk)
        if rows.filter(status=NamespaceStatus.ACTIVE).update(status=NamespaceStatus.DELETING, updated_at=Now(), **more):
            record(actor=actor, action=f"{kind.action}.delete", obj=namespace, before=kind.facts(namespace), reason=reason)
            engine.wake(task, namespace.pk)
        elif not rows.exists():
            raise kind.gone()


def empty(namespace: Any, seconds: float, *contents: QuerySet, batch: int = BATCH) -> bool:
    """Remove a closed namespace's rows, a batch per transaction, the namespace last.

    contents: the rows, in the order in which they go. seconds: how long it may take. False: there is more to do.
    """
    ends = time.monotonic() + seconds
    try:
        for rows in contents:
            for pks in batches(rows, batch):
                rows.model.objects.filter(pk__in=pks).delete()
                if time.monotonic() > ends:
                    return False
        type(namespace).objects.filter(pk=namespace.pk, status=NamespaceStatus.DELETING).delete()
    except IntegrityError:
        return False  # a write that began before the close slipped in; the next look removes it
    return True


def batches(rows: QuerySet, size: int) -> Iterable[list[int]]:
    """The keys of the rows, so many at a time, as long as there are some."""
    while pks := list(rows.order_by("pk").values_list("pk", flat=True)[:size]):
        yield pks
