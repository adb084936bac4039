"""Mutexes with a fencing token, for games and for the server's own work."""
from django.apps import AppConfig


class LocksConfig(AppConfig):
    name = "locks"
    verbose_name = "Locks"

    def ready(self) -> None:
        # They register themselves: needs for attention, searches, parts of a player's page.
        from locks.pages import attention, search  # noqa: F401
        from locks.pages.views import parts  # noqa: F401
