"""Which operations of a migration the release before does not survive. docs/migrations.md says the same to people."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from django.db import migrations, models
from django.db.migrations import operations as ops
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

# What this type of column can become without a value that fitted before and does not now.
WIDER = {
    "PositiveSmallIntegerField": {"SmallIntegerField", "PositiveIntegerField", "IntegerField", "PositiveBigIntegerField", "BigIntegerField"},
    "PositiveIntegerField": {"IntegerField", "PositiveBigIntegerField", "BigIntegerField"},
    "SmallIntegerField": {"IntegerField", "BigIntegerField"},
    "PositiveBigIntegerField": {"BigIntegerField"},
    "IntegerField": {"BigIntegerField"},
    "CharField": {"TextField"},
}
HARMLESS = (
    ops.CreateModel, ops.AddIndex, ops.RemoveIndex, ops.RenameIndex, ops.AlterModelOptions, ops.AlterModelManagers, ops.RunPython,
)
NARROWING_SQL = re.compile(r"\b(DROP|RENAME|TRUNCATE|SET\s+NOT\s+NULL)\b", re.IGNORECASE)
REASON = 10
Found = Iterator[tuple[str, str]]


def refusals(migration: migrations.Migration, known: ProjectState, before: ProjectState, stopped: Callable[[str], bool]) -> list[str]:
    """One sentence for each operation that the release before does not survive; empty when it survives all.

    known: the models as that release has them; what it has not, may change. before: the models before the migration.
    A migration may have `unused_since = {"stages.stage.colour": "v0.4: nothing reads or writes it since"}`: the thing that
    is removed, the release that stopped using it, and why. stopped(release): whether the release before is at least that.
    """
    exempt, found = dict(getattr(migration, "unused_since", {})), []
    for what, why in _judged(migration.operations, migration.app_label, known, before.clone()):
        release, _, reason = exempt.pop(what, "").partition(":")
        if not release:
            found.append(f"{migration}: {what}: {why}")
        elif len(reason.strip()) < REASON:
            found.append(f"{migration}: {what}: unused_since needs a reason after the release and a colon.")
        elif not stopped(release.strip()):
            found.append(f"{migration}: {what}: {release.strip()} is no release up to the one before this.")
    return found + [f"{migration}: {what}: unused_since names what no operation removes." for what in exempt]


def _judged(operations: list[Operation], label: str, known: ProjectState, state: ProjectState) -> Found:
    """(what, why not) of the operations that take something from the release before. Moves the state on."""
    for operation in operations:
        if isinstance(operation, ops.SeparateDatabaseAndState):
            # What only our models forget, the database still has.
            yield from _judged(operation.database_operations, label, known, state.clone())
        elif not isinstance(operation, HARMLESS):
            yield from _one(operation, label, known, state)
        operation.state_forwards(label, state)


def _one(operation: Operation, label: str, known: ProjectState, state: ProjectState) -> Found:
    name = getattr(operation, "model_name", "") or getattr(operation, "old_name", "") or getattr(operation, "name", "")
    model = known.models.get((label, name.lower()))
    what = f"{label}.{name.lower()}"
    match operation:
        case ops.RunSQL():
            if word := NARROWING_SQL.search(str(operation.sql)):
                yield f"{label}.sql", f"{word[0]} takes something from the release before."
        case _ if model is None and name:
            return  # a model that the release before does not know
        case ops.DeleteModel() | ops.RenameModel() | ops.AlterModelTable():
            yield what, "the release before still reads and writes this table."
        case ops.RemoveField() | ops.RenameField():
            field = operation.name if isinstance(operation, ops.RemoveField) else operation.old_name
            if field in model.fields:
                yield f"{what}.{field}", "the release before still reads and writes this column."
        case ops.AddField():
            if not (operation.field.null or operation.field.many_to_many or operation.field.has_db_default()):
                yield f"{what}.{operation.name}", "the release before inserts rows without it: give it a db_default, or null=True."
        case ops.AlterField():
            old = state.models[label, name.lower()].fields[operation.name]
            if operation.name in model.fields and (why := narrower(old, operation.field)):
                yield f"{what}.{operation.name}", why
        case ops.AddConstraint():
            yield f"{what}.{operation.constraint.name}", "the release before may write what this refuses."
        case ops.RemoveConstraint():
            found = [one for one in model.options.get("constraints", ()) if one.name == operation.name]
            if any(isinstance(one, models.UniqueConstraint) for one in found):
                yield f"{what}.{operation.name}", "ON CONFLICT of the release before may rely on it."
        case _:
            yield what, f"nobody has decided yet whether {type(operation).__name__} is survivable; add it to tests/upgrade/rules.py."


def narrower(old: models.Field, new: models.Field) -> str:
    """Why the column takes less than before; empty when it does not."""
    kind, wanted = old.get_internal_type(), new.get_internal_type()
    if old.is_relation and new.is_relation:
        if str(old.remote_field.model).lower() != str(new.remote_field.model).lower():
            return "it points to another table."
        if new.db_constraint and not old.db_constraint:
            return "the release before may write keys of rows that are not there."
    elif kind != wanted and wanted not in WIDER.get(kind, ()):
        return f"{wanted} does not take every value of {kind}."
    if old.null and not new.null:
        return "the release before may write NULL."
    if new.max_length is not None and (old.max_length is None or new.max_length < old.max_length):
        return f"the release before may write more than {new.max_length} characters."
    if new.unique and not old.unique:
        return "the release before may write a value twice."
    if old.has_db_default() and not new.has_db_default():
        return "the release before inserts rows without it."
    if (old.db_column or "") != (new.db_column or ""):
        return "the release before knows the column by its old name."
    return ""
