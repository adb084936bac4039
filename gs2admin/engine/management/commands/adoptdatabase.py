"""`manage.py adoptdatabase`: carries a database of before the first release over, once."""
from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import DEFAULT_DB_ALIAS, connections

from gs2admin.engine.alone import alone
from gs2admin.schema.adopting import adopt


class Command(BaseCommand):
    """Refuses any other database than one of the last commit before the clean start. May be run twice."""

    help = "Carries a database of before the first release over to the initial migrations. Stop everything and back it up first."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        with alone(self.stdout.write):
            if adopt(connections[DEFAULT_DB_ALIAS], self.stdout.write):
                # What came after the initial migrations; and the content types of new models.
                call_command("migrate", interactive=False, verbosity=0)
                self.stdout.write("The database is ready for this release.")
