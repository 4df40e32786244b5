"""What an act gathers of orders is written in a few statements at its end, or, where one row has moved, not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from decimal import Decimal

import pytest
from django.db import transaction

from algomirror.ops import journal
from algomirror.ops.models import Journal
from tests.trading.desk import LOT, Desk, a_desk
from trading.domain import reconcile as truth
from trading.domain.orders import OrderState
from trading.models import Book, Fill, Order, Position
from trading.services import apply, submit, together

S = OrderState


@pytest.fixture
def desk(db: None) -> Iterator[Desk]:
    """Rows are moved by hand here, past all rules: what the broker knows is not asked at the end."""
    with a_desk("sandbox") as found:
        yield found


@pytest.fixture
def book(desk: Desk) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE"), desk.line(2, "BUY", "PE"))
    desk.poll()
    return book


def rows(book: Book) -> list[Order]:
    return list(Order.objects.select_related("book", "account").filter(book=book).order_by("id"))


def test_one_row_that_moved_takes_all_of_it_back(book: Book) -> None:
    known = rows(book)
    Order.objects.filter(pk=known[1].pk).update(state="DENIED")
    before = Journal.objects.count()
    with pytest.raises(together.Outrun), transaction.atomic(), journal.together(), together.written():
        for order in known:
            assert apply.move(order, S.SUBMITTED, why="", is_claimed=True)
    assert [o.state for o in rows(book)] == ["INITIALIZED", "DENIED"]
    assert Journal.objects.count() == before


def test_a_row_that_filled_behind_its_back_does_so_too(book: Book) -> None:
    known = rows(book)
    Order.objects.filter(book=book).update(state="ACCEPTED")
    for order in known:
        order.state = "ACCEPTED"
    Order.objects.filter(pk=known[0].pk).update(filled_units=known[0].units)
    with pytest.raises(together.Outrun), transaction.atomic(), together.written():
        for order in known:
            apply.fill(order, "1", cumulative_units=order.units, cumulative_value=Decimal(1), is_claimed=True)
    assert not Fill.objects.exists()
    assert not Position.objects.exists()


def test_a_claim_of_two_of_which_one_is_gone_sends_neither(desk: Desk, book: Book) -> None:
    known = rows(book)
    Order.objects.filter(pk=known[1].pk).update(state="DENIED")
    assert submit.entries(known[0].book, known) is False
    assert [o.state for o in rows(book)] == ["INITIALIZED", "DENIED"]
    assert desk.placed("CE") == desk.placed("PE") == []


def _news(book: Book) -> None:
    """Two fills of one instrument, then its end; a part of the other."""
    first, second = rows(book)
    apply.fill(first, "1", cumulative_units=25, cumulative_value=Decimal("2502.50"), is_claimed=True)
    apply.fill(first, "1", cumulative_units=LOT, cumulative_value=Decimal("6510.75"), is_claimed=True)
    apply.move(first, S.FILLED, why="", is_claimed=True)
    apply.move(second, S.PARTIALLY_FILLED, why="", is_claimed=True)
    apply.fill(second, "2", cumulative_units=25, cumulative_value=Decimal("2250"), is_claimed=True)


def _all(book: Book) -> list[object]:
    kept = ("state", "filled_units", "filled_value", "finished_at", "acknowledged_at")
    return [
        list(book.orders.order_by("id").values_list("leg", *kept)),
        list(Fill.objects.filter(book=book).order_by("id").values_list("leg", "units", "value", "cumulative_units")),
        list(Position.objects.filter(book=book).order_by("leg").values_list("leg", *together.NET)),
        list(Journal.objects.filter(book_id=book.pk).order_by("id").values_list("kind", "moved_from", "moved_to", "numbers")),
    ]


def test_what_is_gathered_is_what_one_by_one_writes(desk: Desk, book: Book) -> None:
    """Also where a position is there already."""
    book.orders.update(state="ACCEPTED")
    held = Position(book=book, exchange="NFO", symbol=desk.symbols["PE"], product="NRML", leg=2, units=LOT, open_value=5850)
    held.save()
    written = []
    for gather in (nullcontext, together.written):
        with transaction.atomic():
            with gather():
                _news(book)
            written.append(_all(book))
            transaction.set_rollback(True)
    assert written[0] == written[1]
    assert [len(kind) for kind in written[0]] == [2, 3, 2, 6]


def test_what_a_poll_proved_of_the_others_holds_where_one_has_moved_behind_its_back(book: Book) -> None:
    book.orders.update(state="ACCEPTED", broker_order_id="")
    known = {order.pk: order for order in rows(book)}
    first, second = known
    Order.objects.filter(pk=second).update(state="REJECTED")
    found = [truth.Move(first, S.CANCELED, "a test"), truth.Move(second, S.CANCELED, "a test")]
    mirrored = list[int]()
    assert apply.changes(book.account_id, found, known, mirrored=lambda: mirrored.append(1)) >= 1
    assert rows(book)[0].state == "CANCELED"
    assert mirrored == [1, 1], "what the broker showed is kept although the first try was taken back"


def test_an_error_inside_leaves_everything_unwritten(book: Book) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic(), together.written():
        apply.move(rows(book)[0], S.SUBMITTED, why="", is_claimed=True)
        raise ZeroDivisionError
    assert {o.state for o in rows(book)} == {"INITIALIZED"}
    # Nothing of it is left over for the next.
    assert apply.move(rows(book)[0], S.SUBMITTED, why="")
    assert [o.state for o in rows(book)] == ["SUBMITTED", "INITIALIZED"]
