"""A plugin of pytest: the tests of a mutant begin with a database that is made once, instead of migrating one each time.

MUTATION_DATABASE: the file that holds it for SQLite, or the name of a database of PostgreSQL. When there is none yet, the
tests make it, and their database is left behind.
"""
from __future__ import annotations

import os
import shutil
from pathlib import Path

from django.conf import settings
from django.db.backends.base.creation import BaseDatabaseCreation

KEPT = os.environ["MUTATION_DATABASE"]
_migrate = BaseDatabaseCreation.create_test_db
_destroy = BaseDatabaseCreation.destroy_test_db


def create_test_db(self, verbosity=1, autoclobber=False, serialize=True, keepdb=False) -> str:
    """Instead of Django's: connects to a copy (SQLite) of the kept database, or to itself (PostgreSQL)."""
    on_sqlite = self.connection.vendor == "sqlite"
    if not on_sqlite:
        settings.DATABASES["default"]["TEST"]["NAME"] = self.connection.settings_dict["TEST"]["NAME"] = KEPT
    if os.environ.get("MUTATION_MAKES"):
        name = _migrate(self, verbosity, True, False, False)
        if on_sqlite:
            self.connection.close()
            shutil.copyfile(name, KEPT)
        return name
    name = f"{KEPT}-{os.getpid()}" if on_sqlite else KEPT
    if on_sqlite:
        shutil.copyfile(KEPT, name)
    self.connection.close()
    self.connection.settings_dict["NAME"] = settings.DATABASES["default"]["NAME"] = name
    self.connection.ensure_connection()
    return name


def destroy_test_db(self, *given, **how) -> None:
    """Removes the copy; what is kept stays."""
    if self.connection.vendor == "sqlite":
        self.connection.close()
        for end in ("", "-wal", "-shm"):
            Path(f"{self.connection.settings_dict['NAME']}{end}").unlink(missing_ok=True)
    else:
        self.connection.close()


BaseDatabaseCreation.create_test_db = create_test_db
BaseDatabaseCreation.destroy_test_db = destroy_test_db


def pytest_unconfigure() -> None:
    """Tell what was imported to whoever asks, see trying.warm_up."""
    if where := os.environ.get("MUTATION_NAMES"):
        import sys

        Path(where).write_text("\n".join(sys.modules))
