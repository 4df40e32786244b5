"""modifyorder as servers serve it: what it takes, what it keeps, and how its answer can mislead."""

from __future__ import annotations

from typing import Any

import pytest

from simulator.rest.core import Outcome
from tests.simulator.desk import CALL, LOT, Desk


@pytest.fixture(params=["sandbox", "live"])
def desk(request: pytest.FixtureRequest) -> Desk:
    return Desk(profile=request.param)


def resting(desk: Desk, lots: int = 2) -> str:
    orderid = str(desk.order(pricetype="LIMIT", price=1.0, quantity=lots * LOT)["orderid"])
    desk.pass_time(1.0)
    return orderid


def modify(desk: Desk, orderid: str, **changes: Any) -> Outcome:
    asked = {
        "strategy": "t",
        "exchange": "NFO",
        "symbol": CALL,
        "action": "BUY",
        "product": "NRML",
        "pricetype": "LIMIT",
        "orderid": orderid,
        "price": 1.0,
        "quantity": 2 * LOT,
        "disclosed_quantity": 0,
        "trigger_price": 0,
    }
    return desk.send("modifyorder", **{**asked, **changes})


def shown(desk: Desk) -> list[tuple[float, int]]:
    return [(row["price"], row["quantity"]) for row in desk.orders()]


def test_price_and_total_quantity_are_taken(desk: Desk) -> None:
    assert modify(desk, resting(desk), price=2.5, quantity=LOT).status == 200
    assert shown(desk) == [(2.5, LOT)]


@pytest.mark.parametrize("kind", ["timeout_after_accept", "lost_reply"])
def test_an_answer_can_be_lost_with_the_change_made(desk: Desk, kind: str) -> None:
    orderid = resting(desk)
    desk.world.faults.add(kind, endpoint="modifyorder")
    assert modify(desk, orderid, price=2.5).transport in ("hang", "drop")
    assert shown(desk) == [(2.5, 2 * LOT)]


def test_a_change_can_be_refused(desk: Desk) -> None:
    orderid = resting(desk)
    desk.world.faults.add("refuse", endpoint="modifyorder")
    assert modify(desk, orderid, price=2.5).status == 400
    assert shown(desk) == [(1.0, 2 * LOT)]


def test_a_cancel_can_be_refused(desk: Desk) -> None:
    orderid = resting(desk)
    desk.world.faults.add("refuse", endpoint="cancelorder")
    assert desk.send("cancelorder", strategy="t", orderid=orderid).status == 400
    assert desk.status(orderid) == "open"


def test_modify_ignored_says_success_and_changes_nothing(desk: Desk) -> None:
    orderid = resting(desk)
    desk.arm("modify_ignored")
    assert modify(desk, orderid, price=2.5).status == 200
    assert shown(desk) == [(1.0, 2 * LOT)]


def test_modify_renames_gives_the_changed_order_another_id(desk: Desk) -> None:
    orderid = resting(desk)
    desk.arm("modify_renames")
    modify(desk, orderid, price=2.5)
    assert shown(desk) == [(2.5, 2 * LOT)]
    assert desk.orders()[0]["orderid"] != orderid


def test_no_less_than_what_traded_and_complete_at_exactly_that(desk: Desk) -> None:
    desk.world.faults.add("partial_fill", fraction=0.5)
    orderid = str(desk.order(pricetype="LIMIT", price=900.0, quantity=2 * LOT)["orderid"])
    desk.pass_time(1.0, ticks=3)
    broker = desk.world.accounts[0].broker
    assert broker.orders[orderid].filled == LOT
    assert modify(desk, orderid, price=900.0, quantity=0).status == 400
    assert modify(desk, orderid, price=900.0, quantity=LOT).status == 200
    assert (desk.status(orderid), broker.orders[orderid].pending) == ("complete", 0)
    assert modify(desk, orderid, price=900.0, quantity=2 * LOT).status >= 400
