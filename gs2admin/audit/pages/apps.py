"""An app of its own, so that the pages stand on top of what they show. It has no tables."""
from django.apps import AppConfig


class AuditPagesConfig(AppConfig):
    name = "gs2admin.audit.pages"
    label = "audit_pages"

    def ready(self) -> None:
        from gs2admin.audit.pages import notes, player  # noqa: F401  register their parts of a player's page
