"""Stages, versions and rollouts."""
from django.apps import AppConfig


class StagesConfig(AppConfig):
    name = "stages"
    verbose_name = "Stages"

    def ready(self) -> None:
        from stages import attention, finding, sweep  # noqa: F401  they register sweepers, cleaners, needs and searches
        from stages.rollout import postman  # noqa: F401  a courier
        from stages.views import player  # noqa: F401  likewise, on a player's page
