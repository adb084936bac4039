"""What needs a human, for the board: auto-promotions that are held."""
from __future__ import annotations

from django.urls import reverse

from gs2admin.dashboard import attention
from gs2admin.identity.models import Project
from stages.models.governance import AutoPromotion


@attention.source
def held(project: Project) -> list[attention.Need]:
    """Auto-promotions that wait for somebody to let go."""
    rows = AutoPromotion.objects.filter(stage__project=project, stage__deleted_at=None, enabled=True, held_at__isnull=False)
    return [
        attention.Need(
            "warn", "player-play", f"{row.stage.name} does not promote itself.", row.held_because,
            reverse("stage-let-go", kwargs={"project": project.name, "stage": row.stage.name}), "Let go…", f"held-{row.pk}",
        )
        for row in rows.select_related("stage").order_by("pk")[:20]
    ]
