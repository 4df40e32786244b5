from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.domain.quotes import Quote
from marketdata.outbox import MOST_EVENTS, Outbox, Overflow, message
from marketdata.wire import tick, ticks
from tests.marketdata.cast import quote

KEYS = ("NFO:A", "NFO:B", 'NFO:"odd\\name', "NSE_INDEX:NIFTY")


def take(outbox: Outbox) -> list[dict[str, object]]:
    return [json.loads(text) for text in outbox.take()]


@given(st.lists(st.dictionaries(st.sampled_from(KEYS), st.integers(1, 10_000)), max_size=20))
def test_of_each_symbol_the_newest_price_goes_out_and_nothing_waits_after(batches: list[dict[str, int]]) -> None:
    outbox, newest = Outbox(), {}
    for at, batch in enumerate(batches):
        prices: list[Quote] = [quote(key, str(price)) for key, price in batch.items()]
        outbox.put_ticks("chain:X", str(at), ticks(prices))
        newest.update({one.key: tick(one) for one in prices})
    expected = [{"topic": "chain:X", "at": str(len(batches) - 1), "kind": "ticks", "q": newest}] if batches else []
    assert take(outbox) == expected
    assert not outbox and take(outbox) == []


def test_texts_shared_by_two_browsers_are_changed_by_neither() -> None:
    shared = ticks([quote("NFO:A", "1")])
    slow, quick = Outbox(), Outbox()
    for outbox in (slow, quick):
        outbox.put_ticks("market", "1", shared)
    assert take(quick)[0]["q"] == {"NFO:A": tick(quote("NFO:A", "1"))}
    quick.put_ticks("market", "2", ticks([quote("NFO:B", "2")]))
    slow.put_ticks("market", "2", ticks([quote("NFO:A", "3")]))
    assert shared == ticks([quote("NFO:A", "1")])
    assert take(slow)[0]["q"] == {"NFO:A": tick(quote("NFO:A", "3"))}


def test_events_keep_their_order_stand_before_prices_and_overflow() -> None:
    outbox = Outbox()
    outbox.put_ticks("market", "1", ticks([quote("NFO:A")]))
    for number in range(MOST_EVENTS):
        outbox.put(message("orders", "changed", number=number))
    with pytest.raises(Overflow):
        outbox.put(message("orders", "changed"))
    taken = take(outbox)
    assert [one.get("number") for one in taken] == [*range(MOST_EVENTS), None]


def test_what_is_forgotten_is_not_sent() -> None:
    outbox = Outbox()
    outbox.put_ticks("market", "1", ticks([quote("NFO:A")]))
    outbox.put(message("market", "values", v={"a": 1}))
    outbox.put(message("frame", "values", v={"b": 2}))
    outbox.forget("market")
    assert [one["topic"] for one in take(outbox)] == ["frame"]
