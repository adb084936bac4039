"""django-q2's `qcluster` would take our tasks without a supervisor and with other rules."""
from typing import Any

from django.core.management import CommandError
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """Refuses."""

    help = "Not for this server: start `manage.py worker`, which starts and supervises clusters."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError("Start `manage.py worker` instead: it starts clusters, and replaces those that fail.")
