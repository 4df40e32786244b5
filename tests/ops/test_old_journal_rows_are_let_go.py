from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import chain, retention, tasks
from algomirror.ops.models import Alarm, Journal, JournalCheckpoint, JournalSeal
from tests import cast
from tests.cast import FRIDAY
from tests.security.test_the_journal_is_chained import tampered

pytestmark = pytest.mark.django_db
KEPT = timedelta(days=1_827)
YEARS_AGO = FRIDAY - timedelta(days=2_000)


@pytest.fixture(autouse=True)
def now() -> Iterator[FrozenClock]:
    with clock.use(FrozenClock(YEARS_AGO)) as frozen:
        assert isinstance(frozen, FrozenClock)
        yield frozen


def history(now: FrozenClock, *, old: int = 5, young: int = 3) -> list[int]:
    """Rows of long ago and of today, all sealed."""
    made = []
    for count, at in ((old, YEARS_AGO), (young, FRIDAY)):
        now.set(at)
        made += [cast.recorded("x.y", actor="user:alice", why=f"reason {n}").pk for n in range(count)]
        now.advance(3)
        chain.seal_all()
    return made


def test_old_rows_go_behind_a_checkpoint_and_the_chain_stays_whole(now: FrozenClock, journal_is_guarded: None) -> None:
    rows = history(now)
    noted = chain.head()
    assert retention.let_go(kept=KEPT) == 5
    assert set(Journal.objects.filter(kind="x.y").values_list("pk", flat=True)) == set(rows[5:])
    point = JournalCheckpoint.objects.get()
    said = Journal.objects.get(kind=retention.LET_GO)
    assert (said.numbers["position"], said.numbers["digest"], said.numbers["rows"]) == (5, point.digest, 5)
    now.advance(3)
    chain.seal_all()
    verdict = chain.verify(remembered=noted)
    assert verdict.is_intact, verdict.why
    assert verdict.checked == 4
    assert retention.let_go(kept=KEPT) == 0


def test_what_is_kept_is_still_proven(now: FrozenClock) -> None:
    rows = history(now)
    retention.let_go(kept=KEPT)
    tampered(f"UPDATE ops_journal SET why = 'another' WHERE id = {rows[6]}")
    verdict = chain.verify()
    assert verdict.broken == rows[6] and "altered" in verdict.why


def test_it_goes_on_when_everything_was_old(now: FrozenClock) -> None:
    history(now, old=4, young=0)
    now.set(FRIDAY)
    retention.let_go(kept=KEPT)
    now.advance(3)
    assert chain.seal_all() == 1
    assert JournalSeal.objects.get().position == 5
    assert chain.verify().is_intact


def test_it_lets_go_bit_by_bit_and_keeps_every_checkpoint(now: FrozenClock) -> None:
    history(now)
    noted = ""
    for expected in (2, 2, 1, 0):
        assert retention.let_go(kept=KEPT, at_most=2) == expected
        noted = noted or "{}:{}".format(*chain.begins())
    assert list(JournalCheckpoint.objects.values_list("position", flat=True)) == [2, 4, 5]
    assert chain.verify(remembered=noted).is_intact
    position, digest = noted.split(":")
    assert "rewritten" in chain.verify(remembered=f"{position}:{digest[::-1]}").why
    assert "older than what is kept" in chain.verify(remembered=f"1:{digest}").why


def test_rows_that_do_not_fit_their_seals_are_kept_and_it_rings(now: FrozenClock) -> None:
    rows = history(now)
    tampered(f"UPDATE ops_journal SET why = 'another' WHERE id = {rows[1]}")
    assert retention.let_go(kept=KEPT) == 0
    assert Journal.objects.filter(pk__in=rows).count() == len(rows)
    assert "does not fit its seal" in Alarm.objects.get(kind="JOURNAL_BROKEN").text


def _deleted(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_the_database_lets_nothing_go_that_no_checkpoint_covers(now: FrozenClock, journal_is_guarded: None) -> None:
    rows = history(now)
    for table in ("ops_journal", "ops_journalseal"):
        with pytest.raises(DatabaseError):
            _deleted(f"DELETE FROM {table} WHERE id = (SELECT MIN(id) FROM {table})")
    retention.let_go(kept=KEPT)
    with pytest.raises(DatabaseError):
        _deleted("DELETE FROM ops_journal WHERE id = %s", rows[5])
    for statement in ("DELETE FROM ops_journalcheckpoint", "UPDATE ops_journalcheckpoint SET digest = 'x'"):
        with pytest.raises(DatabaseError):
            _deleted(statement)


def test_a_young_row_stays_whatever_checkpoint_stands(now: FrozenClock, journal_is_guarded: None) -> None:
    rows = history(now, old=0, young=3)
    position, digest = chain.begins()[0] + 3, JournalSeal.objects.get(position=3).digest
    JournalCheckpoint.objects.create(at=FRIDAY, position=position, digest=digest, last_row_at=FRIDAY, rows=3)
    with pytest.raises(DatabaseError):
        _deleted("DELETE FROM ops_journal WHERE id = %s", rows[0])
    assert "does not say that rows" in chain.verify().why


def test_the_setting_decides_and_the_hourly_task_does_it(now: FrozenClock, settings: Any) -> None:
    history(now)
    settings.JOURNAL_KEPT_DAYS = 5_000
    tasks.prune()
    assert not JournalCheckpoint.objects.exists()
    settings.JOURNAL_KEPT_DAYS = 1_827
    tasks.prune()
    assert JournalCheckpoint.objects.get().rows == 5
    out = io.StringIO()
    call_command("verify_journal", stdout=out)
    assert "Intact" in out.getvalue()
    with pytest.raises(CommandError, match="older than what is kept"):
        call_command("verify_journal", "--remembered", f"1:{'0' * 64}")


@pytest.mark.parametrize("slip", ["nonsense", "7", f"x:{'0' * 64}", "1:abc", f"1:{'0' * 63}g", f"{'9' * 30}:{'0' * 64}"])
def test_a_slip_in_copying_a_head_is_no_proof(now: FrozenClock, slip: str) -> None:
    history(now)
    with pytest.raises(CommandError, match="POSITION:DIGEST"):
        call_command("verify_journal", "--remembered", slip)
