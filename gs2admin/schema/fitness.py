"""Whether this code can work on a database: the record of its migrations, and the key that it was used with."""
from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from importlib import import_module

from django.apps import apps
from django.conf import settings
from django.core.management import CommandError
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils.module_loading import module_has_submodule

from gs2admin.schema.before_first_release import COMMIT, LABELS, MIGRATIONS
from gs2admin.schema.server_key import key_refusal

Names = frozenset[tuple[str, str]]
CONNECT_S = 5


def applied(connection: BaseDatabaseWrapper) -> Names:
    """(app label, name) of our apps' migrations that the database has; empty for an empty database.

    By a statement of its own: Django's MigrationRecorder reads through the usual connection, whatever it is given, and that
    one opens a pool.
    """
    return frozenset((label, name) for label, name in _recorded(connection) if label in LABELS)


def _recorded(connection: BaseDatabaseWrapper) -> Names:
    with connection.cursor() as cursor:
        if "django_migrations" not in connection.introspection.table_names(cursor):
            return frozenset()
        cursor.execute("SELECT app, name FROM django_migrations")
        return frozenset(cursor.fetchall())


def known() -> Names:
    """(app label, name) of our apps' migrations that this code has. Imports none of them."""
    return _on_disk(LABELS)


def lacks(connection: BaseDatabaseWrapper) -> bool:
    """Whether the database has yet to be migrated: a migration of any app is not in its record. Imports none of them.

    It may say so where Django has nothing to do, after migrations were squashed; never the other way round.
    """
    labels = [config.label for config in apps.get_app_configs() if module_has_submodule(config.module, "migrations")]
    return bool(_on_disk(labels) - _recorded(connection))


def _on_disk(labels: Iterable[str]) -> Names:
    folders = {label: import_module(f"{apps.get_app_config(label).name}.migrations") for label in labels}
    return frozenset(
        (label, module.name) for label, folder in folders.items() for module in pkgutil.iter_modules(folder.__path__)
        if module.name[0] not in "_~"
    )


def refusal(connection: BaseDatabaseWrapper) -> str:
    """Why this code cannot work on the database, as sentences that say what to do; empty when it can.

    A database that lacks migrations is no reason: they are applied at the next start.
    """
    found = applied(connection)
    unknown = found - known()
    if not unknown:
        return key_refusal(connection)
    if unknown <= MIGRATIONS:
        if found == MIGRATIONS:
            return (
                "This database is older than the first release. Stop every gs2admin process that uses it, make a backup,"
                " then run `python manage.py adoptdatabase` once."
            )
        return (
            f"This database is older than commit {COMMIT}. Run `python manage.py migrate` of that commit on it, then"
            " `python manage.py adoptdatabase` of this one."
        )
    if settings.NEWER_DATABASE:
        return key_refusal(connection)
    names = sorted(".".join(key) for key in unknown - MIGRATIONS)
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"This database is newer than this code: it has {', '.join(names[:3])}{more}. Start the release that made it, or a"
        " later one. The release just before it works on this database too; to start that, set GS2ADMIN_NEWER_DATABASE=1."
    )


def require_fit(connection: BaseDatabaseWrapper) -> None:
    """Raise CommandError with the sentences of `refusal` when there are any."""
    if sentence := refusal(connection):
        raise CommandError(sentence)


def require_fit_at_start() -> None:
    """Like require_fit, for a process that starts. It starts without a database too, and then `/readyz` has the sentences."""
    connection = _short_lived()
    try:
        require_fit(connection)
    except OperationalError:
        pass
    finally:
        connection.close()


def _short_lived() -> BaseDatabaseWrapper:
    """A connection that does not wait long and has no pool: the threads of a pool end in the fork of a web process."""
    usual = connections[DEFAULT_DB_ALIAS]
    options = {key: value for key, value in usual.settings_dict["OPTIONS"].items() if key != "pool"}
    if usual.vendor == "postgresql":
        options.setdefault("connect_timeout", CONNECT_S)
    return type(usual)({**usual.settings_dict, "OPTIONS": options}, DEFAULT_DB_ALIAS)
