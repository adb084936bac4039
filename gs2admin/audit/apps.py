"""The activity log."""
from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "gs2admin.audit"
    label = "audit"
    verbose_name = "Activity"

    def ready(self) -> None:
        from gs2admin.audit import player  # noqa: F401  registers its part of a player's page
