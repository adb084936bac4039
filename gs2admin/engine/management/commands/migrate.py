"""Django's `migrate`, which refuses a database that this code cannot work on."""
from typing import Any

from django.core.management.commands.migrate import Command as DjangoCommand
from django.db import connections

from gs2admin.schema.fitness import require_fit


class Command(DjangoCommand):
    """`manage.py migrate`; ends with a sentence instead of a traceback where the record of migrations is not ours."""

    def handle(self, *args: Any, **options: Any) -> None:
        require_fit(connections[options["database"]])
        super().handle(*args, **options)
