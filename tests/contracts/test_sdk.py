"""The official SDK, REST and feed, against a real simulator process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.patience import wait_for
from tests.simulator.conftest import Simulator, start_simulator

openalgo = pytest.importorskip("openalgo")
__all__ = ["start_simulator"]

CALL, PUT, LOT = "NIFTY01DEC2626000CE", "NIFTY01DEC2626000PE", 65
ORDER = {"strategy": "sdk", "symbol": CALL, "exchange": "NFO", "product": "NRML"}


@pytest.fixture
def simulator(start_simulator: Callable[..., Simulator]) -> Simulator:
    return start_simulator("--always-open", "--at", "2026-11-20T10:00:00+05:30", "--tick-ms", "50", "--no-limits")


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Any]:
    yield openalgo.api(
        api_key=simulator.keys[0],
        host=f"http://127.0.0.1:{simulator.base + 1}",
        ws_url=f"ws://127.0.0.1:{simulator.base + 2}",
    )


def test_the_sdk_trades_and_reads_every_book(client: Any) -> None:
    placed = client.placeorder(action="BUY", price_type="MARKET", quantity=LOT, **ORDER)
    assert placed["status"] == "success" and placed["mode"] == "analyze"
    status = client.orderstatus(order_id=placed["orderid"], strategy="sdk")["data"]
    assert (status["order_status"], status["filled_quantity"]) == ("complete", LOT)
    resting = client.placeorder(action="BUY", price_type="LIMIT", price=5, quantity=LOT, **ORDER)["orderid"]
    change = {"action": "BUY", "price_type": "LIMIT", "price": 6, "quantity": LOT, "disclosed_quantity": "0"}
    assert client.modifyorder(order_id=resting, trigger_price="0", **change, **ORDER)["orderid"] == resting
    assert client.cancelorder(order_id=resting, strategy="sdk")["status"] == "success"
    assert client.openposition(strategy="sdk", symbol=CALL, exchange="NFO", product="NRML")["quantity"] == LOT
    assert client.orderbook()["data"]["statistics"]["total_buy_orders"] == 2
    assert len(client.tradebook()["data"]) == len(client.positionbook()["data"]) == 1
    assert client.holdings()["data"]["holdings"] == []
    assert client.funds()["data"]["utiliseddebits"] > 0
    assert client.cancelallorder(strategy="sdk")["status"] == "success"
    assert client.closeposition(strategy="sdk")["message"] == "Closed 1 positions"


def test_the_sdk_places_many_orders_at_once(client: Any) -> None:
    leg = {"symbol": CALL, "exchange": "NFO", "action": "BUY", "quantity": LOT, "pricetype": "MARKET", "product": "NRML"}
    assert [r["status"] for r in client.basketorder(strategy="sdk", orders=[leg, leg])["results"]] == ["success"] * 2
    split = client.splitorder(action="SELL", price_type="MARKET", quantity=2 * LOT, splitsize=LOT, **ORDER)
    assert len(split["results"]) == 2
    smart = client.placesmartorder(action="BUY", price_type="MARKET", quantity=LOT, position_size=LOT, **ORDER)
    assert smart["status"] == "success"
    common = {"strategy": "sdk", "underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "01DEC26"}
    one = client.optionsorder(
        offset="OTM2", option_type="CE", action="SELL", quantity=LOT, pricetype="MARKET", product="NRML", **common
    )
    assert one["status"] == "success" and one["symbol"].endswith("CE")
    legs = [{"offset": "OTM4", "option_type": t, "action": "BUY", "quantity": LOT, "product": "NRML"} for t in ("CE", "PE")]
    assert [r["leg"] for r in client.optionsmultiorder(legs=legs, **common)["results"]] == [1, 2]


def test_the_sdk_reads_market_data_and_symbols(client: Any) -> None:
    pair = {"symbol": CALL, "exchange": "NFO"}
    assert client.quotes(**pair)["data"]["ltp"] > 0
    assert len(client.multiquotes(symbols=[pair, {"symbol": "NIFTY", "exchange": "NSE_INDEX"}])["results"]) == 2
    assert len(client.depth(**pair)["data"]["bids"]) == 5
    bars = client.history(interval="5m", start_date="2026-11-19", end_date="2026-11-20", **pair)
    assert {"open", "high", "low", "close", "volume"} <= set(bars.columns) and len(bars) > 70
    assert client.intervals()["data"]["days"] == ["D"]
    assert client.symbol(**pair)["data"]["lotsize"] == LOT
    assert client.search(query="NIFTY 26000 CE", exchange="NFO")["data"]
    expiries = client.expiry(symbol="NIFTY", exchange="NFO", instrumenttype="options")["data"]
    assert expiries[0] == "23-NOV-26"
    assert len(client.instruments(exchange="BFO")) > 1000


def test_the_sdk_reads_options_margin_mode_and_calendar(client: Any) -> None:
    common = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "01DEC26"}
    assert client.optionsymbol(offset="ATM", option_type="CE", **common)["lotsize"] == LOT
    assert len(client.optionchain(strike_count=3, **common)["chain"]) == 7
    assert client.syntheticfuture(**common)["status"] == "success"
    assert 5 < client.optiongreeks(symbol=CALL, exchange="NFO")["implied_volatility"] < 40
    position = {"symbol": CALL, "exchange": "NFO", "action": "SELL", "product": "NRML", "pricetype": "MARKET"}
    margin = client.margin(positions=[{**position, "quantity": str(LOT), "price": "0", "trigger_price": "0"}])
    assert margin["data"]["span_margin"] > 100_000
    assert client.analyzerstatus()["data"]["analyze_mode"] is True
    assert client.analyzertoggle(mode=False)["data"]["mode"] == "live"
    assert any(day["date"] == "2026-11-24" for day in client.holidays(year=2026)["data"])
    assert client.timings(date="2026-11-20")["data"]


def test_the_sdk_flattens_errors_as_it_does_with_the_real_server(client: Any) -> None:
    refused = client.placeorder(action="BUY", price_type="MARKET", quantity=LOT + 1, **ORDER)
    assert refused["status"] == "error" and "multiples of lot size 65" in refused["message"]


def test_the_sdk_feed_hears_all_three_modes(client: Any) -> None:
    client.connect()  # waits five seconds of its own
    wait_for(lambda: client.authenticated, "the feed to know the key")
    pair = [{"exchange": "NFO", "symbol": CALL}]
    try:
        assert client.subscribe_ltp(pair, on_data_received=lambda data: None)
        assert wait_for(lambda: client.get_ltp()["ltp"].get("NFO", {}).get(CALL), "a last price")["ltp"] > 0
        assert client.subscribe_quote(pair, on_data_received=lambda data: None)
        assert wait_for(lambda: client.get_quotes()["quote"].get("NFO", {}).get(CALL), "a quote")["high"] > 0
        assert client.subscribe_depth(pair, on_data_received=lambda data: None)
        assert wait_for(lambda: client.get_depth()["depth"].get("NFO", {}).get(CALL), "the depth")
        assert client.unsubscribe_ltp(pair)
    finally:
        client.disconnect()
