"""Mutexes with a fencing token, for games and for the server's own work."""
from django.apps import AppConfig


class LocksConfig(AppConfig):
    name = "locks"
    verbose_name = "Locks"

    def ready(self) -> None:
        from locks import attention, chores, finding, stats  # noqa: F401  they register themselves
        from locks.views import parts  # noqa: F401  likewise, on a player's page
