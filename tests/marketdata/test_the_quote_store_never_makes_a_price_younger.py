from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import redis
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algomirror.ops import queue
from marketdata import quotes
from marketdata.domain.quotes import Source
from tests.marketdata.cast import FRIDAY, quote, seconds


def test_what_is_stored_comes_back_exactly() -> None:
    stored = quote(
        "NFO:A",
        "104.25",
        FRIDAY + timedelta(microseconds=123_457),
        bid=Decimal("104.20"),
        ask=Decimal("104.30"),
        bid_units=1300,
        ask_units=650,
        open_interest=5_123_000,
        volume=8_123_400,
        prev_close=Decimal("99.8"),
        exchange_at=FRIDAY,
    )
    bare = quote("NFO:B", "0.05", source=Source.REST)
    assert quotes.put([stored, bare]) == 2
    assert quotes.get(["NFO:A", "NFO:B", "NFO:NONE"]) == {"NFO:A": stored, "NFO:B": bare}


@given(st.lists(st.integers(min_value=0, max_value=50), min_size=1, max_size=12))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_in_any_order_of_writes_the_youngest_stays(ages: list[int]) -> None:
    queue.client().flushdb()
    for age in ages:
        quotes.put([quote(price=str(100 + age), at=FRIDAY - seconds(age))])
    assert quotes.get(["NFO:X"])["NFO:X"].received_at == FRIDAY - seconds(min(ages))


@pytest.mark.parametrize("price", ["0", "-1", "NaN", "Infinity", "-Infinity"])
def test_nonsense_is_not_stored_and_the_old_price_keeps_its_age(price: str) -> None:
    quotes.put([quote(price="100")])
    assert quotes.put([quote(price=price, at=FRIDAY + seconds(1))]) == 0
    assert quotes.get(["NFO:X"])["NFO:X"] == quote(price="100")


@pytest.mark.parametrize(
    ("source", "age", "is_fresh"),
    [
        (Source.STREAM, 5.0, True),
        (Source.STREAM, 5.001, False),
        (Source.REST, 10.0, True),
        (Source.REST, 10.001, False),
        (Source.STREAM, -5.0, True),
        (Source.STREAM, -5.001, False),
    ],
)
def test_the_bound_of_each_source_on_both_sides(source: Source, age: float, is_fresh: bool) -> None:
    quotes.put([quote(at=FRIDAY, source=source)])
    assert bool(quotes.fresh(["NFO:X"], FRIDAY + seconds(age))) is is_fresh


def test_copying_keeps_the_age() -> None:
    quotes.put([quote()])
    quotes.put(quotes.get(["NFO:X"]).values())
    assert quotes.fresh(["NFO:X"], FRIDAY + seconds(6)) == {}


def test_with_the_store_down_everything_is_unknown_and_nothing_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    quotes.put([quote()])
    dead = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)
    monkeypatch.setattr(queue, "_client", dead)
    assert quotes.get(["NFO:X"]) == {}
    assert quotes.fresh(["NFO:X"], FRIDAY) == {}
    assert quotes.put([quote()]) is None


def test_an_unreadable_value_is_unknown_and_spoils_no_other() -> None:
    quotes.put([quote("NFO:A"), quote("NFO:B")])
    queue.client().set("am:q:NFO:A", b"rubbish")
    assert set(quotes.get(["NFO:A", "NFO:B"])) == {"NFO:B"}
    assert quotes.put([quote("NFO:A")]) == 1


def test_a_price_outlives_a_weekend() -> None:
    quotes.put([quote()])
    assert queue.client().ttl("am:q:NFO:X") > 3 * 86_400


@override_settings(QUOTE_FRESH_STREAM_S=1.0)
def test_the_bounds_are_settings() -> None:
    quotes.put([quote()])
    assert quotes.fresh(["NFO:X"], FRIDAY + seconds(2)) == {}
