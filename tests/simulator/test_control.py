"""The control port: what it answers, and that it names what is wrong."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from typing import Any

import pytest

from simulator.control.api import control
from tests.simulator.desk import CALL, LOT, Desk


def test_state_tells_clock_prices_ports_keys_and_faults(desk: Desk) -> None:
    desk.arm("refuse")
    _, state = desk.control("GET", "/state")
    base = desk.runtime.ports.base
    assert state["clock"]["now"] == "2026-11-20T10:00:00+05:30"
    assert {"NIFTY", "BANKNIFTY", "SENSEX", "INDIAVIX"} <= state["indices"].keys()
    assert [(a["rest_port"], a["ws_port"]) for a in state["accounts"]] == [(base + 1, base + 2), (base + 3, base + 4)]
    assert state["accounts"][0]["api_key"] == desk.world.accounts[0].api_key
    assert state["faults"][0]["kind"] == "refuse"


def test_books_are_exact_and_textual(desk: Desk) -> None:
    desk.world.set_price("NFO", CALL, 200.0)
    orderid = desk.order()["orderid"]
    _, books = desk.control("GET", "/accounts/1/books")
    assert books["orders"][0]["orderid"] == orderid
    assert Decimal(books["trades"][0]["price"]) == Decimal(books["orders"][0]["average"])
    assert books["positions"][0]["quantity"] == LOT
    assert Decimal(books["realised"]) == 0


def test_an_outside_order_appears_without_a_strategy(desk: Desk) -> None:
    status, answer = desk.control("POST", "/outside-order", account=1, symbol=CALL, action="SELL", quantity=LOT)
    assert status == 200
    row = desk.orders()[0]
    assert (row["orderid"], row["strategy"], row["product"]) == (answer["orderid"], "", "NRML")


def test_squareoff_cancels_and_flattens_that_product(desk: Desk) -> None:
    desk.order(product="MIS")
    desk.order()
    stop = desk.order(product="MIS", action="SELL", pricetype="SL-M", trigger_price=1.0)["orderid"]
    assert desk.control("POST", "/squareoff", account=1)[1]["closed"] == 1
    assert desk.status(stop) == "cancelled"
    assert sorted(row["quantity"] for row in desk.ask("positionbook")["data"]) == [0, LOT]


def test_profile_and_analyzer_choose_the_broker(desk: Desk) -> None:
    desk.control("POST", "/profile", account=1, profile="live")
    assert "mode" not in desk.ask("funds")
    desk.control("POST", "/analyzer", account=1, on=True)
    assert desk.ask("funds")["mode"] == "analyze"


def test_latency_delays_one_endpoint_or_all(desk: Desk) -> None:
    desk.control("POST", "/latency", account="all", ms=20)
    desk.control("POST", "/latency", account=1, ms=300, endpoint="placeorder")
    assert desk.place().delay_s == 0.3
    assert desk.send("ping").delay_s == 0.02


def test_price_percent_shock_iv_step_and_clock(desk: Desk) -> None:
    spot = desk.world.market.spot("NIFTY")
    moved = desk.control("POST", "/price", exchange="NSE_INDEX", symbol="NIFTY", percent=1.0)[1]["price"]
    assert moved == pytest.approx(spot * 1.01, abs=0.01)
    desk.control("POST", "/shock", underlying="NIFTY", percent=-1.0)
    assert desk.world.market.spot("NIFTY") == pytest.approx(moved * 0.99, abs=0.01)
    desk.control("POST", "/iv", underlying="NIFTY", add=0.05)
    assert desk.world.market.prices.smiles["NIFTY"].base == pytest.approx(0.175)
    assert desk.control("POST", "/step", n=5)[1]["ticks"] == 5
    assert desk.control("POST", "/clock", advance=60)[1]["now"] == "2026-11-20T10:01:00+05:30"


def test_reset_empties_books_and_faults_but_keeps_sockets(desk: Desk) -> None:
    desk.order()
    desk.arm("refuse")
    heard: list[Any] = []
    desk.world.accounts[0].sink = heard.append
    desk.control("POST", "/reset")
    assert desk.orders() == [] and desk.control("GET", "/faults")[1]["faults"] == []
    assert desk.ask("funds")["data"]["availablecash"] == 10_000_000.0
    desk.order()
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/price", {"exchange": "NFO", "symbol": "NOPE", "price": 1}, "symbol"),
        ("/price", {"exchange": "NFO", "symbol": CALL}, "price"),
        ("/price", {"exchange": "NFO", "symbol": CALL, "price": -1}, "price"),
        ("/price", {"exchange": "NFO", "symbol": CALL, "price": 1, "percent": 1}, "price"),
        ("/price", {"exchange": "NFO", "symbol": CALL, "price": 1, "extra": 1}, "extra"),
        ("/path", {"underlying": "NIFTY", "points": []}, "points"),
        ("/path", {"underlying": "NIFTY", "points": [[5, 1], [2, 1]]}, "points"),
        ("/path", {"underlying": "DOW", "points": [[1, 1]]}, "underlying"),
        ("/iv", {"underlying": "NIFTY"}, "vol"),
        ("/iv", {"underlying": "NIFTY", "vol": 0}, "vol"),
        ("/shock", {"underlying": "NIFTY"}, "percent"),
        ("/shock", {"underlying": "NIFTY", "percent": -100}, "percent"),
        ("/tick", {"ms": 5}, "ms"),
        ("/tick", {"ms": "500"}, "ms"),
        ("/step", {"n": 0}, "n"),
        ("/clock", {}, "at"),
        ("/clock", {"at": "tomorrow"}, "at"),
        ("/clock", {"rate": -1}, "rate"),
        ("/latency", {"account": 9, "ms": 1}, "account"),
        ("/latency", {"account": 1, "ms": -1}, "ms"),
        ("/profile", {"account": 1, "profile": "paper"}, "profile"),
        ("/analyzer", {"account": 1, "on": "yes"}, "on"),
        ("/outside-order", {"account": 1, "symbol": CALL, "action": "HOLD", "quantity": 65}, "action"),
        ("/outside-order", {"account": 1, "symbol": CALL, "action": "BUY", "quantity": 64}, "symbol"),
        ("/squareoff", {"account": "x"}, "account"),
        ("/faults", {"kind": "earthquake"}, "kind"),
        ("/faults", {}, "kind"),
        ("/faults", {"kind": "refuse", "account": 7}, "account"),
        ("/faults", {"kind": "refuse", "probability": 2}, "probability"),
        ("/faults", {"kind": "refuse", "count": 0}, "count"),
        ("/faults", {"kind": "refuse", "count": "many"}, "count"),
        ("/faults", {"kind": "refuse", "params": {"colour": "red"}}, "params.colour"),
        ("/faults", {"kind": "refuse", "when": "now"}, "when"),
        ("/faults", {"kind": "refuse", "endpoint": "palceorder"}, "endpoint"),
        ("/faults", {"kind": "slow_fill", "params": {"seconds": "3"}}, "params.seconds"),
        ("/faults", {"kind": "books_fail", "params": {"book": "cookbook"}}, "params.book"),
    ],
)
def test_bad_input_is_a_400_that_names_the_field(desk: Desk, path: str, body: dict[str, Any], field: str) -> None:
    status, answer = desk.control("POST", path, **body) if body else control(desk.runtime, "POST", path, b"{}")
    assert (status, answer["field"]) == (400, field), answer
    assert answer["error"]


def test_not_json_not_an_object_and_unknown_paths(desk: Desk) -> None:
    assert control(desk.runtime, "POST", "/price", b"{")[0] == 400
    assert control(desk.runtime, "POST", "/price", b"[1]")[0] == 400
    assert control(desk.runtime, "POST", "/nowhere", b"")[0] == 404
    assert control(desk.runtime, "DELETE", "/faults/99", b"")[0] == 404
    assert control(desk.runtime, "GET", "/accounts/9/books", b"")[0] == 400


def test_it_needs_no_django_and_no_other_package_of_the_project() -> None:
    probe = (
        "import sys, simulator.__main__;"
        "banned = {'django', 'algomirror', 'accounts', 'marketdata', 'trading', 'risk', 'strategies'};"
        "sys.exit(bool(banned & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def test_capital_is_what_funds_follow(desk: Desk) -> None:
    assert desk.control("POST", "/capital", account=2, rupees=50_000)[0] == 200
    funds = [desk.ask("funds", account=number)["data"]["availablecash"] for number in (1, 2)]
    assert [Decimal(str(cash)) for cash in funds] == [Decimal(10_000_000), Decimal(50_000)]
    assert desk.control("POST", "/capital", account=2, rupees=-1)[1]["field"] == "rupees"
