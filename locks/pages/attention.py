"""What of locks needs a human: mutexes that are held for long and end soon, and namespaces where many are refused."""
from __future__ import annotations

from datetime import timedelta

from django.urls import reverse

from gs2admin.dashboard import attention
from gs2admin.dashboard.templatetags.gs import span
from gs2admin.db import clock
from gs2admin.identity.models import Project
from gs2admin.text import shortened
from locks import reads
from locks.pages.addresses import at

# A holding of seconds is no news when it ends; one of minutes is: its holder may be about to lose it, or be gone.
LONG_MS, SOON_MS, MOST = 600_000, 300_000, 3
LATELY, MANY_DENIED = timedelta(minutes=10), 100


@attention.source
def held_long(project: Project) -> list[attention.Need]:
    """One line per mutex, at most MOST."""
    found, now_ms = [], reads.now_ms()
    for row in reads.held_long(project, held_ms=LONG_MS, within_ms=SOON_MS, limit=MOST):
        row.namespace.project = project
        name = shortened(row.property_id, 61)
        found.append(attention.Need(
            "warn", "lock", f"Mutex {name} of {row.user_id} held {span((now_ms - row.acquired_ms) // 1000)} by "
            f"{shortened(row.transaction_id, 40)}", f"expires in {span(max(0, row.until_ms - now_ms) // 1000)}",
            at("locks-mutex", row.namespace, pk=row.pk), "Look", f"mutex-{row.pk}",
        ))
    return found


@attention.source
def contended(project: Project) -> list[attention.Need]:
    """One line per namespace, at most MOST."""
    rows = reads.refused_lately(project, since=clock.now() - LATELY, least=MANY_DENIED, limit=MOST)
    return [
        attention.Need("warn", "lock", f"{count:,} tries to lock in {name} denied within 10 minutes", "others hold the mutexes",
                       reverse("locks-namespace", kwargs={"project": project.name, "namespace": name}), "Look", f"denied-{name}")
        for name, count in rows
    ]
