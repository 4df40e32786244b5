"""CSV of what a list shows, and long lists page by page without tearing an intention apart."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import cast, page_rules
from trading.models import Fill, Order
from trading.pages import orders, trades


def table(path: str) -> list[dict[str, str]]:
    response = cast.signed_in(cast.bob()).get(path)
    assert response["Content-Disposition"].startswith("attachment")
    body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.DictReader(io.StringIO(body)))


def test_orders_leave_as_the_filter_asks() -> None:
    anil, bina = cast.account("Anil One"), cast.account("Bina Two")
    cast.position(cast.book(anil, cast.run()), price="104.00")
    cast.order(cast.book(bina), state="REJECTED", reason="=margin short")
    assert [row["account"] for row in table("/orders.csv")] == ["Bina Two", "Anil One"]
    (row,) = table(f"/orders.csv?account={bina.pk}")
    assert (row["state"], row["reason"], row["owner"]) == ("REJECTED", "'=margin short", "ticket")
    (row,) = table("/orders.csv?state=filled")
    assert (row["units"], row["average"]) == ("65", "104.000000")


def test_trades_leave_with_price_value_and_slippage() -> None:
    cast.position(cast.book(cast.account(), cast.run()), price="104.00")
    (row,) = table("/trades.csv")
    assert (row["value"], row["slippage"], row["source"]) == ("6760.000000", "-65.000000", "TRADE_BOOK")


def test_positions_leave_with_the_brokers_view_and_unknown_is_empty() -> None:
    anil = cast.account()
    cast.position(cast.book(anil, cast.run()), price="104.00")
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -65), cast.shown(cast.PUT, 130)])
    call, put = sorted(table("/positions.csv"), key=lambda row: row["symbol"], reverse=True)
    assert (call["units"], call["unrealised"], call["outside"], call["check"]) == ("-65", "", "0", "agrees")
    assert (put["owner"], put["units"], put["broker units"]) == ("outside", "", "130")


def test_past_runs_leave_too() -> None:
    from algomirror.kernel import clock

    cast.run("Fly", state="CLOSED", flat_at=clock.now(), exit_reason="MANUAL")
    (row,) = table("/runs.csv")
    assert (row["name"], row["exit reason"]) == ("Fly", "MANUAL")


def test_a_day_of_many_orders_is_turned_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "SHOWN_AT_MOST", 4)
    book = cast.book(cast.account(), cast.run())
    for leg in range(1, 7):
        cast.order(book, leg=leg, client_order_id=f"r1-a1-l{leg}-s0-n0", symbol=f"LEG{leg}")
    client = cast.signed_in(cast.alice())
    first = page_rules.text_of(client.get("/orders"))
    assert "LEG6" in first and "LEG3" in first and "LEG2" not in first
    older = orders.orders_page(orders.Wish()).older
    second = page_rules.text_of(client.get(f"/orders?before={older}"))
    assert "LEG2" in second and "LEG1" in second and "LEG3" not in second
    assert f'hx-get="/orders/rows?before={older}"' in second
    assert "Newest" in second and ">Older<" not in second


def test_an_intention_is_shown_once_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "SHOWN_AT_MOST", 3)
    book = cast.book(cast.account(), cast.run())
    made: Any = [("l1", 0), ("l2", 0), ("l3", 0), ("l1", 1), ("l3", 1)]
    for leg, attempt in made:
        cast.order(book, leg=int(leg[1]), attempt=attempt, client_order_id=f"r1-a1-{leg}-s0-n{attempt}", state="CANCELED")
    first = orders.orders_page(orders.Wish())
    second = orders.orders_page(orders.Wish(before=first.older))
    whole = {parent.head.name: len(parent.children) or 1 for page in (first, second) for parent in page.parents}
    assert whole == {"r1-a1-l1": 2, "r1-a1-l3": 2, "r1-a1-l2-s0-n0": 1}
    assert sum(len(page.parents) for page in (first, second)) == 3


def test_sums_of_trades_are_over_all_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trades, "SHOWN_AT_MOST", 2)
    book = cast.book(cast.account(), cast.run())
    for leg in range(1, 5):
        cast.position(book, leg=leg, symbol=f"LEG{leg}", price="100.00")
    page = trades.trades_page(trades.Wish())
    assert (len(page.rows), page.sold, page.slippage) == (2, 26_000, -1_300)
    rest = trades.trades_page(trades.Wish(before=page.older))
    assert (len(rest.rows), rest.sold, rest.older) == (2, 26_000, None)


@pytest.mark.parametrize("before", ["nonsense", "-1", "9" * 30])
def test_nonsense_as_a_page_is_the_newest(before: str) -> None:
    cast.order(cast.book(cast.account()), symbol="KEPT")
    assert "KEPT" in page_rules.text_of(cast.signed_in(cast.alice()).get("/orders", {"before": before}))


def test_five_thousand_orders_cost_no_more_queries_than_five() -> None:
    book = cast.book(cast.account(), cast.run())
    one = cast.order(book)
    Order.objects.bulk_create(
        [
            Order(
                **{f.attname: getattr(one, f.attname) for f in Order._meta.concrete_fields if f.name not in ("id",)}
                | {"client_order_id": f"r1-a1-l{n}-s0-n0", "broker_order_id": f"B{n}", "leg": n % 300}
            )
            for n in range(2, 5001)
        ]
    )
    with CaptureQueriesContext(connection) as asked:
        page = orders.orders_page(orders.Wish())
    assert len(asked) <= 8
    assert sum(len(parent.children) or 1 for parent in page.parents) == orders.SHOWN_AT_MOST
    assert not Fill.objects.exists()
