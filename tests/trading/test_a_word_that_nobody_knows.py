"""Brokers have words for an order that no list knows. They end nothing, bring nothing back, and a person hears of them."""

from __future__ import annotations

from algomirror.ops.models import Alarm
from tests.trading.desk import LOT, Desk
from trading.services import cancel


def _told(desk: Desk) -> list[str]:
    return list(Alarm.objects.filter(kind="ORDER_WORD_UNKNOWN").order_by("id").values_list("text", flat=True))


def test_a_cancelled_order_that_the_book_calls_closed_stays_cancelled(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "PE", LOT), live.line(2, "BUY", "CE", LOT, limit="97"), until_s=600)
    live.run(4.0)
    resting = live.orders(book)[1]
    cancel.request(resting.pk, asked_by="user:alice", why="by hand")
    live.run(4.0)
    assert live.orders(book)[1].state == "CANCELED"
    live.broker().orders[resting.broker_order_id].status = "closed"
    live.run(60.0)
    after = live.orders(book)[1]
    assert (after.state, after.cancels, after.revived_at) == ("CANCELED", 1, None)
    assert "LATE_ORDER" not in live.alarms()
    (text,) = _told(live)
    assert "“closed”" in text and "stays CANCELED" in text and resting.client_order_id in text


def test_it_is_told_once_of_each_word_also_after_a_person_has_heard(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", LOT, limit="97"), until_s=600)
    live.run(4.0)
    order = live.broker().orders[live.orders(book)[0].broker_order_id]
    order.status = "parked"
    live.run(3.0)
    version = live.orders(book)[0].book.version
    Alarm.objects.filter(kind="ORDER_WORD_UNKNOWN").update(state=Alarm.State.ACKNOWLEDGED)
    live.run(10.0)
    assert len(_told(live)) == 1 and live.orders(book)[0].book.version == version, "telling it moves no book again and again"
    order.status = "gone"
    live.run(3.0)
    assert ["“parked”" in _told(live)[0], "“gone”" in _told(live)[1]] == [True, True]
    assert live.orders(book)[0].state == "ACCEPTED", "it may be working"


def test_an_order_under_an_unknown_word_still_fills(live: Desk) -> None:
    book = live.open(live.line(1, "BUY", "CE", LOT, limit="97"), until_s=600)
    live.run(4.0)
    order = live.broker().orders[live.orders(book)[0].broker_order_id]
    order.status = "parked"
    live.run(3.0)
    order.status = "open"
    live.price("CE", 90.0)
    order.status = "parked"
    live.run(4.0)
    assert live.owned(book, "CE") == LOT == live.net("CE")
    assert live.orders(book)[0].state == "FILLED"
