"""Journal and seals stay append-only, but for what lies at or before a checkpoint and is older than a year."""

from django.db import migrations

SQLITE = [
    "DROP TRIGGER IF EXISTS ops_journal_no_delete",
    """
    CREATE TRIGGER ops_journal_no_delete BEFORE DELETE ON ops_journal
    WHEN OLD.at > datetime('now', '-365 days') OR NOT EXISTS (
      SELECT 1 FROM ops_journalseal s WHERE s.journal_id = OLD.id
      AND s.position <= (SELECT MAX(position) FROM ops_journalcheckpoint)
    )
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
    "DROP TRIGGER IF EXISTS ops_journalseal_no_delete",
    """
    CREATE TRIGGER ops_journalseal_no_delete BEFORE DELETE ON ops_journalseal
    WHEN OLD.position > COALESCE((SELECT MAX(position) FROM ops_journalcheckpoint), 0)
    BEGIN SELECT RAISE(ABORT, 'the seals are append-only'); END
    """,
    """
    CREATE TRIGGER ops_journalcheckpoint_no_update BEFORE UPDATE ON ops_journalcheckpoint
    BEGIN SELECT RAISE(ABORT, 'the checkpoints are append-only'); END
    """,
    """
    CREATE TRIGGER ops_journalcheckpoint_no_delete BEFORE DELETE ON ops_journalcheckpoint
    BEGIN SELECT RAISE(ABORT, 'the checkpoints are append-only'); END
    """,
]
SQLITE_BACK = [
    "DROP TRIGGER IF EXISTS ops_journalcheckpoint_no_update",
    "DROP TRIGGER IF EXISTS ops_journalcheckpoint_no_delete",
    "DROP TRIGGER IF EXISTS ops_journalseal_no_delete",
    """
    CREATE TRIGGER ops_journalseal_no_delete BEFORE DELETE ON ops_journalseal
    BEGIN SELECT RAISE(ABORT, 'the seals are append-only'); END
    """,
    "DROP TRIGGER IF EXISTS ops_journal_no_delete",
    """
    CREATE TRIGGER ops_journal_no_delete BEFORE DELETE ON ops_journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
    """,
]
# The function that refuses is that of 0002.
POSTGRES = [
    "DROP TRIGGER IF EXISTS ops_journal_append_only ON ops_journal",
    "CREATE TRIGGER ops_journal_append_only BEFORE UPDATE ON ops_journal FOR EACH ROW EXECUTE FUNCTION ops_journal_refuse()",
    """
    CREATE FUNCTION ops_journal_let_go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF OLD.at <= now() - interval '365 days' AND EXISTS (
        SELECT 1 FROM ops_journalseal s WHERE s.journal_id = OLD.id
        AND s.position <= (SELECT MAX(position) FROM ops_journalcheckpoint)
      ) THEN RETURN OLD; END IF;
      RAISE EXCEPTION 'the journal is append-only' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    "CREATE TRIGGER ops_journal_let_go BEFORE DELETE ON ops_journal FOR EACH ROW EXECUTE FUNCTION ops_journal_let_go()",
    "DROP TRIGGER IF EXISTS ops_journalseal_append_only ON ops_journalseal",
    "CREATE TRIGGER ops_journalseal_append_only BEFORE UPDATE ON ops_journalseal FOR EACH ROW EXECUTE FUNCTION ops_journal_refuse()",
    """
    CREATE FUNCTION ops_journalseal_let_go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF OLD.position <= COALESCE((SELECT MAX(position) FROM ops_journalcheckpoint), 0) THEN RETURN OLD; END IF;
      RAISE EXCEPTION 'the seals are append-only' USING ERRCODE = 'integrity_constraint_violation';
    END $$
    """,
    "CREATE TRIGGER ops_journalseal_let_go BEFORE DELETE ON ops_journalseal FOR EACH ROW EXECUTE FUNCTION ops_journalseal_let_go()",
    """
    CREATE TRIGGER ops_journalcheckpoint_append_only BEFORE UPDATE OR DELETE ON ops_journalcheckpoint
    FOR EACH ROW EXECUTE FUNCTION ops_journal_refuse()
    """,
]
POSTGRES_BACK = [
    "DROP TRIGGER IF EXISTS ops_journalcheckpoint_append_only ON ops_journalcheckpoint",
    "DROP TRIGGER IF EXISTS ops_journalseal_let_go ON ops_journalseal",
    "DROP FUNCTION IF EXISTS ops_journalseal_let_go()",
    "DROP TRIGGER IF EXISTS ops_journalseal_append_only ON ops_journalseal",
    """
    CREATE TRIGGER ops_journalseal_append_only BEFORE UPDATE OR DELETE ON ops_journalseal
    FOR EACH ROW EXECUTE FUNCTION ops_journal_refuse()
    """,
    "DROP TRIGGER IF EXISTS ops_journal_let_go ON ops_journal",
    "DROP FUNCTION IF EXISTS ops_journal_let_go()",
    "DROP TRIGGER IF EXISTS ops_journal_append_only ON ops_journal",
    """
    CREATE TRIGGER ops_journal_append_only BEFORE UPDATE OR DELETE ON ops_journal
    FOR EACH ROW EXECUTE FUNCTION ops_journal_refuse()
    """,
]


def loosen(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRES})


def tighten(apps, schema_editor):
    run(schema_editor, {"sqlite": SQLITE_BACK, "postgresql": POSTGRES_BACK})


def run(schema_editor, statements):
    for statement in statements.get(schema_editor.connection.vendor, []):
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    dependencies = [("ops", "0008_snooze_and_checkpoints")]
    operations = [migrations.RunPython(loosen, tighten)]
