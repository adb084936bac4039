"""Stages and microservices for the search box."""
from __future__ import annotations

from django.db.models import OuterRef, Subquery
from django.urls import reverse

from gs2admin.dashboard.search import Hit, searcher
from gs2admin.identity.models import Project
from gs2admin.text import starts_with
from stages.models import Microservice, Stage, Version


@searcher("stage")
def stages(project: Project, text: str, limit: int) -> list[Hit]:
    """Stages whose name starts with the text."""
    rows = Stage.objects.existing(project.pk).filter(starts_with("name", text)).select_related("source").order_by("name")
    return [
        Hit(row.name, reverse("stage", kwargs={"project": project.name, "stage": row.name}),
            f"from {row.source.name}" if row.source else "latest versions", row.name == text)
        for row in rows[:limit]
    ]  # fmt: skip


@searcher("microservice")
def microservices(project: Project, text: str, limit: int) -> list[Hit]:
    """Microservices whose name starts with the text, with their newest version."""
    newest = Version.objects.filter(microservice=OuterRef("pk"), withdrawn_at=None).order_by("-id").values("version")
    rows = Microservice.objects.filter(project=project).filter(starts_with("name", text)).annotate(newest=Subquery(newest[:1]))
    return [
        Hit(row.name, reverse("version-service", kwargs={"project": project.name, "service": row.name}),
            f"newest version {row.newest}" if row.newest else "no version", row.name == text)
        for row in rows.order_by("name")[:limit]
    ]  # fmt: skip
