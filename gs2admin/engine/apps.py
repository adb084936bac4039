"""The engine's Django app."""
from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class EngineConfig(AppConfig):
    name = "gs2admin.engine"
    label = "engine"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # tasks: what the queue calls; chores: what the sweep calls (tickers, sweepers, cleaners).
        autodiscover_modules("tasks", "chores")
