"""Our own JSON API."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "gs2admin.api"
    label = "api"
    verbose_name = "JSON API"
