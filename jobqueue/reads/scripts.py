"""Scripts: lists, versions, and which jobs use one."""
from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Length, Substr

from gs2admin.db import clock
from gs2admin.errors import NotFound
from gs2admin.identity.models import Project
from jobqueue.models import Script, ScriptNamespace, ScriptVersion, Tally
from jobqueue.sql import LABEL

# A longer text is shown by its beginning; an editor in a browser is no place for it.
EDITABLE = 400_000
BEGINNING = 40_000
DIFF_LINES = 4_000
DAY = timedelta(hours=24)
_GRN = re.compile(r"grn:gs2:[^:]*:([^:]*):script:([^:]+):script:([^:]+)\Z")


@dataclass(frozen=True)
class Use:
    """What ran of a script in one queue namespace within a day."""

    namespace: str
    script_id: str
    attempts: int
    failed: int
    given_up: int


class LineKind(StrEnum):
    """How a line differs; GAP stands for equal lines that are left out."""

    SAME, ADDED, REMOVED, GAP = "same", "added", "removed", "gap"


@dataclass(frozen=True)
class Line:
    """One line of a difference. old, new: line numbers, 0 where there is none. text: empty for a gap."""

    kind: LineKind
    old: int
    new: int
    text: str


def namespaces(project: Project, *, after: str = "", limit: int) -> list[ScriptNamespace]:
    """By name, each with scripts_count."""
    rows = ScriptNamespace.objects.filter(project=project)
    if after:
        rows = rows.filter(name__gt=after)
    return list(rows.annotate(scripts_count=Count("scripts")).order_by("name")[:limit])


def namespace_of(project: Project, name: str) -> ScriptNamespace:
    """The project's script namespace of that name. Raises NotFound."""
    row = ScriptNamespace.objects.filter(project=project, name=name).first()
    if row is None:
        raise NotFound(f"There is no script namespace {name} in {project.name}.", component="namespace")
    row.project = project
    return row


def listed(namespace: ScriptNamespace, *, query: str = "", after: str = "", limit: int) -> list[Script]:
    """Scripts by name, without their texts, each with size."""
    rows = Script.objects.filter(namespace=namespace)
    if query:
        rows = rows.filter(name__icontains=query)
    if after:
        rows = rows.filter(name__gt=after)
    return list(rows.annotate(size=Length("source")).defer("source").order_by("name")[:limit])


def scripts_of(namespace: ScriptNamespace) -> QuerySet[Script]:
    """The scripts of a namespace with their texts, each with its namespace."""
    return Script.objects.filter(namespace=namespace).select_related("namespace")


def script_of(namespace: ScriptNamespace, name: str) -> Script:
    """The script with `head`, the beginning of its text, and `size`. Raises NotFound."""
    rows = Script.objects.filter(namespace=namespace, name=name).defer("source")
    row = rows.annotate(size=Length("source"), head=Substr("source", 1, EDITABLE + 1)).first()
    if row is None:
        raise NotFound(f"There is no script {name} in {namespace.name}.", component="script")
    row.namespace = namespace
    return row


def known(project: Project, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Which of these script ids name a script of the project: {id: (namespace, name)}; one query."""
    asked = {}
    for script_id in ids:
        grn = _GRN.match(script_id)
        if grn is None:
            asked[script_id] = ("default", script_id)
        elif grn[1] == project.owner_id:
            asked[script_id] = (grn[2], grn[3])
    if not asked:
        return {}
    rows = Script.objects.filter(
        namespace__project=project, namespace__name__in={namespace for namespace, _ in asked.values()},
        name__in={name for _, name in asked.values()},
    )  # fmt: skip
    there = set(rows.order_by().values_list("namespace__name", "name"))
    return {script_id: place for script_id, place in asked.items() if place in there}


def ids_of(script: Script) -> list[str]:
    """The script ids that name it: the GRN, and its name alone in the namespace default."""
    namespace = script.namespace
    project = namespace.project
    grn = f"grn:gs2:{project.region}:{project.owner_id}:script:{namespace.name}:script:{script.name}"
    return [grn, script.name] if namespace.name == "default" else [grn]


def uses(script: Script) -> list[Use]:
    """Per queue namespace and id that jobs name it by, what ran within a day."""
    labels = {name[:LABEL]: name for name in ids_of(script)}
    rows = (
        Tally.objects.filter(namespace__project_id=script.namespace.project_id, at__gte=clock.now() - DAY,
                             script__in=list(labels))
        .order_by().values_list("namespace__name", "script").annotate(Sum("ok"), Sum("failed"), Sum("given_up"))
    )  # fmt: skip
    return [Use(name, labels[label], ok + bad, bad, gone) for name, label, ok, bad, gone in sorted(rows)]


def versions(script: Script, *, before: int | None = None, limit: int) -> list[ScriptVersion]:
    """The versions, newest first, each with size instead of its text."""
    rows = ScriptVersion.objects.filter(script=script)
    if before is not None:
        rows = rows.filter(revision__lt=before)
    return list(rows.annotate(size=Length("source")).defer("source").order_by("-revision")[:limit])


def version_of(script: Script, revision: int) -> ScriptVersion:
    """One version. Raises NotFound."""
    row = ScriptVersion.objects.filter(script=script, revision=revision).first()
    if row is None:
        raise NotFound(f"{script.name} has no revision {revision}.", component="script")
    return row


def difference(old: str, new: str, *, around: int = 3) -> list[Line] | None:
    """The lines that differ with a few around them; None when the texts are too long to be compared."""
    a, b = old.splitlines(), new.splitlines()
    if max(len(a), len(b)) > DIFF_LINES or len(old) + len(new) > EDITABLE:
        return None
    found: list[Line] = []
    for group in difflib.SequenceMatcher(None, a, b, autojunk=len(b) > 400).get_grouped_opcodes(around):
        if group[0][1] or group[0][3]:
            found.append(Line(LineKind.GAP, 0, 0, ""))
        for kind, a1, a2, b1, b2 in group:
            if kind == "equal":
                found += [Line(LineKind.SAME, a1 + n + 1, b1 + n + 1, text) for n, text in enumerate(a[a1:a2])]
            else:
                found += [Line(LineKind.REMOVED, a1 + n + 1, 0, text) for n, text in enumerate(a[a1:a2])]
                found += [Line(LineKind.ADDED, 0, b1 + n + 1, text) for n, text in enumerate(b[b1:b2])]
    return found
