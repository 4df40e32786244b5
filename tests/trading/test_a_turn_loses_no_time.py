"""Between two looks at an account its worker rests, but never while the next read is due, or a person asks for an exit."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from algomirror.ops import queue
from tests.trading.desk import Desk, a_desk
from trading.models import Book
from trading.services import work

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk() -> Iterator[Desk]:
    with a_desk() as desk:
        desk.poll()
        yield desk


def _turn(desk: Desk, said: list[str]) -> None:
    """One turn; rests and calls of the wire in their order."""

    def rest(seconds: float) -> None:
        if seconds:
            said.append("rest")
        desk.advance(seconds)

    desk.side.after_dispatch = lambda _, endpoint: said.append(endpoint)
    work.account(desk.accounts[0].pk, sleep=rest)


def test_a_read_that_became_due_while_orders_went_out_waits_for_no_rest(desk: Desk) -> None:
    desk.open(desk.line(1, "BUY", "CE"))
    desk.advance(5.0)
    said: list[str] = []
    _turn(desk, said)
    placed = said.index("placeorder")
    assert said[placed + 1] == "orderbook", said
    assert said.count("orderbook") <= 4, "each read puts the next one off"


def test_an_exit_asked_for_during_a_rest_goes_out_before_the_next_read(desk: Desk) -> None:
    slow, book = desk.open(desk.line(1, "BUY", "PE")), desk.open(desk.line(1, "BUY", "CE"))
    desk.settle()
    desk.fault("slow_fill", seconds=6.0)
    desk.exit(slow)
    said: list[str] = []

    def rest(seconds: float) -> None:
        if "asked" not in said and "placeorder" in said:
            said.append("asked")
            desk.exit(book)
            # Whoever woke the account found it at work and left a note.
            queue.client().set(f"am:again:{desk.accounts[0].pk}", 1)
            seconds = 2.0
        desk.advance(seconds)

    desk.side.after_dispatch = lambda _, endpoint: said.append(endpoint)
    work.account(desk.accounts[0].pk, sleep=rest)
    assert said[said.index("asked") + 1] == "placeorder", said
    desk.side.after_dispatch = None
    desk.settle()
    assert desk.state(book) == Book.State.FLAT
