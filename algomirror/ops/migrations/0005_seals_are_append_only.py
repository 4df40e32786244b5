"""A seal that could be rewritten would seal nothing: the database refuses, as it does for the journal itself."""

from django.db import migrations

SQLITE = [
    """
    CREATE TRIGGER ops_journalseal_no_update BEFORE UPDATE ON ops_journalseal
    BEGIN SELECT RAISE(ABORT, 'the seals are append-only'); END
    """,
    """
    CREATE TRIGGER ops_journalseal_no_delete BEFORE DELETE ON ops_journalseal
    BEGIN SELECT RAISE(ABORT, 'the seals are append-only'); END
    """,
]
SQLITE_BACK = [
    "DROP TRIGGER IF EXISTS ops_journalseal_no_update",
    "DROP TRIGGER IF EXISTS ops_journalseal_no_delete",
]
# The function is that of 0002.
POSTGRES = [
    """
    CREATE TRIGGER ops_journalseal_append_only BEFORE UPDATE OR DELETE ON ops_journalseal
    FOR EACH ROW EXECUTE FUNCTION ops_journal_refuse()
    """,
]
POSTGRES_BACK = ["DROP TRIGGER IF EXISTS ops_journalseal_append_only ON ops_journalseal"]


def protect(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRES})


def release(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE_BACK, "postgresql": POSTGRES_BACK})


def run(schema_editor, statements):
    for statement in statements.get(schema_editor.connection.vendor, []):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("ops", "0004_journal_chain")]
    operations = [migrations.RunPython(protect, release)]
