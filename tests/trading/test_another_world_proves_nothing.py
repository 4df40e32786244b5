"""The server's analyzer switch was flipped by somebody: what it says now is about other money."""

from __future__ import annotations

from accounts.models import BrokerRead
from tests.trading import hooks
from tests.trading.desk import LOT, Desk


def _flip(desk: Desk) -> None:
    server = desk.world.accounts[0]
    server.analyze = not server.analyze


def test_its_books_change_nothing_and_halt_the_account(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.run(2)
    before = dict(BrokerRead.objects.values_list("kind", "sequence"))
    _flip(desk)
    desk.run(12)
    assert dict(BrokerRead.objects.values_list("kind", "sequence")) == before
    assert desk.accounts[0].pk in hooks.halted
    assert (desk.state(book), desk.owned(book, "CE")) == ("OPEN", LOT)


def test_an_order_in_doubt_does_not_lapse_on_them(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.fault("timeout_after_accept")
    desk.side.after_dispatch = lambda account, endpoint: _flip(desk) if endpoint == "placeorder" else None
    desk.step()
    desk.side.after_dispatch = None
    desk.run(30)
    assert desk.orders(book)[0].state == "UNKNOWN"
    _flip(desk)
    desk.run(5)
    assert desk.owned(book, "CE") == LOT


def test_an_exit_does_not_take_them_for_a_missing_position(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    _flip(desk)
    desk.advance(6)
    desk.poll()
    _flip(desk)
    desk.exit(book)
    desk.run(10)
    assert (desk.state(book), desk.net("CE")) == ("EXITING", LOT), "halted: nothing but cancels goes out"
    hooks.halted.clear()  # a person looked and released it
    assert desk.settle(seconds=10)
    assert (desk.state(book), desk.net("CE")) == ("FLAT", 0)


def test_an_order_that_lands_there_halts_the_account(desk: Desk) -> None:
    desk.open(desk.line(1, "BUY", "CE"))
    desk.fault("mode_flip")
    desk.run(5)
    assert desk.accounts[0].pk in hooks.halted
    book = desk.open(desk.line(1, "BUY", "PE"))
    desk.run(5)
    assert len(desk.placed()) == 1
    assert desk.orders(book)[0].state == "DENIED"
