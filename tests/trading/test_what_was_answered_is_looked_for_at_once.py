"""Orders that were sent and answered are asked for without a pause; a read that fails is not repeated without one."""

from __future__ import annotations

from tests.trading.desk import Desk
from trading.services import enter, glance


def sent(desk: Desk) -> glance.Glance:
    """Two orders left a twentieth of a second after the books were read, and the moment is a little later."""
    book = desk.strangle()
    desk.poll()
    desk.advance(0.05)
    enter.drive(book.pk)
    desk.advance(0.01)
    return glance.at(desk.accounts[0].pk)


def test_answered_orders_are_looked_for_at_once(desk: Desk) -> None:
    assert sent(desk).read_due_in() <= 0


def test_an_order_whose_reply_was_lost_is_looked_for_at_once(desk: Desk) -> None:
    desk.fault("timeout_after_accept", count=2)
    seen = sent(desk)
    assert "UNKNOWN" in {o.state for o in seen.orders}
    assert seen.read_due_in() <= 0


def test_a_read_that_failed_since_is_not_repeated_without_a_pause(desk: Desk) -> None:
    account = desk.accounts[0].pk
    sent(desk)
    desk.fault("broken_body", endpoint="orderbook")
    desk.poll()
    desk.advance(0.01)
    assert 0 < glance.at(account).read_due_in() <= glance.EAGER_POLL_S


def test_a_read_that_shows_them_puts_the_next_one_off(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", 65, limit="97"), until_s=600)
    desk.poll()
    desk.advance(0.05)
    enter.drive(book.pk)
    desk.advance(0.01)
    desk.poll()
    desk.advance(0.01)
    assert glance.at(desk.accounts[0].pk).read_due_in() > glance.EAGER_POLL_S
