"""Life of orders in both profiles, and money that adds up."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from simulator.orders import Position
from tests.simulator.desk import CALL, LOT, MORNING, PUT, Desk


@pytest.fixture
def live() -> Desk:
    return Desk(profile="live")


# -- sandbox ----------------------------------------------------------------------------------------------------


def test_a_market_order_fills_at_the_touch(desk: Desk) -> None:
    desk.world.set_price("NFO", CALL, 200.0)
    quote = desk.world.market.quote("NFO", CALL)
    assert quote is not None
    desk.order()
    desk.order(action="SELL")
    sold, bought = desk.orders()
    assert (bought["average_price"], sold["average_price"]) == (quote.ask, quote.bid)
    assert len(bought["orderid"]) == 14 and bought["orderid"].startswith("261120")


def test_a_marketable_limit_fills_at_the_last_price_on_arrival_and_at_its_limit_later(desk: Desk) -> None:
    desk.world.set_price("NFO", CALL, 200.0)
    desk.order(pricetype="LIMIT", price=250.0)
    assert desk.orders()[0]["average_price"] == 200.0
    resting = desk.order(pricetype="LIMIT", price=150.0)["orderid"]
    assert desk.status(resting) == "open"
    desk.world.set_price("NFO", CALL, 100.0)
    desk.world.tick()
    assert desk.orders()[0]["average_price"] == 150.0


def test_stops_wait_trigger_and_fill_at_the_last_price(desk: Desk) -> None:
    desk.world.set_price("NFO", CALL, 200.0)
    stop = desk.order(action="SELL", pricetype="SL-M", trigger_price=180.0)["orderid"]
    limit = desk.order(action="SELL", pricetype="SL", trigger_price=180.0, price=178.0)["orderid"]
    assert [desk.status(stop), desk.status(limit)] == ["trigger pending", "trigger pending"]
    desk.world.set_price("NFO", CALL, 150.0)
    desk.world.tick()
    assert [desk.status(stop), desk.status(limit)] == ["complete", "open"]
    assert desk.orders()[1]["average_price"] == 150.0


def test_cancelallorder_leaves_stops_and_closeposition_flattens_all(desk: Desk) -> None:
    desk.world.set_price("NFO", CALL, 200.0)
    desk.order()
    desk.order(PUT, action="SELL")
    desk.order(pricetype="LIMIT", price=10.0)
    stop = desk.order(action="SELL", pricetype="SL-M", trigger_price=100.0)["orderid"]
    assert desk.ask("cancelallorder", strategy="t")["message"] == "Canceled 1 orders. Failed to cancel 0 orders."
    assert desk.ask("closeposition", strategy="other")["closed_positions"] == 2
    assert desk.status(stop) == "trigger pending"
    assert {row["quantity"] for row in desk.ask("positionbook")["data"]} == {0}


def test_the_mis_window_closes_at_1515_unless_always_open() -> None:
    desk = Desk(always_open=False)
    desk.order(product="MIS")
    resting = desk.order(product="MIS", action="SELL", pricetype="SL-M", trigger_price=1.0)["orderid"]
    desk.world.clock.set(MORNING.replace(hour=15, minute=15))
    assert desk.status(resting) == "cancelled"
    assert desk.ask("positionbook")["data"][0]["quantity"] == 0
    assert desk.order(product="MIS")["status"] == "error"
    assert desk.order(product="NRML")["status"] == "success"
    still_open = Desk()
    still_open.world.clock.set(MORNING.replace(hour=23))
    assert still_open.order(product="MIS")["status"] == "success"


def test_mis_left_over_night_is_squared_off_even_if_nobody_looked_at_1515() -> None:
    desk = Desk(always_open=False)
    desk.order(product="MIS")
    desk.order()
    desk.world.clock.set(MORNING + timedelta(days=1))
    desk.world.tick()
    held = {p.product: p.quantity for p in desk.world.accounts[0].broker.positions.values()}
    assert held.get("MIS", 0) == 0 and held["NRML"] == LOT


def test_funds_block_and_free_and_realise(desk: Desk) -> None:
    desk.world.set_price("NFO", CALL, 200.0)
    desk.order(pricetype="LIMIT", price=100.0)
    assert desk.ask("funds")["data"]["utiliseddebits"] == 100.0 * LOT
    desk.ask("cancelallorder", strategy="t")
    assert desk.ask("funds")["data"]["availablecash"] == 10_000_000.0
    desk.order()
    desk.world.set_price("NFO", CALL, 220.0)
    desk.order(action="SELL")
    funds, books = desk.ask("funds")["data"], desk.control("GET", "/accounts/1/books")[1]
    assert funds["availablecash"] == 10_000_000.0 + funds["m2mrealized"]
    assert Decimal(books["realised"]) == Decimal(str(funds["m2mrealized"])) > 0


def test_the_fold_is_exact() -> None:
    position = Position("NFO", CALL, "NRML")
    position.fold(75, Decimal("238.05"))
    position.fold(75, Decimal("237.30"))
    assert position.average == Decimal("237.675")
    assert position.fold(-75, Decimal("235.70")) == Decimal("-148.125")
    assert position.fold(-150, Decimal("235.65")) == Decimal("-151.875")
    assert (position.quantity, position.average) == (-75, Decimal("235.65"))
    position.fold(75, Decimal("236.75"))
    assert (position.quantity, position.average) == (0, Decimal(0))


def test_books_start_again_at_three_in_the_night(desk: Desk) -> None:
    desk.order()
    desk.order(pricetype="LIMIT", price=5.0)
    desk.world.clock.set(MORNING.replace(hour=3) + timedelta(days=1))
    desk.world.tick()
    assert desk.orders() == [] and desk.ask("tradebook")["data"] == []
    assert [row["quantity"] for row in desk.ask("positionbook")["data"]] == [LOT]


def test_an_expired_position_is_settled(desk: Desk) -> None:
    symbol = "NIFTY23NOV2626000CE"
    desk.order(symbol)
    desk.world.clock.set(MORNING.replace(day=24, hour=9))
    desk.world.tick()
    assert desk.world.accounts[0].broker.open_positions() == []


# -- live -------------------------------------------------------------------------------------------------------


def test_a_live_order_passes_through_transit_states(live: Desk) -> None:
    orderid = live.order(quantity=LOT)["orderid"]
    seen = [live.status(orderid)]
    for _ in range(3):
        live.world.clock.advance(0.11)
        seen.append(live.status(orderid))
    assert seen == ["put order req received", "validation pending", "open pending", "open"]
    live.world.tick()
    assert live.status(orderid) == "complete"


def test_a_live_order_fills_in_several_trades(live: Desk) -> None:
    orderid = live.order(quantity=6 * LOT)["orderid"]
    live.pass_time(1.0)
    assert live.status(orderid) == "open"
    live.pass_time(0.5, ticks=2)
    assert live.status(orderid) == "complete"
    trades = live.ask("tradebook")["data"]
    assert [t["quantity"] for t in trades] == [2 * LOT] * 3
    assert all(t["orderid"] == orderid and len(t["timestamp"]) == 8 for t in trades)


def test_a_live_marketable_limit_fills_at_the_touch_not_at_its_limit(live: Desk) -> None:
    live.world.set_price("NFO", CALL, 200.0)
    live.order(pricetype="LIMIT", price=250.0)
    live.pass_time(1.0)
    assert 200.0 < live.ask("tradebook")["data"][0]["average_price"] < 201.0


def test_live_books_have_the_brokers_shapes(live: Desk) -> None:
    live.order()
    live.pass_time(1.0)
    row = live.orders()[0]
    assert not {"average_price", "filled_quantity", "rejection_reason", "strategy"} & row.keys()
    position = live.ask("positionbook")["data"][0]
    assert isinstance(position["average_price"], str)
    funds = live.ask("funds")
    assert "mode" not in funds and all(isinstance(v, str) and v[-3] == "." for v in funds["data"].values())


@pytest.mark.parametrize("wrong", [{"quantity": LOT + 1}, {"pricetype": "LIMIT", "price": 100.03}])
def test_odd_lots_and_off_tick_prices_are_rejected_late(live: Desk, wrong: dict[str, float]) -> None:
    orderid = live.order(**wrong)["orderid"]
    live.pass_time(0.5)
    assert live.status(orderid) == "rejected"


def test_over_the_freeze_quantity_is_rejected_late(live: Desk) -> None:
    orderid = live.order("SENSEX26NOV2685000CE", exchange="BFO", quantity=1020, pricetype="LIMIT", price=0.1)["orderid"]
    live.pass_time(0.5)
    assert live.status(orderid) == "rejected"


def test_market_orders_can_be_refused(live: Desk) -> None:
    live.control("POST", "/profile", account=1, profile="live", refuse_market=True)
    assert live.order()["status"] == "error"
    assert live.order(pricetype="LIMIT", price=500.0)["status"] == "success"


def test_a_live_margin_refusal_is_the_brokers_text(live: Desk) -> None:
    assert "Insufficient funds. Required margin" in live.order(action="SELL", quantity=1000 * LOT)["message"]


@pytest.mark.parametrize("profile", ["sandbox", "live"])
def test_the_split_and_basket_calls_report_each_child(profile: str) -> None:
    desk = Desk(profile=profile)
    order = {"exchange": "NFO", "symbol": CALL, "action": "BUY", "quantity": LOT * 5, "product": "NRML"}
    split = desk.ask("splitorder", strategy="t", splitsize=LOT * 2, **order)
    assert [r["quantity"] for r in split["results"]] == [LOT * 2, LOT * 2, LOT]
    bad = {**order, "symbol": "NOPE"}
    basket = desk.ask("basketorder", strategy="t", orders=[{**order, "action": "SELL"}, bad, order])
    assert basket["status"] == "success"
    assert [r["status"] for r in basket["results"]].count("error") == 1


def test_gtt_fires_when_its_trigger_is_crossed(desk: Desk) -> None:
    desk.world.set_price("NFO", CALL, 200.0)
    gtt = {"trigger_type": "SINGLE", "exchange": "NFO", "symbol": CALL, "action": "BUY", "product": "NRML"}
    placed = desk.ask("placegttorder", strategy="t", quantity=LOT, price=190.0, triggerprice_sl=180.0, **gtt)
    assert placed["trigger_id"].startswith("GTT-261120-")
    desk.world.set_price("NFO", CALL, 170.0)
    desk.world.tick()
    assert desk.orders()[0]["order_status"] == "complete"
    assert desk.ask("gttorderbook")["data"] == []
