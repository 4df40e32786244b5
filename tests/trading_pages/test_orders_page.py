"""Orders are shown as they are: accepted is not filled, unknown is not nothing."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from algomirror.kernel import clock
from tests import cast, page_rules
from trading.domain.orders import OrderState
from trading.models import Order
from trading.pages import orders as page
from trading.pages.orders import Wish

WORDS = {
    "INITIALIZED": ("requested", "idle"),
    "DENIED": ("denied", "bad"),
    "SUBMITTED": ("sent", "moving"),
    "UNKNOWN": ("unknown, checking", "doubt"),
    "QUEUED": ("queued", "doubt"),
    "ACCEPTED": ("accepted", "moving"),
    "PARTIALLY_FILLED": ("part filled", "warn"),
    "FILLED": ("filled", "done"),
    "PENDING_CANCEL": ("cancelling", "moving"),
    "CANCELED": ("cancelled", "idle"),
    "REJECTED": ("rejected", "bad"),
    "LAPSED": ("lapsed", "bad"),
}


def rows(**asked: str) -> str:
    return page_rules.text_of(cast.signed_in(cast.alice()).get("/orders/rows", asked))


def test_every_state_has_a_word() -> None:
    assert set(WORDS) == {state.value for state in OrderState}


@pytest.mark.parametrize("state", WORDS)
def test_each_state_is_shown_by_its_word_and_only_filled_is_green(state: str) -> None:
    cast.order(cast.book(cast.account()), state=state, reason="RMS: margin short" if state == "REJECTED" else "")
    shown = rows()
    word, look = WORDS[state]
    assert re.search(rf'class="state state-{look}"[^>]*>{word}', shown)
    assert ("state-done" in shown) == (state == "FILLED")


def test_a_part_filled_order_says_how_much_of_how_many() -> None:
    half = cast.order(cast.book(cast.account()), units=130)
    cast.fill(half, price="104.20", units=65)
    shown = rows()
    assert "part filled 65/130" in shown
    assert "104.20" in shown


def test_a_rejection_is_told_in_the_brokers_words() -> None:
    cast.order(cast.book(cast.account()), state="REJECTED", reason="RMS: margin <short> by ₹9")
    assert "RMS: margin &lt;short&gt; by ₹9" in rows()


def test_slices_and_attempts_stand_under_the_intention_they_serve() -> None:
    condor = cast.book(cast.account(), cast.run())
    first = cast.order(condor, client_order_id="r1-a1-l1-s0-n0", units=130)
    cast.fill(first, price="100.00", units=65)
    Order.objects.filter(pk=first.pk).update(state="CANCELED")
    again = cast.order(condor, client_order_id="r1-a1-l1-s0-n1", attempt=1, units=65)
    cast.fill(again, price="101.00")
    cast.order(condor, client_order_id="r1-a1-l1-s1-n0", slice_no=1, units=65, state="ACCEPTED")
    (parent,) = page.orders_page(Wish()).parents
    assert (parent.head.units, parent.head.filled, parent.head.state) == (195, 130, "PARTIALLY_FILLED")
    assert parent.head.average == Decimal("100.5")
    assert [child.name for child in parent.children] == ["r1-a1-l1-s0-n0", "r1-a1-l1-s0-n1", "r1-a1-l1-s1-n0"]
    assert "3 orders" in rows()


def test_an_exit_wants_what_is_filled_and_what_is_still_asked() -> None:
    condor = cast.book(cast.account(), cast.run())
    walked = cast.order(condor, purpose="EXIT", client_order_id="g1-a1-l1-s0-n1", action="BUY")
    Order.objects.filter(pk=walked.pk).update(state="CANCELED")
    last = cast.order(condor, purpose="EXIT", client_order_id="g1-a1-l1-s0-n2", attempt=2, action="BUY")
    cast.fill(last, price="99.00")
    (parent,) = page.orders_page(Wish()).parents
    assert (parent.head.units, parent.head.filled, parent.head.state) == (65, 65, "FILLED")


def test_doubt_about_one_slice_is_doubt_about_the_whole() -> None:
    condor = cast.book(cast.account(), cast.run())
    cast.fill(cast.order(condor, client_order_id="r1-a1-l1-s0-n0"), price="100")
    cast.order(condor, client_order_id="r1-a1-l1-s1-n0", slice_no=1, state="UNKNOWN", symbol=cast.CALL)
    (parent,) = page.orders_page(Wish()).parents
    assert parent.head.state == "UNKNOWN"


def test_filtered_orders_stand_alone_so_that_no_sum_lies() -> None:
    condor = cast.book(cast.account(), cast.run())
    cast.fill(cast.order(condor, client_order_id="r1-a1-l1-s0-n0"), price="100")
    cast.order(condor, client_order_id="r1-a1-l1-s1-n0", slice_no=1)
    (parent,) = page.orders_page(Wish(group="filled")).parents
    assert (parent.head.state, parent.children) == ("FILLED", ())


def test_the_owner_is_a_link_to_the_run_or_the_ticket() -> None:
    anil, condor = cast.account(), cast.run("Iron <condor>")
    cast.order(cast.book(anil, condor))
    cast.order(cast.book(anil), symbol=cast.PUT)
    shown = rows()
    assert f'<a href="/runs/{condor.pk}">Iron &lt;condor&gt;</a>' in shown
    assert "Ticket" in shown


def test_orders_of_others_are_shown_apart_and_cannot_be_pressed() -> None:
    anil = cast.account()
    cast.outside_order(anil, word="TRIGGER_PENDING", raw_status="trigger pending")
    cast.outside_order(anil, word="REJECTED", reason="by the exchange")
    shown = rows()
    assert "sent by nobody here" in shown
    assert "trigger pending" in shown
    assert "by the exchange" in shown
    assert "data-dialog" not in shown


def test_complete_without_trades_is_not_shown_as_filled() -> None:
    cast.outside_order(cast.account(), word="COMPLETE", raw_status="complete")
    assert "state-done" not in rows()


def test_a_failed_reading_is_told_and_its_rows_are_grey_not_gone() -> None:
    anil, meera = cast.account("Zerodha Anil"), cast.account("Fyers Meera")
    cast.read(anil, "ORDERS", error="TIMEOUT: no answer in 5 s", ago_s=90)
    cast.read(meera, "ORDERS")
    cast.order(cast.book(anil))
    cast.order(cast.book(meera))
    shown = rows()
    assert "Zerodha Anil: the last reading failed." in shown
    assert "TIMEOUT: no answer in 5 s" in shown
    assert shown.count('<tr class="stale-read">') == 1
    assert "10:41:06" in shown


def test_filters_narrow_by_account_run_state_and_day() -> None:
    anil, meera, condor = cast.account("Zerodha Anil"), cast.account("Fyers Meera"), cast.run()
    cast.order(cast.book(anil, condor), symbol="ONE")
    cast.order(cast.book(meera), symbol="TWO", state="REJECTED")
    yesterday = clock.trading_day() - timedelta(days=1)
    cast.order(cast.book(anil), symbol="OLD", state="CANCELED", trading_day=yesterday)

    def symbols(**asked: str) -> set[str]:
        return {name for name in ("ONE", "TWO", "OLD") if f">{name} <" in rows(**asked)}

    assert symbols() == {"ONE", "TWO"}
    assert symbols(account=str(meera.pk)) == {"TWO"}
    assert symbols(run=str(condor.pk)) == {"ONE"}
    assert symbols(state="refused") == {"TWO"}
    assert symbols(day=yesterday.isoformat()) == {"OLD"}


def test_an_unfinished_order_of_an_earlier_day_does_not_drop_out_of_sight() -> None:
    cast.order(cast.book(cast.account()), state="UNKNOWN", trading_day=clock.trading_day() - timedelta(days=1))
    assert "unknown, checking" in rows()


def test_the_number_of_queries_does_not_grow_with_orders() -> None:
    anil = cast.account()
    cast.read(anil, "ORDERS")

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            page.orders_page(Wish())
        return len(seen)

    cast.order(cast.book(anil, cast.run()))
    few = queries()
    for name in ("second", "third", "fourth"):
        condor = cast.book(anil, cast.run(name))
        for _ in range(5):
            cast.order(condor, state="CANCELED")
    assert queries() == few <= 5
