"""Modify, to market and cancel all on the orders page: what is offered, what is asked, and the reason where it is not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests import cast, page_rules
from tests.trading import hooks
from trading.models import Book, Order


@pytest.fixture(autouse=True)
def _gate(settings: Any) -> None:
    hooks.reset()
    settings.HOOKS = {**settings.HOOKS, **{name: hooks.NAMES[name] for name in ("entry_gate", "change_gate")}}


@pytest.fixture
def book() -> Book:
    return cast.book(cast.account())


def resting(of: Book, **fields: Any) -> Order:
    return cast.order(of, **{"units": 2 * cast.LOT, "price": Decimal("104.25"), **fields})


def post(path: str, **data: Any) -> Any:
    return cast.signed_in(cast.alice()).post(path, {"idempotency_key": "k", **data}, headers={"HX-Request": "true"})


def shown(path: str = "/orders") -> str:
    return page_rules.text_of(cast.signed_in(cast.alice()).get(path))


def test_a_resting_order_has_all_three_buttons(book: Book) -> None:
    order = resting(book)
    html = cast.signed_in(cast.alice()).get("/orders").content.decode()
    for name in ("modify", "market", "cancel"):
        assert f'id="{name}-{order.pk}"' in html


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"protected": True}, "a market-protected order follows the price by itself"),
        ({"change_state": "UNSURE"}, "an earlier change may still come true"),
        ({"purpose": "HEDGE", "state": "PARTIALLY_FILLED", "protected": True}, "follows the price by itself"),
        ({"to_market": True}, "on its way to the market"),
        ({"purpose": "EXIT"}, "an exit walks to the market by itself"),
    ],
)
def test_where_a_button_is_missing_its_reason_is_said(book: Book, fields: dict[str, Any], why: str) -> None:
    order = resting(book, **fields)
    answer = cast.signed_in(cast.alice()).get("/orders")
    assert why in page_rules.text_of(answer)
    assert f'id="modify-{order.pk}"' not in answer.content.decode()
    assert why in shown(f"/orders/modify?order={order.pk}")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"state": "PENDING_CANCEL"}, "it is being cancelled"),
        ({"state": "UNKNOWN"}, "the broker has not shown it yet"),
        ({"change_state": "ASKED", "asked_price": Decimal("101.00")}, "a change of it is not decided yet"),
    ],
)
def test_what_a_state_says_by_itself_is_said_again_on_the_order_s_own_page_only(
    book: Book, fields: dict[str, Any], why: str
) -> None:
    order = resting(book, **fields)
    answer = cast.signed_in(cast.alice()).get("/orders")
    assert why not in page_rules.text_of(answer) and f'id="modify-{order.pk}"' not in answer.content.decode()
    assert why in shown(f"/orders/modify?order={order.pk}")


def test_what_is_asked_stands_beside_what_it_is(book: Book) -> None:
    resting(book, change_state="ASKED", asked_price=Decimal("101.00"), asked_units=cast.LOT)
    assert "asked 101.00, units 65" in shown()


def test_what_became_of_a_change_is_said(book: Book) -> None:
    resting(book, change_state="REFUSED", change_text="RMS: too far")
    assert "not changed: RMS: too far" in shown()


def test_the_form_is_filled_with_what_the_order_is_and_has_only_its_fields(book: Book) -> None:
    limit = cast.signed_in(cast.alice()).get("/orders/modify", {"order": resting(book).pk}).content.decode()
    assert 'value="104.25"' in limit and 'value="130"' in limit and "trigger_price" not in limit
    assert 'for="modify_price"' in limit and 'id="modify_price"' in limit, "the ticket beside it has fields of the same names"
    stop = resting(book, price_type="SL-M", price=Decimal(0), trigger_price=Decimal("99.00"))
    page = cast.signed_in(cast.alice()).get("/orders/modify", {"order": stop.pk}).content.decode()
    assert 'value="99.00"' in page and 'name="price"' not in page
    hedge = resting(book, purpose="HEDGE", hedge_legs=[2])
    assert 'name="units"' not in cast.signed_in(cast.alice()).get("/orders/modify", {"order": hedge.pk}).content.decode()


def test_a_change_is_asked_and_an_unreachable_server_changes_nothing(book: Book) -> None:
    order = resting(book)
    answer = post("/orders/modify", order=order.pk, units=cast.LOT)
    assert answer.status_code == 200 and "asked" in page_rules.text_of(answer)
    order.refresh_from_db()
    assert (order.change_state, order.asked_units, order.units) == ("REFUSED", cast.LOT, 2 * cast.LOT)
    assert order.change_text.startswith("not sent")


@pytest.mark.parametrize(
    ("typed", "field"), [({"units": 66}, "units"), ({"price": "104.27"}, "price"), ({"units": "many"}, "units"), ({}, "price")]
)
def test_bad_terms_are_refused_with_their_field(book: Book, typed: dict[str, Any], field: str) -> None:
    answer = post("/orders/modify", order=resting(book).pk, **typed)
    assert answer.status_code == 422 and field in answer.content.decode().lower()


def test_the_same_terms_reach_the_other_accounts_of_a_ticket(book: Book) -> None:
    other = cast.book(cast.account("Upstox Uma"))
    mine = resting(book, client_order_id=f"t7-a{book.account_id}-l1-s0-n0")
    theirs = resting(other, client_order_id=f"t7-a{other.account_id}-l1-s0-n0")
    stranger = resting(other, client_order_id=f"t8-a{other.account_id}-l1-s0-n0")
    answer = post("/orders/modify", order=mine.pk, units=cast.LOT, everywhere="on")
    assert "Upstox Uma" in page_rules.text_of(answer) and "Zerodha Anil" in page_rules.text_of(answer)
    states = dict(Order.objects.values_list("pk", "change_state"))
    assert (states[mine.pk], states[theirs.pk], states[stranger.pk]) == ("REFUSED", "REFUSED", "")


def test_a_price_goes_everywhere_and_leaves_each_its_own_quantity(book: Book) -> None:
    other = cast.book(cast.account("Upstox Uma"))
    mine = resting(book, client_order_id=f"t7-a{book.account_id}-l1-s0-n0")
    theirs = resting(other, client_order_id=f"t7-a{other.account_id}-l1-s0-n0", units=cast.LOT)
    cast.quote(mine.key, "104.00")
    post("/orders/modify", order=mine.pk, price="105.00", units=2 * cast.LOT, everywhere="on")
    asked = dict(Order.objects.values_list("pk", "asked_units"))
    assert asked == {mine.pk: 2 * cast.LOT, theirs.pk: cast.LOT}
    answer = post("/orders/modify", order=mine.pk, units=3 * cast.LOT, everywhere="on")
    assert answer.status_code == 422 and "one by one" in page_rules.text_of(answer)


def test_what_works_by_hand_stands_below_the_ticket(book: Book) -> None:
    mine = resting(book)
    cast.order(cast.book(cast.account("Upstox Uma"), cast.run()), symbol=cast.PUT)
    answer = cast.signed_in(cast.alice()).get("/orders/working")
    assert f'id="modify-{mine.pk}"' in answer.content.decode() and cast.PUT not in page_rules.text_of(answer)


def test_to_the_market_asks_for_the_cancel_and_marks_the_wish(book: Book) -> None:
    order = resting(book)
    assert "at the market, protected" in shown(f"/orders/market?order={order.pk}")
    answer = post("/orders/market", order=order.pk)
    order.refresh_from_db()
    # Nobody answers there: the cancel is taken back, the wish stays until it is carried out or taken back.
    assert answer.status_code == 200 and (order.state, order.to_market) == ("ACCEPTED", True)
    assert "on its way to the market" in shown()


def test_every_entry_of_one_account_is_cancelled(book: Book) -> None:
    other = cast.book(cast.account("Upstox Uma"))
    mine, theirs = cast.order(book, state="INITIALIZED"), cast.order(other, state="INITIALIZED", action="BUY")
    answer = post("/orders/cancel-all", account=book.account_id)
    assert "1 entry is being cancelled" in page_rules.text_of(answer)
    assert [Order.objects.get(pk=o.pk).state for o in (mine, theirs)] == ["DENIED", "INITIALIZED"]
    post("/orders/cancel-all", account="")
    assert Order.objects.get(pk=theirs.pk).state == "DENIED"


@pytest.mark.parametrize("account", ["x", "999999"])
def test_an_account_that_is_not_there_cancels_nothing(book: Book, account: str) -> None:
    order = cast.order(book, state="INITIALIZED")
    assert post("/orders/cancel-all", account=account).status_code == 422
    assert Order.objects.get(pk=order.pk).state == "INITIALIZED"


@pytest.mark.parametrize("path", ["/orders/modify", "/orders/market"])
def test_a_risk_officer_changes_nothing(book: Book, path: str) -> None:
    dana = cast._user("dana", "RISK")
    order = resting(book)
    client = cast.signed_in(dana)
    assert client.post(path, {"order": order.pk, "units": 65, "idempotency_key": "k"}).status_code == 403
    assert f'id="modify-{order.pk}"' not in client.get("/orders").content.decode()


@pytest.mark.parametrize("path", ["/orders/modify", "/orders/market", "/orders/cancel-all"])
def test_the_pages_without_scripts_answer_and_are_clean(book: Book, path: str) -> None:
    answer = cast.signed_in(cast.alice()).get(path, {"order": resting(book).pk})
    assert answer.status_code == 200 and page_rules.inline_parts(answer) == []


@pytest.mark.parametrize("number", ["", "x", "0", "9" * 30])
def test_an_order_that_is_not_there_is_not_found(number: str) -> None:
    for path in ("/orders/modify", "/orders/market"):
        assert cast.signed_in(cast.alice()).get(path, {"order": number}).status_code == 404
