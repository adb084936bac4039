"""Django's `migrate`, which refuses a database that this code cannot work on, and makes all tables of an empty one at once."""
from functools import partial
from typing import Any

from django.core.management.commands.migrate import Command as DjangoCommand
from django.core.management.sql import emit_post_migrate_signal
from django.db import connections

from gs2admin.schema import prepared
from gs2admin.schema.fitness import lacks, require_fit

# With any of these somebody wants something else than all tables.
_PARTS = ("app_label", "migration_name", "fake", "fake_initial", "plan", "check_unapplied", "prune", "stepwise")


class Command(DjangoCommand):
    """`manage.py migrate`; ends with a sentence instead of a traceback where the record of migrations is not ours."""

    def add_arguments(self, parser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--stepwise", action="store_true", help="run each migration on an empty database too")

    def handle(self, *args: Any, **options: Any) -> None:
        connection = connections[options["database"]]
        require_fit(connection)
        # What is done after each `migrate`, which would render all models twice to find that nothing is left to do.
        signal = partial(emit_post_migrate_signal, options["verbosity"], options["interactive"], connection.alias)
        whole = not any(options.get(name) for name in _PARTS)
        if whole and prepared.make(connection, signal) and not lacks(connection) and not options["run_syncdb"]:
            if options["verbosity"] >= 1:
                self.stdout.write("All tables are made.")
            return
        super().handle(*args, **options)
