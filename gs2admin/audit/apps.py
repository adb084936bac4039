"""The activity log."""
from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "gs2admin.audit"
    label = "audit"
    verbose_name = "Activity"
