"""The parser over what a running server sent (tests/contracts/recordings), and over what no server should send."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketdata.feed.parse import Nonsense, Partial, decode, market_data

RECORDINGS = Path(__file__).parents[1] / "contracts" / "recordings"


def recorded() -> Iterator[dict[str, Any]]:
    for path in sorted(RECORDINGS.glob("ws-*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row["dir"] == "server->client" and isinstance(row["message"], dict):
                yield row["message"]


def frame(**data: Any) -> dict[str, Any]:
    return {"type": "market_data", "symbol": "SBIN", "exchange": "NSE", "mode": 3, "broker": "zerodha", "data": data}


def test_every_recorded_tick_gives_its_price_and_every_depth_its_touch() -> None:
    ticks = [message for message in recorded() if message.get("type") == "market_data"]
    assert len(ticks) > 20
    for message in ticks:
        tick = market_data(message)
        assert isinstance(tick, Partial)
        assert tick.last_price == Decimal(str(message["data"]["ltp"]))
        if "depth" in message["data"]:
            assert tick.book is not None and tick.book.bid is not None and tick.book.ask is not None
            assert tick.book.bid < tick.book.ask
        assert tick.exchange_at is not None and tick.exchange_at.year == 2026


def test_no_recorded_frame_breaks_the_reader() -> None:
    for message in recorded():
        assert decode(json.dumps(message)) == message
        market_data(message)


@pytest.mark.parametrize("price", [0, 0.0, -1, "0", "-0.05", "", "1,2.3", "NaN", float("nan"), float("inf"), True, [], {}, "abc"])
def test_nonsense_prices_are_refused_whole(price: Any) -> None:
    assert market_data(frame(ltp=price, oi=5)) == Nonsense("NSE:SBIN")


@pytest.mark.parametrize("price", [700.5, "700.5", "7,00,000.5"])
def test_numbers_and_number_texts_are_prices(price: Any) -> None:
    tick = market_data(frame(ltp=price))
    assert isinstance(tick, Partial) and tick.last_price is not None and tick.last_price > 700


def test_a_packet_without_a_price_still_brings_the_rest() -> None:
    assert market_data(frame(oi=120)) == Partial("NSE:SBIN", open_interest=120)
    assert market_data(frame(ltp=None, open_interest="120")) == Partial("NSE:SBIN", open_interest=120)


def test_bare_nan_does_not_lose_the_frame() -> None:
    raw = '{"type": "market_data", "symbol": "SBIN", "exchange": "NSE", "data": {"ltp": 700.5, "volume": NaN, "oi": NaN}}'
    decoded = decode(raw)
    assert decoded is not None
    assert market_data(decoded) == Partial("NSE:SBIN", last_price=Decimal("700.5"))


@pytest.mark.parametrize(
    ("stamp", "at"),
    [
        (1787288400, datetime(2026, 8, 21, 5, 0, tzinfo=UTC)),
        (1787288400123, datetime(2026, 8, 21, 5, 0, 0, 123000, tzinfo=UTC)),
        ("1787288400", datetime(2026, 8, 21, 5, 0, tzinfo=UTC)),
        (0, None),
        (10**30, None),
        ("soon", None),
    ],
)
def test_seconds_and_milliseconds_are_told_apart(stamp: Any, at: datetime | None) -> None:
    tick = market_data(frame(ltp=1, timestamp=stamp))
    assert isinstance(tick, Partial) and tick.exchange_at == at


def test_an_empty_side_of_the_book_is_unknown_not_zero() -> None:
    zero = [{"price": 0, "quantity": 0}] * 5
    tick = market_data(frame(ltp=1, depth={"buy": zero, "sell": [{"price": 1.05, "quantity": 65}]}))
    assert isinstance(tick, Partial) and tick.book is not None
    assert (tick.book.bid, tick.book.bid_units, tick.book.ask, tick.book.ask_units) == (None, None, Decimal("1.05"), 65)


def test_close_is_the_previous_close_except_where_it_is_todays() -> None:
    tick = market_data(frame(ltp=1, close=2))
    assert isinstance(tick, Partial) and tick.prev_close == 2
    other = market_data({**frame(ltp=1, close=2), "broker": "upstox"})
    assert isinstance(other, Partial) and other.prev_close is None


@pytest.mark.parametrize(
    "bad",
    [{}, {"data": []}, {"data": {"ltp": 1}}, {"symbol": "X", "data": {"ltp": 1}}, {"symbol": 5, "exchange": "NSE", "data": {}}],
)
def test_a_frame_that_names_no_instrument_is_none(bad: dict[str, Any]) -> None:
    assert market_data(bad) is None


@pytest.mark.parametrize("raw", ["", "[1]", '"x"', "{", b"\xff\xfe", "null", "1"])
def test_what_is_no_object_is_none(raw: str | bytes) -> None:
    assert decode(raw) is None


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["ltp", "oi", "depth", "buy", "sell", "price", "quantity", "timestamp", "volume", "close"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(anything)
def test_no_data_whatever_raises_or_becomes_a_price_below_or_at_zero(data: Any) -> None:
    tick = market_data({"symbol": "X", "exchange": "NFO", "data": data})
    if isinstance(tick, Partial):
        prices = [tick.last_price, tick.prev_close, *((tick.book.bid, tick.book.ask) if tick.book else ())]
        assert all(price is None or (price.is_finite() and price > 0) for price in prices)
