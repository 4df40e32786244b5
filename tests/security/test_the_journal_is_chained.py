from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, close_old_connections, connection, transaction

from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import chain, journal
from algomirror.ops.models import Journal, JournalSeal
from tests import cast
from tests.cast import FRIDAY

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_rest() -> Iterator[FrozenClock]:
    with clock.use(FrozenClock(FRIDAY)) as frozen:
        assert isinstance(frozen, FrozenClock)
        yield frozen


def written(count: int) -> list[int]:
    made = [
        cast.recorded("order.sent", actor="engine:test", why=f"reason {n}", price=Decimal("104.25"), n=n).pk for n in range(count)
    ]
    return made


def tampered(statement: str) -> None:
    """What somebody with the database's own password could do."""
    if connection.vendor == "sqlite":
        guards = ("ops_journal_no_update", "ops_journalseal_no_update")
        off = [f"DROP TRIGGER IF EXISTS {name}" for name in guards]
    else:
        off = ["ALTER TABLE ops_journal DISABLE TRIGGER USER", "ALTER TABLE ops_journalseal DISABLE TRIGGER USER"]
    with connection.cursor() as cursor:
        for line in [*off, statement]:
            cursor.execute(line)


def test_settled_rows_are_sealed_once_and_fresh_ones_wait(at_rest: FrozenClock) -> None:
    written(3)
    assert chain.seal_all() == 0
    at_rest.advance(3)
    assert (chain.seal_all(), chain.seal_all()) == (3, 0)
    verdict = chain.verify()
    assert verdict.is_intact and (verdict.checked, verdict.unsealed) == (3, 0)


def test_the_chain_grows_over_many_batches(at_rest: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "BATCH", 4)
    written(11)
    at_rest.advance(3)
    while chain.seal(at_most=4):
        pass
    assert chain.verify().checked == 11


@pytest.mark.parametrize(
    "column", ["why = 'another'", "actor = 'user:mallory'", "numbers = '{\"n\": 9}'", "kind = 'x'", "run_id = 9"]
)
def test_one_altered_row_is_found(at_rest: FrozenClock, column: str) -> None:
    rows = written(5)
    at_rest.advance(3)
    chain.seal_all()
    tampered(f"UPDATE ops_journal SET {column} WHERE id = {rows[2]}")
    verdict = chain.verify()
    assert (verdict.broken, verdict.checked) == (rows[2], 2) and "altered" in verdict.why


def test_a_removed_row_is_found_with_and_without_its_seal(at_rest: FrozenClock) -> None:
    rows = written(5)
    at_rest.advance(3)
    chain.seal_all()
    tampered(f"DELETE FROM ops_journal WHERE id = {rows[1]}")
    assert (chain.verify().broken, chain.verify().why) == (rows[1], "This row was removed.")
    tampered(f"DELETE FROM ops_journalseal WHERE journal_id = {rows[1]}")
    assert "a row and its seal were removed" in chain.verify().why


def test_a_cut_or_rewritten_chain_contradicts_the_remembered_link(at_rest: FrozenClock) -> None:
    rows = written(3)
    at_rest.advance(3)
    chain.seal_all()
    remembered = chain.head()
    assert chain.verify(remembered=remembered).is_intact
    tampered(f"DELETE FROM ops_journalseal WHERE journal_id = {rows[2]}")
    assert "cut" in chain.verify(remembered=remembered).why
    tampered(f"UPDATE ops_journal SET why = 'another' WHERE id = {rows[2]}")
    chain.seal_all()
    assert chain.verify().is_intact, "without a memory a rewritten end cannot be seen"
    assert "rewritten" in chain.verify(remembered=remembered).why


def test_a_row_that_no_seal_covers_is_named_after_a_while(at_rest: FrozenClock) -> None:
    written(1)
    at_rest.advance(3)
    chain.seal_all()
    late = Journal.objects.create(at=clock.now(), kind="x", actor="user:mallory", numbers={})
    assert chain.verify().is_intact
    at_rest.advance(timedelta(minutes=16).total_seconds())
    assert (chain.verify().broken, "never sealed" in chain.verify().why) == (late.pk, True)


def test_a_row_that_becomes_visible_late_is_sealed_later(at_rest: FrozenClock) -> None:
    rows = written(3)
    at_rest.advance(3)
    chain.seal_all()
    tampered(f"DELETE FROM ops_journalseal WHERE journal_id = {rows[2]}")
    earlier = Journal.objects.create(
        pk=rows[0] - 1, at=clock.now() - timedelta(seconds=9), kind="x", actor="engine:slow", numbers={}
    )
    assert chain.seal_all() == 2
    assert chain.verify().is_intact
    order = list(JournalSeal.objects.values_list("journal_id", flat=True))
    assert order.index(earlier.pk) > order.index(rows[1])


@pytest.mark.parametrize("statement", ["UPDATE ops_journalseal SET digest = 'x'", "DELETE FROM ops_journalseal"])
def test_the_database_refuses_to_change_seals(at_rest: FrozenClock, statement: str, seals_are_guarded: None) -> None:
    written(1)
    at_rest.advance(3)
    chain.seal_all()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def seals_are_guarded(db: None) -> None:
    if connection.vendor == "sqlite":
        from importlib import import_module

        migration = import_module("algomirror.ops.migrations.0005_seals_are_append_only")
        with connection.cursor() as cursor:
            cursor.execute(migration.SQLITE[1])


@pytest.mark.django_db(transaction=True)
def test_sealers_at_the_same_moment_leave_one_chain(at_rest: FrozenClock) -> None:
    written(40)
    at_rest.advance(3)

    def sealing(_: int) -> int:
        try:
            return sum(chain.seal(at_most=7) for _ in range(8))
        finally:
            close_old_connections()
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        total = sum(pool.map(sealing, range(4)))
    assert total + chain.seal_all() == 40
    assert (chain.verify().checked, chain.verify().is_intact) == (40, True)


def test_the_command_says_intact_or_fails_at_the_row(at_rest: FrozenClock) -> None:
    rows = written(2)
    at_rest.advance(3)
    chain.seal_all()
    out = io.StringIO()
    call_command("verify_journal", stdout=out)
    assert "Intact: 2 rows" in out.getvalue()
    tampered(f"UPDATE ops_journal SET why = 'another' WHERE id = {rows[0]}")
    with pytest.raises(CommandError, match=f"First broken row: {rows[0]}"):
        call_command("verify_journal")


def test_an_act_carries_the_address_it_came_from() -> None:
    with journal.acting_from("10.1.2.3"):
        row = cast.recorded("x", actor="user:alice")
    row.refresh_from_db()
    assert row.from_address == "10.1.2.3" and cast.recorded("y", actor="engine:x").from_address is None
