"""Scripts as GS2 methods answer them, each list by one statement that names the project (gs2admin/db/prepared.py)."""
from __future__ import annotations

from typing import Any, NamedTuple

from django.db.models import Case, F, QuerySet, When
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

from gs2admin.db.columns import Milliseconds
from gs2admin.db.prepared import MOST, Places, Prepared
from gs2admin.identity.models import Project
from gs2admin.text import starts_with
from jobqueue.models import Script, ScriptNamespace


class ScriptRow(NamedTuple):
    """What an answer says of a script. size: of its text, in characters; small_source: the text, unless it is longer than was
    asked for. Times are in Unix milliseconds."""

    id: int
    name: str
    description: str
    small_source: str | None
    disable_string_number_to_number: bool
    created_ms: int
    updated_ms: int
    revision: int
    size: int


def _shown(rows: QuerySet[Script], small: Any) -> QuerySet[Script]:
    return rows.annotate(
        created_ms=Milliseconds("created_at"), updated_ms=Milliseconds("updated_at"), size=Length("source"),
        small_source=Case(When(LessThanOrEqual(Length("source"), small), then=F("source"))),
    )  # fmt: skip


def _scripts(at: Places) -> QuerySet[Script]:
    rows = Script.objects.filter(
        namespace_id=ScriptNamespace.objects.filter(project_id=at.project, name=at.namespace).order_by().values("pk")[:1]
    )
    if "name" in at:
        return _shown(rows, at.small).filter(name=at.name).order_by()
    return _shown(rows.filter(name__gt=at.after) if "after" in at else rows, at.small).order_by("name")[:MOST]


_SCRIPTS = Prepared(ScriptRow, _scripts)


def script(project: Project, namespace: str, name: str) -> ScriptRow | None:
    """One script, with its text however long it is."""
    rows = _SCRIPTS.rows(project=project.pk, namespace=namespace, name=name, small=MOST)
    return rows[0] if rows else None


def scripts_after(
    project: Project, namespace: str, *, after: str | None, prefix: str | None, limit: int, small: int
) -> list[ScriptRow]:
    """The first `limit` scripts by name that come after a name and begin with `prefix`, and one more where there is one.

    small: how long a text may be that is read along, in characters. None in a namespace that is not there.
    """
    if prefix:
        rows = Script.objects.filter(starts_with("name", prefix), namespace__project=project, namespace__name=namespace)
        rows = rows if after is None else rows.filter(name__gt=after)
        return _SCRIPTS.of(_shown(rows, small).order_by("name")[: limit + 1])
    goes_on = {} if after is None else {"after": after}
    return _SCRIPTS.rows(project=project.pk, namespace=namespace, **goes_on, small=small, most=limit + 1)


def whole(rows: list[ScriptRow]) -> list[ScriptRow]:
    """The rows with all their texts; those with a long text are read again, without the ones that were deleted meanwhile."""
    large = [row.id for row in rows if row.small_source is None]
    again = _SCRIPTS.of(_shown(Script.objects.filter(pk__in=large), MOST)) if large else []
    found = {row.id: row for row in [*rows, *again] if row.small_source is not None}
    return [found[row.id] for row in rows if row.id in found]
