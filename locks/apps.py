"""Mutexes with a fencing token, for games and for the server's own work."""
from django.apps import AppConfig


class LocksConfig(AppConfig):
    name = "locks"
    verbose_name = "Locks"

    def ready(self) -> None:
        from locks import chores, stats  # noqa: F401  they register sweepers and cleaners
