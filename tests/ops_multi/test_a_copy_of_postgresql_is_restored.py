"""The drill on PostgreSQL with its own programs: pg_dump of one database, pg_restore into an empty one, by our commands."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests import apart
from tests.e2e.house import ROOT
from tests.environment import postgres_programs, start_postgres, start_redis

# The night's drill, which the suite runs on both databases, does the same with less to look at.
pytestmark = [pytest.mark.processes, pytest.mark.soak]

FILL = """
from django.core.management import call_command
call_command("migrate", verbosity=0, interactive=False)
from algomirror.kernel import clock
from algomirror.ops import chain, journal
from tests import cast
run = cast.run()
book = cast.book(cast.account(), run)
cast.position(book, price="104.00")
cast.order(book, state="SUBMITTED", action="BUY", symbol=cast.PUT)
cast.order(book, state="INITIALIZED", symbol=cast.HEDGE_CALL)
journal.record("x.y", actor="user:alice", why="₹1,23,456 and 'quotes'")
chain.SETTLED = clock.now() - clock.now()
print(chain.seal_all(), chain.head())
"""
LEDGER = ("trading_fill", "trading_position", "ops_journalseal", "accounts_user", "accounts_account")


class Server:
    def __init__(self, var: Path) -> None:
        self.server = start_postgres().rpartition("/")[0]
        self.env = apart.environment(var, REDIS_URL=start_redis(), POSTGRES_BIN=str(postgres_programs()))

    def manage(self, database: str, *arguments: str, fails: bool = False) -> str:
        env = {**self.env, "DATABASE_URL": f"{self.server}/{database}"}
        line = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(line, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
        assert (done.returncode != 0) is fails, done.stderr[-2000:]
        return done.stderr if fails else done.stdout

    def rows(self, database: str, table: str) -> list[tuple[object, ...]]:
        with psycopg.connect(f"{self.server}/{database}") as db:
            return db.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()  # type: ignore[call-overload, no-any-return]

    def empty(self, database: str) -> None:
        with psycopg.connect(f"{self.server}/postgres", autocommit=True) as db:
            db.execute(f"CREATE DATABASE {database}")  # type: ignore[arg-type]


def test_ledger_and_audit_chain_come_back_whole_and_nothing_goes_out_by_itself(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.empty("last_night")
    server.empty("this_morning")
    sealed, head = server.manage("last_night", "shell", "-v", "0", "-c", FILL).split()
    copy = server.manage("last_night", "backup", "--to", str(tmp_path / "copies")).split(" (")[0].strip()
    assert copy.endswith(".pgdump") and Path(copy).stat().st_size > 10_000

    assert "Entries are off" in server.manage("this_morning", "restore", copy)
    for table in LEDGER:
        assert server.rows("this_morning", table) == server.rows("last_night", table), table
        assert server.rows("this_morning", table), f"{table} was empty, which proves nothing"
    assert f"Intact: {sealed} rows" in server.manage("this_morning", "verify_journal", "--remembered", head)
    with psycopg.connect(f"{server.server}/this_morning") as db:
        states = [state for (state,) in db.execute("SELECT state FROM trading_order ORDER BY id")]
        assert states[1:] == ["UNKNOWN", "DENIED"]
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            db.execute("DELETE FROM ops_journal")
    assert "not empty" in server.manage("this_morning", "restore", copy, fails=True)

    with Path(copy).open("r+b") as file:
        file.seek(5_000)
        file.write(b"\x00broken")
    assert "changed since it was taken" in server.manage("this_morning", "restore", copy, "--replace", fails=True)
