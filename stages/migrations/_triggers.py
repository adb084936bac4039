"""The trigger that refuses a circle of source stages. Migrations import it: never change what is here.

Another trigger, or another text of this one, is a new module beside it and a migration that replaces the old one.
On SQLite a migration that rebuilds the table of stages drops the trigger. Such a migration ends with
`migrations.RunPython(create, migrations.RunPython.noop)`; tests/stages/test_constraints.py fails without it.
"""
from __future__ import annotations

SQLITE = """
CREATE TRIGGER IF NOT EXISTS stages_stage_no_source_circle
BEFORE UPDATE OF source_id ON stages_stage WHEN NEW.source_id IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'stage_no_source_circle') WHERE NEW.id IN (
        WITH RECURSIVE up(id) AS (
            SELECT NEW.source_id
            UNION
            SELECT s.source_id FROM stages_stage s JOIN up ON s.id = up.id WHERE s.source_id IS NOT NULL
        )
        SELECT id FROM up
    );
END
"""
POSTGRES = """
CREATE OR REPLACE FUNCTION stages_stage_no_source_circle() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.source_id IS NOT NULL AND NEW.id IN (
        WITH RECURSIVE up(id) AS (
            SELECT NEW.source_id
            UNION
            SELECT s.source_id FROM stages_stage s JOIN up ON s.id = up.id WHERE s.source_id IS NOT NULL
        )
        SELECT id FROM up
    ) THEN
        RAISE EXCEPTION 'stage_no_source_circle' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
DROP TRIGGER IF EXISTS stages_stage_no_source_circle ON stages_stage;
CREATE TRIGGER stages_stage_no_source_circle BEFORE UPDATE OF source_id ON stages_stage
    FOR EACH ROW EXECUTE FUNCTION stages_stage_no_source_circle();
"""


def create(apps, schema_editor) -> None:
    """Make the trigger, unless it is there."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRES)


def drop(apps, schema_editor) -> None:
    """Remove the trigger."""
    with schema_editor.connection.cursor() as cursor:
        if schema_editor.connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER IF EXISTS stages_stage_no_source_circle")
        else:
            cursor.execute("DROP TRIGGER IF EXISTS stages_stage_no_source_circle ON stages_stage")
            cursor.execute("DROP FUNCTION IF EXISTS stages_stage_no_source_circle()")
