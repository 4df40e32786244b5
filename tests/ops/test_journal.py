from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext

from algomirror.ops import journal
from algomirror.ops.models import Journal
from tests import cast

pytestmark = pytest.mark.django_db


def test_it_keeps_the_exact_numbers_of_a_decision() -> None:
    at = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
    row = cast.recorded(
        "run.tripped", actor="engine:test", loss=Decimal("-5012.50"), seen={"at": at, "days": [date(2026, 11, 20)]}, missing=None
    )
    row.refresh_from_db()
    assert row.numbers == {
        "loss": "-5012.50",
        "seen": {"at": "2026-11-20T04:00:00+00:00", "days": ["2026-11-20"]},
        "missing": None,
    }


def test_rows_cannot_be_changed_or_deleted_through_the_model() -> None:
    row = cast.recorded("x", actor="test")
    with pytest.raises(TypeError):
        row.delete()
    with pytest.raises(TypeError):
        Journal.objects.update(why="another reason")
    with pytest.raises(TypeError):
        Journal.objects.filter(pk=row.pk).delete()


@pytest.mark.parametrize("statement", ["UPDATE ops_journal SET why = 'another reason'", "DELETE FROM ops_journal"])
def test_the_database_refuses_to_change_or_delete_rows(statement: str, journal_is_guarded: None) -> None:
    journal.record("x", actor="test", why="the reason")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Journal.objects.get().why == "the reason"


def test_saving_a_row_again_is_refused(journal_is_guarded: None) -> None:
    row = cast.recorded("x", actor="test", why="the reason")
    row.why = "another reason"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        row.save()


def test_a_decision_that_is_rolled_back_leaves_no_row() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        journal.record("x", actor="test")
        _ = 1 / 0
    assert not Journal.objects.exists()


def recorded() -> list[str]:
    return list(Journal.objects.order_by("id").values_list("kind", flat=True))


def test_what_is_recorded_together_is_written_in_its_order_at_the_end() -> None:
    with transaction.atomic():
        with journal.together():
            for n in range(3):
                journal.record(f"r{n}", actor="test", numbers_of=Decimal("1.50"), account_id=n)
            assert recorded() == []
        assert recorded() == ["r0", "r1", "r2"]
    assert list(Journal.objects.order_by("id").values_list("account_id", "numbers")) == [
        (n, {"numbers_of": "1.50"}) for n in range(3)
    ]


def test_an_error_leaves_nothing_of_what_was_recorded_together() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic(), journal.together():
        journal.record("x", actor="test")
        _ = 1 / 0
    assert recorded() == []
    journal.record("later", actor="test")
    assert recorded() == ["later"]


def test_what_an_inner_block_recorded_goes_with_it_and_the_outer_rows_stay() -> None:
    with transaction.atomic(), journal.together():
        journal.record("outer", actor="test")
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            journal.record("taken back", actor="test")
            _ = 1 / 0
        with transaction.atomic():
            journal.record("inner", actor="test")
    assert sorted(recorded()) == ["inner", "outer"]


def test_nothing_recorded_writes_nothing() -> None:
    with CaptureQueriesContext(connection) as asked, journal.together():
        pass
    assert not asked.captured_queries


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_nothing_is_recorded_together() -> None:
    with pytest.raises(RuntimeError, match="inside a transaction"), journal.together():
        journal.record("x", actor="test")
    assert recorded() == []
