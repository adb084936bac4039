"""Stages, versions and rollouts."""
from django.apps import AppConfig


class StagesConfig(AppConfig):
    name = "stages"
    verbose_name = "Stages"

    def ready(self) -> None:
        from stages import sweep  # noqa: F401  registers the sweeper and the cleaners
