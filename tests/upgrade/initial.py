"""Writes the initial migration of each app of ours from its models: `python -m tests.upgrade.initial`.

Only until the first release is made; afterwards an initial migration never changes, and this program goes.
A model is created in one operation with its keys, indexes and constraints. `makemigrations` writes an operation for each
of them, and four fifths of the time of a migration is rendering the models anew after each operation.
"""
from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

import django
from django.db import migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter

APPS = ("audit", "engine", "identity", "jobqueue", "locks", "stages", "wire")
# Apps whose migrations end with triggers; the module is `_triggers` among the migrations.
TRIGGERS = ("locks", "stages")
NAME = "0001_initial_schema"


def keys_of(model: ModelState) -> dict[str, tuple[str, str, bool]]:
    """{field: (app label, model name in lower case, whether it may be empty)} of the fields that point to a model."""
    found = {}
    for name, field in model.fields.items():
        if field.is_relation:
            label, _, to = str(field.remote_field.model).lower().rpartition(".")
            found[name] = (label or model.app_label, model.name_lower if to == "self" else to, field.null or field.many_to_many)
    return found


def created(model: ModelState, without: set[str]) -> Operation:
    """The operation that makes the model's table, without these fields."""
    fields = [(name, field) for name, field in model.fields.items() if name not in without]
    options = {key: value for key, value in model.options.items() if value or key not in ("indexes", "constraints")}
    return migrations.CreateModel(model.name, fields, options, model.bases, model.managers)


def operations_of(models: list[ModelState]) -> list[Operation]:
    """What makes these tables of one app. Of two models that point to each other, the key that may be empty comes later."""
    missing, found, later = {model.name_lower: model for model in models}, [], []
    while missing:
        waits_for = {
            name: {field: empty for field, (app, to, empty) in keys_of(model).items()
                   if app == model.app_label and to in missing and to != name}
            for name, model in missing.items()
        }
        # Whoever waits for nobody, else whoever waits for the fewest keys, all of which may be empty.
        free = [name for name, keys in waits_for.items() if all(keys.values())]
        name = min(free, key=lambda name: len(waits_for[name]))
        model, without = missing.pop(name), set(waits_for[name])
        found.append(created(model, without))
        later += [migrations.AddField(model.name_lower, field, model.fields[field]) for field in without]
        ready = [operation for operation in later if keys_of_added(operation, model.app_label) not in missing]
        found += ready
        later = [operation for operation in later if operation not in ready]
    return found


def keys_of_added(operation: migrations.AddField, label: str) -> str:
    """The model, in lower case, that the added field points to."""
    return str(operation.field.remote_field.model).lower().removeprefix(f"{label}.")


def initial(label: str, state: ProjectState, disk: set[tuple[str, str]]) -> migrations.Migration:
    """The initial migration of one app."""
    models = [model for (app, _), model in state.models.items() if app == label]
    others = {app for model in models for app, _, _ in keys_of(model).values()} - {label}
    last = {app: NAME if app in APPS else max(name for of, name in disk if of == app) for app in others}
    made = type("Migration", (migrations.Migration,), {"initial": True})(NAME, label)
    made.dependencies = sorted(last.items())
    made.operations = operations_of(models)
    if label in TRIGGERS:
        triggers = import_module(f"{django.apps.apps.get_app_config(label).name}.migrations._triggers")
        made.operations.append(migrations.RunPython(triggers.create, triggers.drop))
    return made


def main() -> None:
    """Write all of them over what is there. Raises SystemExit when an app has other migrations."""
    django.setup()
    loader = MigrationLoader(None, load=False)
    loader.load_disk()
    disk = set(loader.disk_migrations)
    if more := sorted(f"{app}.{name}" for app, name in disk if app in APPS and name != NAME):
        raise SystemExit(f"Remove these first, if no release has them: {', '.join(more)}")
    state = ProjectState.from_apps(django.apps.apps)
    for label in APPS:
        folder = Path(django.apps.apps.get_app_config(label).path) / "migrations"
        (folder / f"{NAME}.py").write_text(MigrationWriter(initial(label, state, disk), include_header=False).as_string())


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gs2admin.settings")
    main()
