"""Every fault kind of the control port does what it says."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest

from simulator.faults import KINDS
from tests.simulator.desk import CALL, LOT, PUT, Desk


def test_every_kind_has_its_test() -> None:
    files = Path(__file__).parent.glob("test_faults*.py")
    tested = {kind for file in files for kind in re.findall(r"arm\(\s*\"(\w+)\"", file.read_text())}
    assert tested == set(KINDS)


# -- the reply goes wrong, the order may stand ------------------------------------------------------------------


def test_timeout_after_accept_hangs_with_the_order_in_the_book(desk: Desk) -> None:
    desk.arm("timeout_after_accept")
    assert desk.place().transport == "hang"
    assert len(desk.orders()) == 1


def test_timeout_before_accept_hangs_with_no_order(desk: Desk) -> None:
    desk.arm("timeout_before_accept")
    with desk.untouched():
        assert desk.place().transport == "hang"


def test_lost_reply_drops_the_connection_after_the_work(desk: Desk) -> None:
    desk.arm("lost_reply")
    assert desk.place().transport == "drop"
    assert len(desk.orders()) == 1


def test_drop_before_drops_the_connection_without_work(desk: Desk) -> None:
    desk.arm("drop_before", endpoint="placeorder")
    with desk.untouched():
        assert desk.place().transport == "drop"


@pytest.mark.parametrize("accepted", [True, False])
def test_http_5xx_fails_with_or_without_the_order(desk: Desk, accepted: bool) -> None:
    desk.arm("http_5xx", endpoint="placeorder", params={"status": 503, "accepted": accepted})
    assert desk.place().status == 503
    assert len(desk.orders()) == int(accepted)
    assert desk.place().status == 200


@pytest.mark.parametrize("accepted", [True, False])
def test_html_502_is_a_page_not_json(desk: Desk, accepted: bool) -> None:
    desk.arm("html_502", endpoint="placeorder", params={"accepted": accepted})
    reply = desk.place()
    assert (reply.status, reply.content_type) == (502, "text/html")
    assert reply.payload.startswith(b"<html>")
    assert len(desk.orders()) == int(accepted)


def test_broken_body_is_cut_json_after_the_work(desk: Desk) -> None:
    desk.arm("broken_body", endpoint="placeorder")
    reply = desk.place()
    assert reply.status == 200
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.payload)
    assert len(desk.orders()) == 1


def test_rate_limited_is_the_servers_bare_429(desk: Desk) -> None:
    desk.arm("rate_limited", endpoint="placeorder")
    with desk.untouched():
        reply = desk.place()
    assert (reply.status, json.loads(reply.payload)) == (429, {"message": "10 per 1 second"})


def test_wrong_number_types_makes_text_of_numbers(desk: Desk) -> None:
    desk.order()
    desk.arm("wrong_number_types", endpoint="orderbook")
    assert desk.orders()[0]["quantity"] == str(LOT)
    assert desk.orders()[0]["quantity"] == LOT


# -- the order goes wrong ---------------------------------------------------------------------------------------


def test_refuse_answers_the_given_text_and_status(desk: Desk) -> None:
    desk.arm("refuse", params={"message": "RMS:Margin Exceeds", "status": 500})
    with desk.untouched():
        reply = desk.place()
    assert reply.status == 500
    assert json.loads(reply.payload)["message"] == "RMS:Margin Exceeds"


@pytest.mark.parametrize("profile", ["sandbox", "live"])
def test_reject_later_accepts_and_rejects_after_a_while(profile: str) -> None:
    desk = Desk(profile=profile)
    desk.arm("reject_later", params={"after_s": 0.5, "reason": "RMS:late"})
    orderid = desk.order()["orderid"]
    assert desk.status(orderid) != "rejected"
    desk.pass_time(0.6)
    assert desk.status(orderid) == "rejected"
    assert desk.control("GET", "/accounts/1/books")[1]["orders"][0]["reason"] == "RMS:late"


@pytest.mark.parametrize("null", [True, False])
def test_no_order_id_is_a_success_that_names_no_order(desk: Desk, null: bool) -> None:
    desk.arm("no_order_id", params={"null": null})
    body = desk.order()
    assert body["status"] == "success"
    assert ("orderid" in body) is null
    assert body.get("orderid") is None
    assert len(desk.orders()) == 1


def test_semi_auto_queue_waits_for_a_human(desk: Desk) -> None:
    desk.arm("semi_auto_queue")
    with desk.untouched():
        body = desk.order()
    assert body == {
        "message": "Order queued for approval in Action Center",
        "mode": "semi_auto",
        "pending_order_id": 1,
        "status": "success",
    }


def test_late_visibility_hides_the_order_for_some_seconds(desk: Desk) -> None:
    desk.arm("late_visibility", params={"seconds": 3.0})
    orderid = desk.order()["orderid"]
    assert desk.orders() == []
    assert desk.ask("tradebook")["data"] == []
    assert desk.send("orderstatus", strategy="t", orderid=orderid).status == 404
    desk.pass_time(3.1)
    assert [row["orderid"] for row in desk.orders()] == [orderid]


def test_missing_trades_empties_the_trade_book_for_some_reads(desk: Desk) -> None:
    desk.arm("missing_trades", params={"reads": 2})
    desk.order()
    assert desk.orders()[0]["order_status"] == "complete"
    assert [len(desk.ask("tradebook")["data"]) for _ in range(3)] == [0, 0, 1]


def test_partial_fill_leaves_the_rest_open(desk: Desk) -> None:
    desk.arm("partial_fill", params={"fraction": 0.5, "seconds": 5.0})
    orderid = desk.order(quantity=4 * LOT)["orderid"]
    desk.pass_time(1.0)
    row = desk.orders()[0]
    assert (row["order_status"], row["filled_quantity"], row["pending_quantity"]) == ("open", 2 * LOT, 2 * LOT)
    desk.pass_time(5.0)
    assert desk.status(orderid) == "complete"


def test_slow_fill_keeps_a_market_order_open(desk: Desk) -> None:
    desk.arm("slow_fill", params={"seconds": 3.0})
    orderid = desk.order()["orderid"]
    desk.pass_time(2.0)
    assert desk.status(orderid) == "open"
    desk.pass_time(1.1)
    assert desk.status(orderid) == "complete"


# -- books and account ------------------------------------------------------------------------------------------


def test_token_expired_refuses_every_call_until_removed(desk: Desk) -> None:
    fault = desk.arm("token_expired")
    for endpoint in ("ping", "funds", "orderbook"):
        assert desk.send(endpoint).status == 403
        assert desk.ask(endpoint)["message"] == "Invalid openalgo apikey"
    assert desk.send("ping", account=2).status == 200
    desk.control("DELETE", f"/faults/{fault['id']}")
    assert desk.send("ping").status == 200


def test_empty_funds_is_a_success_without_figures(desk: Desk) -> None:
    desk.arm("empty_funds")
    assert desk.ask("funds") == {"data": {}, "mode": "analyze", "status": "success"}


@pytest.mark.parametrize("book", ["orderbook", "tradebook", "positionbook", "holdings"])
def test_books_fail_answers_500_on_the_named_book(desk: Desk, book: str) -> None:
    desk.arm("books_fail", params={"book": book})
    others = {"orderbook", "tradebook", "positionbook", "holdings"} - {book}
    assert all(desk.send(other).status == 200 for other in others)
    assert desk.send(book).status == 500
    assert desk.send(book).status == 200


def test_books_partial_loses_rows(desk: Desk) -> None:
    desk.order()
    desk.order(PUT)
    desk.arm("books_partial", params={"book": "positionbook"})
    assert len(desk.ask("positionbook")["data"]) == 1
    assert len(desk.ask("positionbook")["data"]) == 2


def test_books_empty_answers_success_without_rows(desk: Desk) -> None:
    desk.order()
    desk.arm("books_empty", params={"book": "orderbook"})
    assert desk.orders() == []
    assert len(desk.orders()) == 1


def test_neighbour_status_copies_the_row_before(desk: Desk) -> None:
    desk.order()
    desk.order(pricetype="LIMIT", price=5.0)
    assert [row["order_status"] for row in desk.orders()] == ["open", "complete"]
    desk.arm("neighbour_status")
    assert [row["order_status"] for row in desk.orders()] == ["open", "open"]


def test_mode_flip_sends_the_order_to_the_other_broker(desk: Desk) -> None:
    desk.arm("mode_flip")
    assert "mode" not in desk.order()
    assert desk.ask("analyzer")["data"]["analyze_mode"] is False
    assert desk.world.accounts[0].paper.orders == {}


def test_clock_skew_shifts_the_servers_time_stamps(desk: Desk) -> None:
    desk.order()
    honest = desk.orders()[0]["timestamp"]
    desk.arm("clock_skew", params={"seconds": 90.0})
    assert (honest, desk.orders()[0]["timestamp"]) == ("2026-11-20 10:00:00", "2026-11-20 10:01:30")
    chain = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "01DEC26", "strike_count": 1}
    assert desk.ask("optionchain", **chain)["server_ts"] == int(desk.world.clock.now().timestamp()) + 90


# -- quotes -----------------------------------------------------------------------------------------------------


def _ltp(desk: Desk, symbol: str = CALL) -> float:
    return float(desk.ask("quotes", symbol=symbol, exchange="NFO")["data"]["ltp"])


def test_zero_price_strikes_once_and_only_that_symbol(desk: Desk) -> None:
    desk.arm("zero_price", symbol=CALL)
    assert _ltp(desk, PUT) > 0
    assert _ltp(desk) == 0
    assert _ltp(desk) > 0


def test_zero_price_on_a_chain_leaves_zeros_throughout(desk: Desk) -> None:
    desk.arm("zero_price", endpoint="optionchain", symbol=CALL)
    chain = {"underlying": "NIFTY", "exchange": "NSE_INDEX", "expiry_date": "01DEC26"}
    legs = {row["ce"]["symbol"]: row["ce"] for row in desk.ask("optionchain", **chain)["chain"]}
    assert {legs[CALL][k] for k in ("ltp", "bid", "ask", "open", "high", "low", "volume", "oi")} == {0}
    assert legs["NIFTY01DEC2626050CE"]["ltp"] > 0


def test_the_guide_lists_every_kind() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "SIMULATOR.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", guide, re.MULTILINE)) == set(KINDS)


def test_nan_price_is_a_bare_nan_token(desk: Desk) -> None:
    desk.arm("nan_price", symbol=CALL)
    reply = desk.send("quotes", symbol=CALL, exchange="NFO").payload
    assert b'"ltp": NaN' in reply
    assert math.isnan(json.loads(reply)["data"]["ltp"])


def test_price_spike_bends_what_is_shown_not_the_market(desk: Desk) -> None:
    honest = _ltp(desk)
    desk.arm("price_spike", symbol=CALL, params={"percent": 50.0})
    assert _ltp(desk) == pytest.approx(honest * 1.5, abs=0.05)
    assert _ltp(desk) == honest


def test_stale_quotes_freezes_rest_quotes_for_that_account(desk: Desk) -> None:
    first = _ltp(desk)
    desk.arm("stale_quotes")
    assert _ltp(desk) == first
    desk.control("POST", "/shock", underlying="NIFTY", percent=1.0)
    assert _ltp(desk) == first
    assert desk.ask("quotes", account=2, symbol=CALL, exchange="NFO")["data"]["ltp"] != first
    desk.control("DELETE", "/faults")
    assert _ltp(desk) != first


# -- the board itself -------------------------------------------------------------------------------------------


def test_a_fault_strikes_its_account_endpoint_and_symbol_only(desk: Desk) -> None:
    desk.arm("refuse", account=2, symbol=PUT, count=None)
    assert desk.place(PUT).status == 200
    assert desk.place(CALL, account=2).status == 200
    assert desk.place(PUT, account=2).status == 400
    assert desk.hits() == [1]


def test_a_fault_strikes_as_often_as_told_and_then_rests(desk: Desk) -> None:
    desk.arm("refuse", account="all", count=2)
    assert [desk.place().status for _ in range(3)] == [400, 400, 200]
    assert desk.control("GET", "/faults")[1]["faults"][0]["spent"] is True


def test_chance_is_seeded() -> None:
    def luck() -> list[int]:
        desk = Desk()
        desk.arm("refuse", count=None, probability=0.5)
        return [desk.place().status for _ in range(20)]

    assert luck() == luck()
    assert set(luck()) == {200, 400}


def test_a_fault_can_end_by_time(desk: Desk) -> None:
    desk.arm("token_expired", for_s=10.0)
    assert desk.send("ping").status == 403
    desk.world.clock.advance(11.0)
    assert desk.send("ping").status == 200
