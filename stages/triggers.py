"""The trigger that refuses a circle of source stages, put back where SQLite has lost it.

On SQLite every migration that changes a column of the stages' table makes the table anew, and its triggers are gone.
Such a migration ends with `migrations.RunPython(source_circle_again, migrations.RunPython.noop)`.
"""
from __future__ import annotations

from importlib import import_module


def source_circle_again(apps, schema_editor) -> None:
    """Make the trigger unless it is there; PostgreSQL keeps its own."""
    if schema_editor.connection.vendor != "sqlite":
        return
    sql = import_module("stages.migrations.0002_no_source_circle").SQLITE
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER IF EXISTS stages_stage_no_source_circle")
        cursor.execute(sql)
