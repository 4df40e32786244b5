"""An answer that never came: one order at the broker at most, found by the books, or given up with a person told."""

from __future__ import annotations

import pytest

from simulator.orders import FINAL
from tests.trading import hooks, truth
from tests.trading.desk import LOT, Desk
from trading.models import Book
from trading.services import outside

HIDDEN = ["timeout_after_accept", "lost_reply", "broken_body", "no_order_id"]
NEVER_THERE = ["timeout_before_accept", "drop_before"]


def _owned(desk: Desk, units: int = LOT) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE", units))
    desk.run_until(lambda: desk.owned(book, "CE") == units)
    desk.run(2)
    return book


@pytest.mark.parametrize("fault", HIDDEN)
def test_an_entry_whose_answer_was_lost_is_found_and_not_sent_again(desk: Desk, fault: str) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.fault(fault)
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    assert len(desk.placed("CE")) == 1
    assert "LATE_ORDER" not in desk.alarms()


@pytest.mark.parametrize("fault", HIDDEN)
def test_an_exit_whose_answer_was_lost_is_found_and_not_sent_again(desk: Desk, fault: str) -> None:
    book = _owned(desk)
    desk.fault(fault, endpoint="placeorder")
    desk.exit(book)
    assert desk.settle()
    assert len([o for o in desk.placed("CE", action="SELL") if o.filled]) == 1
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_after_acceptance_is_no_refusal(desk: Desk, status: int) -> None:
    book = _owned(desk)
    desk.fault("http_5xx", endpoint="placeorder", status=status, accepted=True)
    desk.exit(book)
    assert desk.settle()
    assert len(desk.placed("CE", action="SELL")) == 1 and desk.net("CE") == 0


@pytest.mark.parametrize("fault", NEVER_THERE)
def test_an_entry_that_never_arrived_lapses_and_is_never_sent_again(desk: Desk, fault: str) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.fault(fault, endpoint="placeorder")
    desk.run(60)
    assert [o.state for o in desk.orders(book)] == ["LAPSED"]
    assert desk.placed("CE") == [] and len(desk.side.sent) <= 1
    assert "ORDER_LAPSED" in desk.alarms()


@pytest.mark.parametrize("fault", NEVER_THERE)
def test_an_exit_that_never_arrived_is_asked_anew_from_position_evidence(desk: Desk, fault: str) -> None:
    book = _owned(desk)
    desk.fault(fault, endpoint="placeorder")
    desk.exit(book)
    desk.run(60)
    assert (desk.net("CE"), desk.state(book), len(desk.placed("CE", action="SELL"))) == (0, "FLAT", 1)


def test_patience_counts_from_the_end_of_the_waiting_not_from_its_start(desk: Desk) -> None:
    """The sender itself waits ten seconds; what its server does after that still needs its ten."""
    book = _owned(desk)
    desk.fault("timeout_after_accept")
    desk.fault("late_visibility", seconds=18)
    desk.fault("slow_fill", seconds=22)
    desk.exit(book)
    desk.run(7)
    assert len(desk.placed("CE", action="SELL")) == 1
    assert desk.settle(seconds=90)
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")


def test_an_entry_that_shows_up_after_our_patience_is_owned_and_closed_only_by_asking(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.fault("timeout_after_accept")
    desk.fault("late_visibility", seconds=60)
    desk.run(50)
    assert desk.orders(book)[0].state == "LAPSED"
    desk.run(100, dt=1.0)
    assert len(desk.placed("CE", action="BUY")) == 1
    assert {"LATE_ORDER"} <= desk.alarms()
    # The closed book was opened again and brought to flat.
    assert desk.settle(seconds=100)
    assert (desk.net("CE"), desk.owned(book, "CE")) == (0, 0)
    assert truth.unsettled(desk) == []


def test_a_lost_order_that_turns_up_resting_in_a_closed_book_is_cancelled(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="60"))
    desk.poll()
    desk.fault("timeout_after_accept")
    desk.fault("late_visibility", seconds=70)
    desk.run(50)
    assert desk.orders(book)[0].state == "LAPSED" and desk.state(book) == "FLAT"
    desk.run(150, dt=1.0)
    assert desk.placed("CE")[0].status in FINAL
    assert desk.state(book) == "FLAT" and desk.net("CE") == 0


def test_an_exit_that_lapsed_and_turns_up_beside_its_successor_is_called_back(desk: Desk) -> None:
    book = _owned(desk, 2 * LOT)
    desk.fault("timeout_after_accept")
    desk.fault("late_visibility", seconds=40)
    desk.fault("slow_fill", seconds=300, count=2)
    desk.exit(book)
    desk.run(60)
    assert desk.settle(seconds=120)
    assert desk.net("CE") == 0 == desk.owned(book, "CE")


def test_two_lost_exits_that_are_alike_are_told_apart(desk: Desk) -> None:
    """The first comes to light after it lapsed, while its successor is lost too: by its time it is the first."""
    book = _owned(desk)
    desk.fault("timeout_after_accept", count=2)
    desk.fault("slow_fill", seconds=300, count=2)
    desk.fault("late_visibility", seconds=34)
    desk.exit(book)
    desk.run_until(lambda: len(desk.side.sent) == 2)
    desk.fault("late_visibility", seconds=60)
    desk.price("CE", 101.05)
    desk.run_until(lambda: len(desk.side.sent) == 3)
    first, second = desk.orders(book, exits=True)
    assert (first.state, first.price) == ("LAPSED", second.price)
    desk.run_until(lambda: any(o.broker_order_id for o in desk.orders(book, exits=True)))
    assert second.pk in {o.pk for o in desk.orders(book, exits=True) if o.state == "UNKNOWN"}
    desk.run(90)
    assert [[o.broker_order_id] for o in desk.orders(book, exits=True)[:2]] == [sent.broker_ids for sent in desk.side.sent[1:3]]
    assert desk.settle(seconds=120)
    assert truth.unsettled(desk) == [] and desk.net("CE") == 0 == desk.owned(book, "CE")


def test_with_a_second_owner_a_lapsed_exit_halts_the_account(desk: Desk) -> None:
    first, second = _owned(desk), _owned(desk)
    desk.fault("timeout_before_accept")
    desk.exit(first)
    desk.run(60)
    assert desk.accounts[0].pk in hooks.halted
    assert desk.placed("CE", action="SELL") == [] and desk.net("CE") == 2 * LOT
    assert desk.owned(second, "CE") == LOT


def test_while_one_order_of_a_side_is_in_doubt_no_other_is_sent(desk: Desk) -> None:
    first, second = _owned(desk), _owned(desk)
    before = len(desk.side.sent)
    desk.fault("timeout_before_accept", count=2)
    desk.exit(first)
    desk.run_until(lambda: any(o.state == "UNKNOWN" for o in desk.orders(first, exits=True)))
    desk.exit(second)
    desk.run(4)
    assert len(desk.side.sent) == before + 1
    assert desk.owned(second, "CE") == LOT


def test_two_orders_that_fit_one_lost_order_are_left_to_a_person(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.fault("timeout_after_accept")
    line = desk.orders(book)[0]

    def twin() -> None:
        desk.outside("BUY", "CE", LOT, price=float(line.price))

    desk.side.while_hanging = twin
    desk.run(30)
    assert desk.state(book) == "FROZEN" and "BOOK_FROZEN" in desk.alarms()
    assert desk.owned(book, "CE") == 0
    assert len(desk.placed("CE")) == 1


def _given_up(desk: Desk) -> Book:
    """Its one order never arrived and lapsed."""
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.fault("timeout_before_accept")
    desk.run(40)
    assert desk.orders(book)[0].state == "LAPSED"
    return book


def _lost_while_a_read_is_under_way(desk: Desk) -> None:
    """A worker asks for the order book; before it is answered another one reads all books, sends, and loses the answer."""

    def another_worker() -> None:
        desk.side.advance(0.6)
        desk.poll()
        desk.fault("timeout_after_accept")
        desk.step()

    sent = len(desk.side.sent)
    with desk.side.points.watch(another_worker, where=lambda name: name == "wire before orderbook"):
        desk.poll()
    assert len(desk.side.sent) == sent + 1


def test_an_order_that_a_read_from_before_it_was_sent_shows_is_found(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    _lost_while_a_read_is_under_way(desk)
    desk.run(30)
    assert desk.owned(book, "CE") == LOT
    assert not desk.alarms() & {"LATE_ORDER", "ORDER_LAPSED"}


def test_an_order_that_a_read_from_before_it_was_sent_shows_is_not_given_to_another_book(desk: Desk) -> None:
    first = _given_up(desk)
    second = desk.open(desk.line(1, "BUY", "CE"))
    _lost_while_a_read_is_under_way(desk)
    desk.run(30)
    assert (desk.owned(first, "CE"), desk.owned(second, "CE")) == (0, 0)
    assert desk.state(second) == "FROZEN"


def test_one_order_that_fits_two_lost_orders_is_left_to_a_person(desk: Desk) -> None:
    """The first book's order lapsed; the second's answer was lost. The one order there may be either's."""
    first = _given_up(desk)
    second = desk.open(desk.line(1, "BUY", "CE"))
    desk.fault("timeout_after_accept")
    desk.run(30)
    assert (desk.owned(first, "CE"), desk.owned(second, "CE")) == (0, 0)
    assert desk.state(second) == "FROZEN"


def test_a_sender_that_may_still_report_is_not_answered_by_guessing(desk: Desk) -> None:
    """While the reply is on its way, an outside order of the same shape appears: the reply decides, not the shape."""
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()

    def meanwhile() -> None:
        desk.outside("BUY", "CE", LOT, price=90.0)
        desk.side.advance(0.3)
        desk.poll()

    with desk.side.points.watch(meanwhile, where=lambda name: name == "wire before placeorder"):
        desk.step()
    desk.run(5)
    assert desk.state(book) == "OPEN"
    assert desk.owned(book, "CE") == LOT


def test_a_queued_order_halts_the_account_and_is_neither_sent_again_nor_given_up(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.fault("semi_auto_queue")
    desk.run(20)
    assert desk.accounts[0].pk in hooks.halted
    desk.open(desk.line(1, "BUY", "PE"))
    desk.run(20)
    assert desk.orders(book)[0].state == "QUEUED"
    assert len(desk.side.sent) == 1


def test_a_queued_order_that_was_turned_down_is_given_up_by_a_person(desk: Desk) -> None:
    """Nobody will ever show it: without a person's word its side would wait for it all day."""
    book = _owned(desk)
    desk.fault("semi_auto_queue")
    desk.exit(book)
    desk.run(20)
    (queued,) = desk.orders(book, exits=True)
    assert queued.state == "QUEUED"
    hooks.halted.clear()
    outside.never_sent(queued.pk, by="user:alice", why="turned down in the action center")
    assert desk.settle()
    assert (desk.net("CE"), desk.state(book)) == (0, "FLAT")
