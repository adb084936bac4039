"""Carries a database of before the first release over to the initial migrations, in one transaction."""
from __future__ import annotations

from collections.abc import Callable

from django.core.management import CommandError
from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import RunPython, RunSQL
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState

from gs2admin.schema import before_first_release as old
from gs2admin.schema.fitness import applied, refusal

Say = Callable[[str], None]


def adopt(connection: BaseDatabaseWrapper, say: Say) -> bool:
    """Carry the database over and say what was done; False when there is nothing to do.

    Nothing else may use the database meanwhile. Raises CommandError, and changes nothing, unless the database has exactly
    the migrations of `before_first_release.COMMIT` or has been carried over already.
    """
    found = applied(connection)
    if found and not found & old.MIGRATIONS:
        say("This database has the initial migrations already; nothing is to be done.")
        return False
    if found != old.MIGRATIONS:
        raise CommandError(refusal(connection) or "This database has no tables of gs2admin. Run `python manage.py migrate`.")
    loader = MigrationLoader(None)
    # On SQLite a table that is made anew loses its rows' references unless the checks are off before the transaction.
    with connection.constraint_checks_disabled(), transaction.atomic(using=connection.alias):
        with connection.schema_editor(atomic=False) as editor:
            _carry_over(loader, editor, say)
            _make_triggers(loader, editor)
        _rewrite(MigrationRecorder(connection))
    say(f"The record of migrations is rewritten: {len(old.MIGRATIONS)} names became {len(old.LABELS)}.")
    return True


def initial_state(loader: MigrationLoader) -> ProjectState:
    """The models as the initial migrations make them."""
    return loader.project_state([(label, old.INITIAL) for label in old.LABELS])


def _carry_over(loader: MigrationLoader, editor: BaseDatabaseSchemaEditor, say: Say) -> None:
    state = initial_state(loader)
    old.make_old(state)
    for label, operation in old.OPERATIONS:
        before = state.clone()
        operation.state_forwards(label, state)
        operation.database_forwards(label, editor, before, state)
        if isinstance(operation, RunPython | RunSQL) and editor.connection.vendor == "postgresql":
            # PostgreSQL changes no table that has rows whose keys are still to be checked.
            editor.connection.check_constraints()
        say(f"{label}: {operation.describe()}")


def _make_triggers(loader: MigrationLoader, editor: BaseDatabaseSchemaEditor) -> None:
    """What an initial migration runs makes its triggers, unless they are there; SQLite drops them with a table."""
    for label in old.LABELS:
        for operation in loader.disk_migrations[label, old.INITIAL].operations:
            if isinstance(operation, RunPython):
                operation.code(None, editor)


def _rewrite(recorder: MigrationRecorder) -> None:
    recorder.migration_qs.filter(app__in=old.LABELS).delete()
    for label in old.LABELS:
        recorder.record_applied(label, old.INITIAL)
