"""Modify, to the market, cancel and close by the API: the same services, each command once per key."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from algomirror.kernel import clock
from risk.services.ceilings import usage
from tests.api.caller import Caller, account
from tests.strategies import stage
from trading.models import Book, ExitGoal, Order, Position


def working(owner: Caller, n: int = 1, **fields: Any) -> Order:
    """A ticket's limit, accepted by a broker that answers nothing any more."""
    one = account(n)
    exchange, _, symbol = stage.option(24050, "CE").partition(":")
    leg = {"exchange": exchange, "symbol": symbol, "action": "BUY", "lots": 2}
    asked = {"legs": [leg], "accounts": [one.pk], "product": "NRML", "price_type": "LIMIT", "price": "90.05"}
    plan = owner.post("ticket/preview", asked).json()
    sent = owner.post("ticket/send", {"plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"]}).json()
    pk = sent["orders"][0]
    Order.objects.filter(pk=pk).update(**{"state": "ACCEPTED", "broker_order_id": f"B{pk}", **fields})
    return Order.objects.get(pk=pk)


def held(order: Order, units: int = 130) -> Position:
    return Position.objects.create(
        book=order.book,
        exchange=order.exchange,
        symbol=order.symbol,
        product="NRML",
        leg=order.leg,
        units=units,
        open_value=Decimal(95) * units,
    )


def test_a_change_is_asked_and_in_doubt_until_the_book_shows_it(owner: Caller) -> None:
    order = working(owner)
    answer = owner.post(f"orders/{order.pk}/modify", {"price": "91.00"}, key="one")
    assert answer.status_code == 202, answer.json()
    body = answer.json()
    assert (body["change_state"], body["asked_price"], body["price"]) == ("ASKED", "91.00", "90.05")
    assert owner.post(f"orders/{order.pk}/modify", {"price": "91.00"}, key="one").json()["replayed"] is True


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "price"),
        ({"price": "91.02"}, "price"),
        ({"price": "500"}, "price"),
        ({"price": "abc"}, "price"),
        ({"units": 66}, "units"),
        ({"units": "1e9"}, "units"),
        ({"trigger_price": "91"}, "trigger_price"),
        ({"quantity": 65}, "quantity"),
    ],
)
def test_bad_terms_are_refused_by_field(owner: Caller, body: dict[str, Any], field: str) -> None:
    order = working(owner)
    answer = owner.post(f"orders/{order.pk}/modify", body)
    assert answer.status_code in (400, 422) and field in answer.json()["error"]["fields"]
    assert Order.objects.get(pk=order.pk).change_state == ""


def test_more_units_pass_the_whole_gate(owner: Caller) -> None:
    order = working(owner)
    stage.funds_read(order.account, 1000)
    answer = owner.post(f"orders/{order.pk}/modify", {"units": 650})
    assert answer.status_code == 422 and answer.json()["error"]["code"] == "MARGIN_SHORT"
    stage.funds_read(order.account, 10_000_000)
    assert owner.post(f"orders/{order.pk}/modify", {"units": 650}).status_code == 202


def test_units_in_doubt_count_against_the_account_s_limits(owner: Caller) -> None:
    order = working(owner)
    assert owner.post(f"orders/{order.pk}/modify", {"units": 650}).json()["change_state"] == "ASKED"
    assert usage(clock.now())[order.account_id].lots == 10


def test_a_paused_account_takes_less_but_nothing_else(owner: Caller) -> None:
    order = working(owner)
    type(order.account).objects.filter(pk=order.account_id).update(entries_enabled=False)
    denied = owner.post(f"orders/{order.pk}/modify", {"price": "91.00"})
    assert denied.status_code == 422 and denied.json()["error"]["code"] == "ACCOUNT_REDUCING"
    assert owner.post(f"orders/{order.pk}/convert").json()["error"]["code"] == "ACCOUNT_REDUCING"
    assert owner.post(f"orders/{order.pk}/modify", {"units": 65}).status_code == 202


def test_to_the_market_by_the_api(owner: Caller) -> None:
    order = working(owner)
    body = owner.post(f"orders/{order.pk}/convert").json()
    assert (body["state"], body["to_market"]) == ("PENDING_CANCEL", True)


def test_several_orders_have_an_outcome_each(owner: Caller) -> None:
    good, done = working(owner, 1), working(owner, 2, state="FILLED", filled_units=130)
    asked = owner.post("orders/modify", {"orders": [good.pk, done.pk], "price": "91.00"})
    assert asked.status_code == 202
    first, second = asked.json()["outcomes"]
    assert first["asked"] and first["change_state"] == "ASKED"
    assert not second["asked"] and "finished" in second["error"]
    assert owner.post("orders/convert", {"orders": [done.pk]}).json()["outcomes"][0]["asked"] is False
    cancelled = owner.post("orders/cancel", {"orders": [good.pk, done.pk]}).json()["outcomes"]
    assert [one["state"] for one in cancelled] == ["PENDING_CANCEL", "FILLED"]


def test_one_foreign_order_among_several_asks_for_none(owner: Caller) -> None:
    mine, theirs = working(owner, 1), working(owner, 2)
    limited = Caller.of(stage.alice(), scopes=["read", "trade", "exit"], accounts=[mine.account_id])
    body = {"orders": [mine.pk, theirs.pk]}
    for path in ("orders/modify", "orders/convert", "orders/cancel"):
        more = {"price": "91.00"} if path == "orders/modify" else {}
        assert limited.post(path, body | more).status_code == 404
    assert set(Order.objects.values_list("state", "change_state")) == {("ACCEPTED", "")}


@pytest.mark.parametrize("body", [{}, {"account": 1, "everywhere": True}, {"everywhere": False}, {"acount": 1}, {"accounts": []}])
def test_whose_orders_are_cancelled_or_closed_is_said_exactly(owner: Caller, body: dict[str, Any]) -> None:
    for path in ("orders/cancel-all", "positions/close-all"):
        assert owner.post(path, body).status_code == 400


def test_entries_are_cancelled_in_the_accounts_named_or_in_all(owner: Caller) -> None:
    rows = [working(owner, n, state="INITIALIZED") for n in (1, 2, 3)]
    assert owner.post("orders/cancel-all", {"accounts": [rows[0].account_id, rows[1].account_id]}).json()["asked"] == 2
    limited = Caller.of(stage.alice(), scopes=["exit"], accounts=[rows[0].account_id])
    assert limited.post("orders/cancel-all", {"everywhere": True}).json()["asked"] == 0
    assert owner.post("orders/cancel-all", {"everywhere": True}).json()["asked"] == 1


def test_a_part_a_book_and_an_account_are_closed(owner: Caller) -> None:
    position = held(working(owner, state="FILLED", filled_units=130))
    part = owner.post(f"positions/{position.pk}/close", {"units": 65}).json()
    assert list(part["goal"]["targets"].values()) == [65]
    assert owner.post(f"positions/{position.pk}/close", {"units": 64}).status_code == 400
    book = owner.post(f"books/{position.book_id}/close").json()
    assert book["goal"]["targets"] is None
    account_wide = owner.post(f"accounts/{position.book.account_id}/close").json()
    assert [goal["id"] for goal in account_wide["goals"]] == [book["goal"]["id"]]


def test_everything_is_what_the_caller_may_see(owner: Caller) -> None:
    positions = [held(working(owner, n, state="FILLED", filled_units=130)) for n in (1, 2)]
    limited = Caller.of(stage.alice(), scopes=["exit"], accounts=[positions[0].book.account_id])
    assert len(limited.post("positions/close-all", {"everywhere": True}).json()["goals"]) == 1
    assert limited.post(f"books/{positions[1].book_id}/close").status_code == 404
    assert limited.post(f"accounts/{positions[1].book.account_id}/close").status_code == 404
    assert len(owner.post("positions/close-all", {"everywhere": True}).json()["goals"]) == 2


def test_one_leg_of_a_run_is_left_everywhere(owner: Caller) -> None:
    run = stage.started([account(1), account(2)])
    stage.filled(run)
    # Leg 2 covers leg 1: alone it is not sold.
    assert owner.post(f"runs/{run.pk}/exit", {"leg": 2}).status_code == 400
    answer = owner.post(f"runs/{run.pk}/exit", {"leg": 1})
    assert len(answer.json()["goals"]) == 2
    assert {len(goal.targets or {}) for goal in ExitGoal.objects.all()} == {1}
    assert owner.post(f"runs/{run.pk}/exit", {"leg": 0}).status_code == 400


def test_a_viewer_and_a_token_to_leave_change_nothing(owner: Caller) -> None:
    order = working(owner)
    leaver = Caller.of(stage.alice(), scopes=["read", "exit"])
    for path in (f"orders/{order.pk}/modify", f"orders/{order.pk}/convert", "orders/modify", "orders/convert"):
        assert leaver.post(path, {}).status_code == 403
    assert Book.objects.filter(kind="TICKET").count() == 1
