"""The shell of every page."""
from django.apps import AppConfig


class DashboardConfig(AppConfig):
    name = "gs2admin.dashboard"
    label = "dashboard"
    verbose_name = "Pages"
