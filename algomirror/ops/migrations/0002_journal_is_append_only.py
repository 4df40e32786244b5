"""The database itself refuses to change or delete a row of the journal."""

from django.db import migrations

SQLITE = [
    """
    CREATE TRIGGER ops_journal_no_update BEFORE UPDATE ON ops_journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    """
    CREATE TRIGGER ops_journal_no_delete BEFORE DELETE ON ops_journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
]
SQLITE_BACK = ["DROP TRIGGER IF EXISTS ops_journal_no_update", "DROP TRIGGER IF EXISTS ops_journal_no_delete"]

POSTGRES = [
    """
    CREATE FUNCTION ops_journal_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$
    """,
    """
    CREATE TRIGGER ops_journal_append_only BEFORE UPDATE OR DELETE ON ops_journal
    FOR EACH ROW EXECUTE FUNCTION ops_journal_refuse()
    """,
]
POSTGRES_BACK = ["DROP TRIGGER IF EXISTS ops_journal_append_only ON ops_journal", "DROP FUNCTION IF EXISTS ops_journal_refuse()"]


def protect(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRES})


def release(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE_BACK, "postgresql": POSTGRES_BACK})


def run(schema_editor, statements):
    for statement in statements.get(schema_editor.connection.vendor, []):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("ops", "0001_initial")]
    operations = [migrations.RunPython(protect, release)]
