"""The trigger that writes a holding into the history, in the statement that ends it. Migrations import it: never change
what is here.

Another trigger, or another text of this one, is a new module beside it and a migration that replaces the old one.
On SQLite a migration that rebuilds the table of mutexes drops the trigger. Such a migration ends with
`migrations.RunPython(create, migrations.RunPython.noop)`; tests/locks/test_fencing.py fails without it.
"""
from __future__ import annotations

VALUES = """
    INSERT INTO locks_holding (mutex_id, transaction_id, revision, acquired_ms, ended_ms, ended, ended_by) VALUES (
        OLD.id, OLD.transaction_id, OLD.revision, OLD.acquired_ms,
        CASE WHEN NEW.counter = 0 THEN NEW.ended_ms ELSE OLD.until_ms END,
        CASE WHEN NEW.counter = 0 THEN NEW.ended ELSE 'expired' END, NEW.ended_by);
"""
OVER = "OLD.counter > 0 AND (NEW.counter = 0 OR NEW.revision <> OLD.revision)"
SQLITE = f"""
CREATE TRIGGER IF NOT EXISTS locks_mutex_history AFTER UPDATE OF counter, revision ON locks_mutex WHEN {OVER}
BEGIN
    {VALUES}
END
"""
POSTGRES = f"""
CREATE OR REPLACE FUNCTION locks_mutex_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {VALUES}
    RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS locks_mutex_history ON locks_mutex;
CREATE TRIGGER locks_mutex_history AFTER UPDATE OF counter, revision ON locks_mutex
    FOR EACH ROW WHEN ({OVER}) EXECUTE FUNCTION locks_mutex_history();
"""


def create(apps, schema_editor) -> None:
    """Make the trigger, unless it is there."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(SQLITE if schema_editor.connection.vendor == "sqlite" else POSTGRES)


def drop(apps, schema_editor) -> None:
    """Remove the trigger."""
    with schema_editor.connection.cursor() as cursor:
        if schema_editor.connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER IF EXISTS locks_mutex_history")
        else:
            cursor.execute("DROP TRIGGER IF EXISTS locks_mutex_history ON locks_mutex")
            cursor.execute("DROP FUNCTION IF EXISTS locks_mutex_history()")
