"""Microservices with their newest versions, and the stages that pin each version now."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db.models import OuterRef, Subquery

from gs2admin.identity.models import Project
from stages.models import Microservice, Stage, Version

NEWEST = 3


@dataclass(frozen=True)
class Entry:
    """One microservice. newest: its newest versions that are not withdrawn. places: [(version, stages that pin it)]."""

    name: str
    newest: list[Version] = field(default_factory=list)
    places: list[tuple[str, list[str]]] = field(default_factory=list)


def pins(project: Project) -> list[tuple[str, Mapping[str, str]]]:
    """[(name of a stage, {microservice: version})] in display order; one query."""
    rows = Stage.objects.existing(project.pk).select_related("current_set").only(
        "id", "name", "sort_number", "current_set__versions"
    )
    return [(row.name, row.current_set.versions if row.current_set_id else {}) for row in rows]


def places(service: str, pinned: list[tuple[str, Mapping[str, str]]]) -> dict[str, list[str]]:
    """Which stages pin which version of a microservice: {version: [stage, …]}."""
    found: dict[str, list[str]] = {}
    for stage, versions in pinned:
        if service in versions:
            found.setdefault(versions[service], []).append(stage)
    return found


def entries(project: Project, *, query: str = "", after: str = "", limit: int) -> list[Entry]:
    """At most `limit` microservices by name; three queries. query: part of the name. after: names after this one."""
    rows = Microservice.objects.filter(project=project)
    if query:
        rows = rows.filter(name__icontains=query)
    if after:
        rows = rows.filter(name__gt=after)
    live = Version.objects.filter(microservice=OuterRef("pk"), withdrawn_at=None).order_by("-id").values("id")
    ids = {f"newest_{n}": Subquery(live[n : n + 1]) for n in range(NEWEST)}
    found = list(rows.annotate(**ids).order_by("name")[:limit])
    wanted = [getattr(row, name) for row in found for name in ids]
    versions = {row.pk: row for row in Version.objects.filter(pk__in=[pk for pk in wanted if pk])}
    pinned = pins(project)
    return [
        Entry(
            row.name,
            [versions[getattr(row, name)] for name in ids if getattr(row, name) in versions],
            list(places(row.name, pinned).items()),
        )
        for row in found
    ]
