from __future__ import annotations

import importlib
import itertools

from django.apps import apps
from django.test import override_settings

from tests.trading import truth
from tests.trading.desk import LOT, Desk
from trading.models import Order
from trading.services import cancel, convert, glance, work


def test_an_order_that_the_book_called_cancelled_by_mistake_does_not_work_on_behind_a_flat_book(live: Desk) -> None:
    """History 430 of AM_SEED=0 (eight acts): twice in a row the book gives it its neighbour's word, then its own again."""
    book = live.open(
        live.line(1, "BUY", "CE", LOT, limit="97"),
        live.line(2, "BUY", "CE", LOT, limit="97"),
        until_s=600,
    )
    live.run(4.0)
    first, second = live.orders(book)
    assert first.state == second.state == "ACCEPTED"
    live.fault("neighbour_status", count=3)
    live.broker().cancel(first.broker_order_id)
    live.run(3.0, dt=0.4)
    live.calm()
    live.exit(book)
    live.run(120.0, dt=1.0)
    assert truth.unsettled(live) == []


def test_an_exit_that_works_on_beside_its_successor_is_cancelled(live: Desk) -> None:
    """Half of a position is sold by the second of two orders, the first one is alive: it would sell the other half."""
    book = live.open(live.line(1, "BUY", "CE", 2 * LOT))
    live.settle()
    live.broker().cancel(live.outside("SELL", "PE", 5 * LOT, price=500))
    live.fault("slow_fill", seconds=25.0)
    live.exit(book, targets=live.target("CE", leave=LOT))
    live.step()
    live.fault("neighbour_status", symbol=live.symbols["CE"], count=50)
    # The ladder is slow here: it would cancel the order in earnest.
    with override_settings(REPEG_S=30.0):
        live.run_until(lambda: live.orders(book, exits=True)[0].state == "CANCELED", seconds=10.0, dt=0.2)
        live.calm()
        live.run_until(lambda: live.goal(book).state == "DONE")
    live.run(60.0)
    believed, successor = live.orders(book, exits=True)
    assert (believed.state, believed.filled_units, successor.state) == ("CANCELED", 0, "FILLED")
    assert live.net("CE") == live.owned(book, "CE") == LOT
    assert "LATE_ORDER" in live.alarms()
    assert truth.unsettled(live) == []


def test_an_exit_that_works_on_is_cancelled_before_its_successor_is_acknowledged(live: Desk) -> None:
    """Both together would sell twice what is owned."""
    book = live.open(live.line(1, "BUY", "CE", LOT))
    live.settle()
    live.fault("slow_fill", seconds=40.0, count=2)
    with override_settings(REPEG_S=60.0):
        live.exit(book)
        live.step()
        believed = live.orders(book, exits=True)[0]
        first = live.broker().orders[believed.broker_order_id]
        live.fault("lost_reply", endpoint="placeorder")
        live.fault("late_visibility", seconds=8.0)
        first.status = "cancelled"
        live.run_until(lambda: len(live.orders(book, exits=True)) == 2, seconds=10.0, dt=0.2)
        first.status = "open"
        live.run_until(lambda: first.status == "cancelled", seconds=5.0, dt=0.2)
        assert live.orders(book, exits=True)[1].state == "UNKNOWN", "it went while nobody knew of the other"
        live.run(90.0)
    assert live.net("CE") == live.owned(book, "CE") == 0
    assert [o.action for o in live.orders(book, exits=True)] == ["SELL", "SELL"], "nothing was bought back"
    assert truth.unsettled(live) == []


def test_a_stray_whose_cancels_lead_nowhere_is_asked_less_and_less_often(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", 2 * LOT))
    live.settle()
    live.fault("slow_fill", seconds=3000.0)
    live.exit(book, targets=live.target("CE", leave=LOT))
    live.run_until(lambda: live.goal(book).state == "DONE")
    stray = live.orders(book, exits=True)[0]
    live.broker().orders[stray.broker_order_id].status = "open"
    live.fault("http_5xx", endpoint="cancelorder", count=500)
    asked: list[float] = []
    began = live.now()
    for _ in range(360):
        live.step()
        at = live.orders(book, exits=True)[0].cancel_asked_at
        assert at is not None
        if (since := (at - began).total_seconds()) > 0 and since not in asked:
            asked.append(since)
        live.advance(0.5)
    pauses = [later - sooner for sooner, later in itertools.pairwise(asked)]
    assert pauses == sorted(pauses) and pauses[0] < 6 and 29 < pauses[-1] < 32
    assert len(asked) < 12
    live.calm()
    live.run(40.0)
    assert live.orders(book, exits=True)[0].state == "CANCELED"


def test_an_order_that_came_back_says_so_and_has_no_end(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", LOT, limit="97"), live.line(2, "BUY", "PE", LOT), until_s=600)
    live.run(4.0)
    order = live.broker().orders[live.orders(book)[0].broker_order_id]
    order.status = "cancelled"
    live.run_until(lambda: live.orders(book)[0].state == "CANCELED", dt=0.5)
    ended = live.orders(book)[0]
    assert ended.finished_at is not None and ended.reason == "cancelled" and ended.revived_at is None
    order.status = "open"
    live.run_until(lambda: live.orders(book)[0].state == "ACCEPTED", dt=0.5)
    back = live.orders(book)[0]
    assert back.finished_at is None and back.revived_at is not None
    assert back.reason == "it was held for CANCELED: the book says open"
    live.price("CE", 90.0)
    live.run_until(lambda: live.orders(book)[0].state == "FILLED")
    filled = live.orders(book)[0]
    assert filled.finished_at is not None and filled.finished_at > back.revived_at


def test_an_exit_that_works_after_its_goal_was_reached_is_cancelled(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", 2 * LOT))
    live.settle()
    live.fault("slow_fill", seconds=300.0)
    live.exit(book, targets=live.target("CE", leave=LOT))
    live.run_until(lambda: live.goal(book).state == "DONE")
    cancelled = live.orders(book, exits=True)[0]
    order = live.broker().orders[cancelled.broker_order_id]
    assert (cancelled.state, order.status) == ("CANCELED", "cancelled")
    order.status = "open"
    live.run(60.0)
    assert order.status == "cancelled"
    assert live.orders(book, exits=True)[0].state == "CANCELED"
    assert live.net("CE") == live.owned(book, "CE") == LOT


def test_an_entry_whose_cancel_was_believed_and_that_works_is_cancelled_again(live: Desk) -> None:
    """The book stays open: another leg of it is owned."""
    book = live.open(live.line(1, "BUY", "PE", LOT), live.line(2, "BUY", "CE", LOT, limit="97"), until_s=600)
    live.run(4.0)
    resting = live.orders(book)[1]
    live.broker().cancel(live.outside("SELL", "PE", 5 * LOT, price=500))
    order = live.broker().orders[resting.broker_order_id]
    cancel.request(resting.pk, asked_by="user:alice", why="by hand")
    live.run(4.0)
    assert live.orders(book)[1].state == "CANCELED"
    order.status = "open"
    live.run(60.0)
    assert live.orders(book)[1].state == "CANCELED"
    assert order.status == "cancelled"
    assert live.owned(book, "PE") == LOT


def test_an_order_that_turns_up_late_is_seen_within_seconds(live: Desk) -> None:
    """Its account has nothing else to do, and would be read once a minute."""
    live.fault("lost_reply", endpoint="placeorder")
    live.fault("late_visibility", seconds=45.0)
    book = live.open(live.line(1, "BUY", "CE", LOT, limit="97"), until_s=600)
    live.run_until(lambda: live.orders(book)[0].state == "LAPSED")
    waited = 0
    while live.orders(book)[0].state == "LAPSED":
        live.advance(1.0)
        waited += 1
        for account_id in work.due_accounts():
            work.step(account_id)
        assert waited < 60
    shown_at = live.broker().orders[live.orders(book)[0].broker_order_id].visible_from
    assert shown_at is not None
    assert (live.now() - shown_at).total_seconds() <= 6.0


def test_a_stray_is_cancelled_though_a_goal_of_another_instrument_is_open(live: Desk) -> None:
    """PE was sold by the second of two exits; the first works on. CE's own goal cannot end for a while."""
    book = live.open(live.line(1, "BUY", "PE", LOT), live.line(2, "BUY", "CE", 2 * LOT))
    live.settle()
    live.fault("slow_fill", symbol=live.symbols["PE"], seconds=300.0)
    live.exit(book, targets=live.target("PE", leave=0))
    live.step()
    live.run_until(lambda: live.orders(book, exits=True)[0].state == "CANCELED", dt=0.2)
    live.calm()
    live.run_until(lambda: live.goal(book).state == "DONE")
    believed = live.orders(book, exits=True)[0]
    assert live.net("PE") == live.owned(book, "PE") == 0
    live.fault("slow_fill", symbol=live.symbols["CE"], seconds=9000.0, count=500)
    live.exit(book, targets=live.target("CE", leave=LOT))
    live.run(2.0)
    order = live.broker().orders[believed.broker_order_id]
    order.status = "open"
    live.run(30.0)
    assert order.status == "cancelled"
    assert live.net("PE") == 0


def test_a_wish_to_go_to_the_market_outlives_a_word_that_was_taken_back(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "PE", LOT), live.line(2, "BUY", "CE", LOT, limit="97"), until_s=600)
    live.run(4.0)
    resting = live.orders(book)[1]
    live.stale |= {"CE"}
    live.advance(30.0)
    convert.request(resting.pk, by="user:alice")
    order = live.broker().orders[resting.broker_order_id]
    live.run_until(lambda: live.orders(book)[1].state == "CANCELED", dt=0.2)
    assert live.orders(book)[1].follows_price
    order.status = "open"
    live.run_until(lambda: live.orders(book)[1].state != "CANCELED", dt=0.2)
    live.stale.clear()
    live.run(60.0)
    assert live.owned(book, "CE") == LOT or "ORDER_NOT_TO_MARKET" in live.alarms()


def test_a_closed_book_is_not_opened_again_for_what_has_ended_meanwhile(live: Desk) -> None:
    """The glance is older than the pause; another process's read (Sync, a start) ended the order in between."""
    book = live.open(live.line(1, "BUY", "CE", LOT, limit="97"), until_s=600)
    live.run(4.0)
    resting = live.orders(book)[0]
    cancel.request(resting.pk, asked_by="user:alice", why="by hand")
    live.run(4.0)
    assert live.state(book) == "FLAT"
    order = live.broker().orders[resting.broker_order_id]
    order.status = "open"
    live.poll()
    live.advance(1.0)
    live.poll()
    assert live.orders(book)[0].state == "ACCEPTED"
    seen = glance.at(live.accounts[0].pk)
    assert seen.closed_books_with_something == [book.pk]
    order.status = "cancelled"
    live.poll()
    live.advance(1.0)
    live.poll()
    assert live.orders(book)[0].state == "CANCELED"
    work._catch_late_fills(seen)
    live.run(120.0, dt=1.0)
    assert live.state(book) == "FLAT"


def test_what_came_back_before_it_was_marked_is_marked_by_the_migration(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", LOT, limit="97"), live.line(2, "BUY", "CE", LOT, limit="96"), until_s=600)
    live.run(4.0)
    came_back, ended = live.orders(book)
    at = live.now()
    Order.objects.filter(pk=came_back.pk).update(finished_at=at)
    Order.objects.filter(pk=ended.pk).update(finished_at=at, state="CANCELED")
    importlib.import_module("trading.migrations.0006_orders_that_come_back").mark_those_that_came_back(apps, None)
    came_back, ended = live.orders(book)
    assert (came_back.revived_at, came_back.finished_at) == (at, None)
    assert (ended.revived_at, ended.finished_at) == (None, at)
