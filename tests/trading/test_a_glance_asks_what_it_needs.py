"""What most looks at an account do without is not asked, and what is asked is of this look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from algomirror.kernel import clock
from algomirror.ops.prepared import Prepared
from tests.trading.desk import Desk, asking_ahead
from trading.domain.orders import OrderState
from trading.models import Book, Order
from trading.services import glance, work

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The prepared questions of a glance, as they are asked."""
    found: list[Any] = []
    ask = Prepared.__call__

    def noted(self: Any, *values: Any) -> Any:
        found.append(self)
        return ask(self, *values)

    monkeypatch.setattr(Prepared, "__call__", noted)
    return found


def test_a_glance_alone_asks_four_small_questions(paper: Desk, asked: list[Any]) -> None:
    glance.at(paper.accounts[0].pk)
    assert asked == [glance._reads, glance._seen, glance._goals, glance._holding]


def test_what_ended_lately_is_asked_once_in_a_glance_and_anew_in_the_next(paper: Desk, asked: list[Any]) -> None:
    paper.poll()
    book = paper.open(paper.line(1, "BUY", "CE"))
    seen = glance.at(paper.accounts[0].pk)
    asked.clear()
    assert seen.ended_lately() is False and seen.read_due_in() == seen.read_due_in()
    assert asked == [glance._ended_lately]
    Order.objects.filter(book=book).update(state=OrderState.REJECTED, finished_at=clock.now())
    assert glance.later(seen).ended_lately() is True
    assert glance.again(seen).ended_lately() is True
    paper.advance(glance.DOUBTED_FOR.total_seconds() + 1)
    assert glance.later(seen).ended_lately() is False, "so long after it is doubted no more"


def test_a_pass_whose_orders_are_asked_for_ahead_asks_neither_which_runs_rest_nor_what_ended(
    paper: Desk, asked: list[Any]
) -> None:
    paper.poll()
    paper.open(paper.line(1, "BUY", "CE"))
    with asking_ahead():
        asked.clear()
        is_busy, seen = work._pass(paper.accounts[0].pk)
        assert is_busy and glance._open_runs not in asked
        assert asked.count(glance._ended_lately) == 1, "whether a read is due, while nothing works"
        asked.clear()
        work._pass(paper.accounts[0].pk, seen)
        assert glance._ended_lately not in asked, "the books are asked for already"


def test_goals_are_the_oldest_first(paper: Desk) -> None:
    books = [paper.open(paper.line(1, "BUY", name)) for name in ("CE", "PE")]
    paper.settle()
    goals = [paper.exit(book) for book in reversed(books)]
    assert glance.at(paper.accounts[0].pk).goals == sorted(goal.pk for goal in goals if goal is not None)
    assert len(glance.at(paper.accounts[0].pk).goals) == 2


def test_two_positions_of_a_closed_book_are_one_closed_book(paper: Desk) -> None:
    book = paper.strangle()
    paper.settle()
    assert len(glance.at(paper.accounts[0].pk).holding) > 1
    Book.objects.filter(pk=book.pk).update(state=Book.State.FLAT)
    try:
        assert glance.at(paper.accounts[0].pk).closed_books_with_something == [book.pk]
    finally:
        Book.objects.filter(pk=book.pk).update(state=Book.State.OPEN)


def test_the_time_of_a_later_look_is_its_own(paper: Desk) -> None:
    seen = glance.at(paper.accounts[0].pk)
    paper.advance(2.0)
    assert glance.later(seen).at - seen.at == timedelta(seconds=2)


def test_what_is_live_and_what_follows_its_price_are_seen_together(paper: Desk) -> None:
    paper.poll()
    paper.advance(0.05)
    names = ("CE", "PE")
    book = paper.open(*(paper.line(leg, "BUY", name) for leg, name in enumerate(names, 1)))
    first, second = paper.orders(book)
    at = clock.now()
    Order.objects.filter(pk=first.pk).update(state=OrderState.CANCELED, follows_price=True, finished_at=at, sent_at=at)
    seen = {order.order_id: order for order in glance.at(book.account_id).orders}
    assert [seen[pk].state for pk in (first.pk, second.pk)] == ["CANCELED", "INITIALIZED"]
    assert (seen[first.pk].sent_at, seen[second.pk].sent_at) == (at, None)
    assert seen[first.pk].wants_more is True and seen[second.pk].wants_more is False
    paper.advance(glance.GIVEN_UP_IN.total_seconds())
    assert [order.order_id for order in glance.at(book.account_id).orders] == [second.pk]
