from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from accounts.models import User
from algomirror.kernel import clock
from marketdata import charts
from marketdata.charts import Chart, ChartLeg
from marketdata.models import Candle1m, Instrument
from marketdata.reference.load import load
from tests import cast as people
from tests.marketdata.cast import Guards, ist, list_options, owner
from tests.page_rules import inline_parts, world

D = Decimal
OPEN = ist(2026, 11, 20, 9, 15)
NOW = ist(2026, 11, 20, 12)
NIFTY = "NSE_INDEX:NIFTY"
CALL, PUT = "NFO:NIFTY01DEC2626000CE", "NFO:NIFTY01DEC2626000PE"
STRADDLE = f"{CALL}:SELL:1,{PUT}:SELL:1"


@pytest.fixture(autouse=True)
def _friday(db: None, guards: Guards) -> Iterator[None]:
    load(actor="test")
    Instrument.objects.create(exchange="NSE_INDEX", symbol="NIFTY", underlying="NIFTY", kind="INDEX", tick="0.05", listed_on=NOW)
    list_options("NIFTY", date(2026, 12, 1), [26000])
    with clock.use(clock.FrozenClock(NOW)):
        yield


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(owner())
    return client


def minutes(key: str, prices: dict[int, int], **more: Any) -> None:
    given = {"source": "TICKS", "covered_s": 60, "volume": 65, **more}
    Candle1m.objects.bulk_create(
        Candle1m(key=key, minute=OPEN + timedelta(minutes=n), open=p, high=p + 1, low=p - 1, close=p, **given)
        for n, p in prices.items()
    )


def day(key: str, base: int, count: int = 165, **more: Any) -> None:
    minutes(key, {n: base + (n * 7) % 23 for n in range(count)}, **more)


def asked(browser: Client, **query: Any) -> dict[str, Any]:
    answer = browser.get("/charts/candles.json", query)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


def test_the_page_offers_the_indices_and_draws_the_first(browser: Client) -> None:
    before = world()
    answer = browser.get("/charts")
    html = answer.content.decode()
    for text in (f'data-topics="market frame alarms symbols:{NIFTY}"', "candles.js", "BANKNIFTY", "TradingView", 'name="legs"'):
        assert text in html, text
    assert not inline_parts(answer) and world() == before
    assert Client().get("/charts").status_code == 302
    assert Client().get("/charts/candles.json").status_code == 302


def test_candles_say_their_source_and_what_was_watched(browser: Client) -> None:
    minutes(NIFTY, {0: 100, 1: 101, 2: 102}, source="HISTORY")
    minutes(NIFTY, dict.fromkeys(range(5, 10), 100), covered_s=30)
    found = asked(browser, timeframe=5)
    assert [(c["t"], c["source"], c["covered"], c["closed"]) for c in found["candles"]] == [
        (int(OPEN.timestamp()), "HISTORY", 60, True),
        (int(OPEN.timestamp()) + 300, "TICKS", 50, True),
    ]
    assert found["candles"][0]["o"] == "100.00" and found["candles"][0]["h"] == "103.00"
    assert found["coverage"] == {"TICKS": 1, "HISTORY": 1, "MIXED": 0, "thin": 2, "closed": 2}


def test_overlays_are_as_long_as_the_candles_and_unknown_until_ready(browser: Client) -> None:
    day(NIFTY, 26000)
    found = asked(browser, timeframe=3, overlays=["supertrend", "ema", "rsi", "atr", "vwap"], period=10, multiplier=3)
    count = len(found["candles"])
    assert count == 55
    assert {name: len(line) for name, line in found["overlays"].items()} == dict.fromkeys(charts.OVERLAYS, count)
    assert found["overlays"]["supertrend"][8] is None and found["overlays"]["supertrend"][9] is not None
    for name, ready in (("ema", 19), ("rsi", 14), ("atr", 14)):
        assert found["overlays"][name][ready - 1] is None and found["overlays"][name][ready] is not None, name
    assert found["overlays"]["vwap"][0] == "26009.33"


def test_a_premium_is_signed_by_its_structure(browser: Client) -> None:
    day(CALL, 100)
    day(PUT, 50)
    credit = asked(browser, legs=STRADDLE, side="CREDIT")
    debit = asked(browser, legs=STRADDLE, side="DEBIT")
    assert credit["candles"][0]["o"] == "150.00" and debit["candles"][0]["o"] == "-150.00"
    assert credit["weights"] == {CALL: "1", PUT: "1"}
    spread = asked(browser, legs=f"{CALL}:SELL:1,{PUT}:BUY:2")
    assert spread["candles"][0]["o"] == "0.00" and spread["weights"] == {CALL: "1", PUT: "-2"}
    html = browser.get("/charts", {"legs": STRADDLE}).content.decode()
    assert "Combined premium" in html and f'data-leg="{PUT}"' in html


@pytest.mark.parametrize(
    "query",
    [
        {"legs": "NFO:NOTHING"},
        {"legs": f"{CALL}:HOLD:1"},
        {"legs": f"{CALL}:SELL:0"},
        {"legs": f"{CALL}:SELL:1:2"},
        {"legs": f"{CALL},{NIFTY}"},
        {"legs": ",".join([CALL] * 7)},
        {"legs": ","},
        {"legs": "x" * 501},
        {"timeframe": "4"},
        {"days": "6"},
        {"overlays": "magic"},
        {"period": "1"},
        {"multiplier": "11"},
        {"side": "UP"},
    ],
)
def test_a_chart_that_makes_no_sense_is_refused_by_page_and_json(browser: Client, query: dict[str, str]) -> None:
    for path in ("/charts", "/charts/candles.json"):
        assert browser.get(path, query).status_code == 422, path


def test_five_days_are_the_last_five_with_a_session(browser: Client) -> None:
    for back in range(9):
        minutes(NIFTY, {-1440 * back: 100})
    found = asked(browser, days=5)
    shown = {date.fromtimestamp(c["t"]).isoformat() for c in found["candles"]}
    assert shown == {"2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"}


def test_own_fills_are_marked_at_their_candle(browser: Client) -> None:
    day(CALL, 100)
    with override_settings(HOOKS={**settings.HOOKS, "open_symbols": "tests.marketdata.cast.open_symbols"}):
        User.objects.all().delete()
        at_broker = people.account()
        made = people.order(people.book(at_broker), symbol=CALL.partition(":")[2])
        with clock.use(clock.FrozenClock(OPEN + timedelta(minutes=7))):
            people.fill(made, price="104.00")
        found = charts.read(Chart((ChartLeg(CALL, "SELL"),)), NOW)
    assert [(m["t"], m["action"], m["units"], m["price"]) for m in found["marks"]] == [
        (int(OPEN.timestamp()) + 300, "SELL", "65", "104.00")
    ]


def test_the_number_of_queries_does_not_grow_with_days_or_legs(browser: Client, django_assert_max_num_queries: Any) -> None:
    day(CALL, 100)
    day(PUT, 50)
    asked(browser, legs=STRADDLE)
    for query in ({"legs": STRADDLE, "days": 5}, {"legs": CALL}):
        with django_assert_max_num_queries(12):
            asked(browser, **query)


def test_a_form_sent_without_overlays_draws_none(browser: Client) -> None:
    assert asked(browser)["overlays"].keys() == {"supertrend"}
    assert asked(browser, sent=1)["overlays"].keys() == set()
