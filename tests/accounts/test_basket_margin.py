"""The broker's basket margin: strings on the wire, a total or a failure, never a guess."""

from __future__ import annotations

import json
from decimal import Decimal

import httpx
import pytest

from accounts.gateway import parse
from accounts.gateway.reports import Failed, MarginPosition, Read, Why
from simulator.world import World
from tests.accounts.far import gateway, saying

SHORT = MarginPosition("NFO", "NIFTY24NOV2626000CE", "SELL", "NRML", 65)


def test_the_simulator_answers_for_a_whole_basket():
    world = World(accounts=1, always_open=True, limits=None)
    door = gateway(world)
    listed = door.instruments("NFO")
    assert isinstance(listed, Read)
    symbol = next(row.symbol for row in listed.value if row.name == "NIFTY" and row.kind == "CE")
    one = door.basket_margin([MarginPosition("NFO", symbol, "SELL", "NRML", 65)])
    two = door.basket_margin([MarginPosition("NFO", symbol, "SELL", "NRML", 130)])
    assert isinstance(one, Read) and isinstance(two, Read)
    assert one.value.total > 0 and abs(two.value.total - 2 * one.value.total) <= Decimal("0.02")


def test_every_value_is_a_string():
    seen: list[dict[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(json.loads(request.content)["positions"][0])
        return httpx.Response(200, json={"status": "success", "data": {"total_margin_required": 12.5}})

    saying(answer).basket_margin([SHORT])
    assert seen == [
        {
            "exchange": "NFO",
            "symbol": "NIFTY24NOV2626000CE",
            "action": "SELL",
            "quantity": "65",
            "product": "NRML",
            "pricetype": "MARKET",
            "price": "0",
            "trigger_price": "0",
        }
    ]


@pytest.mark.parametrize(
    "data", [{}, {"total_margin_required": None}, {"total_margin_required": "much"}, {"total_margin_required": -1}, []]
)
def test_what_holds_no_total_is_unreadable(data):
    found = parse.basket_margin({"status": "success", "data": data})
    assert isinstance(found, Failed) and found.why is Why.UNREADABLE


@pytest.mark.parametrize("status", [404, 501])
def test_a_broker_without_it_refuses(status):
    answer = saying(lambda _: httpx.Response(status, json={"status": "error", "message": "not supported"})).basket_margin([SHORT])
    assert isinstance(answer, Failed)
