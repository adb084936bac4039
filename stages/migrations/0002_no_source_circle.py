"""The database refuses a circle of source stages, whoever writes it.

A later migration that rebuilds this table on SQLite drops the trigger; tests/stages/test_constraints.py notices.
"""
from django.db import migrations

SQLITE = """
CREATE TRIGGER stages_stage_no_source_circle BEFORE UPDATE OF source_id ON stages_stage WHEN NEW.source_id IS NOT NULL
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
CREATE FUNCTION stages_stage_no_source_circle() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER stages_stage_no_source_circle BEFORE UPDATE OF source_id ON stages_stage
    FOR EACH ROW EXECUTE FUNCTION stages_stage_no_source_circle();
"""


def forwards(apps, schema_editor) -> None:
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRES)


def backwards(apps, schema_editor) -> None:
    with schema_editor.connection.cursor() as cursor:
        if schema_editor.connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER IF EXISTS stages_stage_no_source_circle")
        else:
            cursor.execute("DROP TRIGGER IF EXISTS stages_stage_no_source_circle ON stages_stage")
            cursor.execute("DROP FUNCTION IF EXISTS stages_stage_no_source_circle()")


class Migration(migrations.Migration):
    dependencies = [("stages", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]
