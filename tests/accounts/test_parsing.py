from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.gateway import listing, parse
from accounts.gateway.reports import Failed, Funds, NoReply, RawReply, Why, Word
from accounts.gateway.wire import read_json
from accounts.gateway.words import word_of

RECORDINGS = Path(__file__).resolve().parents[1] / "contracts" / "recordings"
ORDER: dict[str, Any] = {
    "action": "BUY",
    "exchange": "NFO",
    "order_status": "open",
    "orderid": "26112001",
    "price": 104.5,
    "pricetype": "LIMIT",
    "product": "NRML",
    "quantity": 65,
    "symbol": "NIFTY25AUG2625000CE",
    "timestamp": "2026-08-21 09:15:01",
    "trigger_price": 0.0,
}
TRADE = {k: ORDER[k] for k in ("action", "exchange", "orderid", "product", "quantity", "symbol")} | {"average_price": 104.25}
POSITION = {
    "exchange": "NFO",
    "symbol": "X",
    "product": "NRML",
    "quantity": -65,
    "average_price": "104.25",
    "ltp": 1,
    "pnl": -3.5,
}


def orders(*rows: Any) -> Any:
    return {"status": "success", "data": {"orders": list(rows)}}


def data(*rows: Any) -> Any:
    return {"status": "success", "data": list(rows)}


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        ("open", Word.WORKING),
        ("complete", Word.COMPLETE),
        ("COMPLETE", Word.COMPLETE),
        ("Filled", Word.COMPLETE),
        ("TRADED", Word.COMPLETE),
        ("executed", Word.COMPLETE),
        ("rejected", Word.REJECTED),
        ("REJECTED", Word.REJECTED),
        ("rejected by exchange", Word.REJECTED),
        ("cancelled", Word.CANCELLED),
        ("Cancelled After Market Order", Word.CANCELLED),
        ("canceled", Word.CANCELLED),
        ("expired", Word.CANCELLED),
        ("trigger pending", Word.TRIGGER_PENDING),
        ("trigger_pending", Word.TRIGGER_PENDING),
        ("TRIGGER-PENDING", Word.TRIGGER_PENDING),
        ("triggered", Word.WORKING),
        ("PartiallyFilled", Word.WORKING),
        ("partially filled", Word.WORKING),
        ("PART_TRADED", Word.WORKING),
        ("PendingNew", Word.WORKING),
        ("PendingCancel", Word.WORKING),
        ("cancel pending", Word.WORKING),
        ("cancel req received", Word.WORKING),
        ("cancel rejected", Word.WORKING),
        ("modify rejected", Word.WORKING),
        ("not cancelled", Word.WORKING),
        ("not modified", Word.WORKING),
        ("not executed", Word.WORKING),
        ("unfilled", Word.WORKING),
        ("incomplete", Word.WORKING),
        ("put order req received", Word.WORKING),
        ("validation pending", Word.WORKING),
        ("TRANSIT", Word.WORKING),
        ("new", Word.WORKING),
        ("open pending", Word.WORKING),
        ("modify validation pending", Word.WORKING),
        ("after market order req received", Word.WORKING),
        ("modified", Word.WORKING),
        ("closed", Word.UNKNOWN),
        ("killed by exchange", Word.UNKNOWN),
        ("lapsed", Word.UNKNOWN),
        ("open closed", Word.UNKNOWN),
        ("not placed", Word.UNKNOWN),
        ("inactive", Word.UNKNOWN),
        ("cancelled: not enough margin", Word.UNKNOWN),
        ("trigger failed", Word.UNKNOWN),
        ("बंद", Word.UNKNOWN),
        ("unknown", Word.UNKNOWN),
        ("", Word.UNKNOWN),
        (None, Word.UNKNOWN),
        (7, Word.UNKNOWN),
    ],
)
def test_status_words_are_read_as_brokers_mean_them(raw: object, word: Word) -> None:
    assert word_of(raw) is word


def test_a_full_order_row_is_read() -> None:
    found = parse.order_book(orders(ORDER))
    assert not isinstance(found, Failed)
    row = found[0]
    assert (row.broker_order_id, row.units, row.price, row.word) == ("26112001", 65, Decimal("104.5"), Word.WORKING)
    assert row.filled_units is None and row.average_price is None and row.reason == ""


def test_text_numbers_and_old_names_are_understood() -> None:
    odd = ORDER | {"quantity": "65", "price": "1,04,500.50", "orderid": 26112001, "action": "s", "filled_quantity": "10"}
    found = parse.order_book(orders(odd))
    assert not isinstance(found, Failed)
    assert (found[0].units, found[0].price, found[0].broker_order_id) == (65, Decimal("104500.50"), "26112001")
    assert (found[0].action, found[0].filled_units) == ("SELL", 10)
    positions = parse.position_book(data(POSITION))
    assert not isinstance(positions, Failed)
    assert (positions[0].units, positions[0].average_price, positions[0].pnl) == (-65, Decimal("104.25"), Decimal("-3.5"))


@pytest.mark.parametrize(
    "change",
    [
        {"orderid": None},
        {"orderid": ""},
        {"orderid": True},
        {"symbol": None},
        {"exchange": " "},
        {"action": "HOLD"},
        {"action": None},
        {"quantity": None},
        {"quantity": "many"},
        {"quantity": 65.5},
        {"quantity": -65},
        {"quantity": True},
        {"quantity": "1E+999999"},
    ],
)
def test_one_row_that_cannot_be_understood_makes_the_book_unreadable(change: dict[str, Any]) -> None:
    for answer in (parse.order_book(orders(ORDER, ORDER | change)), parse.trade_book(data(TRADE, TRADE | change))):
        assert isinstance(answer, Failed) and answer.why is Why.UNREADABLE


@pytest.mark.parametrize("average_price", [0, -1, "NaN", None, "", "x"])
def test_a_trade_without_a_price_is_no_trade(average_price: object) -> None:
    assert isinstance(parse.trade_book(data(TRADE | {"average_price": average_price})), Failed)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {},
        {"status": "success"},
        {"status": "success", "data": None},
        {"status": "success", "data": {}},
        {"status": "success", "data": {"orders": None}},
        {"status": "success", "data": {"orders": {}}},
        {"status": "success", "data": "none"},
        {"status": "success", "data": [1]},
        {"status": "success", "data": {"orders": [None]}},
        {"status": "error", "data": []},
        {"data": [], "message": "x"},
        {"data": {"orders": []}},
    ],
)
def test_anything_but_a_book_is_a_failure(body: Any) -> None:
    for read in (parse.order_book, parse.trade_book, parse.position_book):
        assert isinstance(read(body), Failed)


def test_of_an_order_that_is_listed_twice_the_row_that_ended_it_counts() -> None:
    works, ended = ORDER | {"order_status": "open"}, ORDER | {"order_status": "cancelled"}
    for rows in ((works, ended), (ended, works)):
        found = parse.order_book(orders(*rows))
        assert not isinstance(found, Failed)
        assert [row.word for row in found] == [Word.CANCELLED]


def test_an_empty_book_of_the_right_shape_is_a_book() -> None:
    assert parse.order_book(orders()) == []
    assert parse.trade_book(data()) == []
    assert parse.position_book(data()) == []


def test_funds_without_content_mean_a_dead_session() -> None:
    dead = parse.funds({"status": "success", "data": {}})
    assert isinstance(dead, Failed) and dead.why is Why.NO_SESSION
    odd = parse.funds({"status": "success", "data": {"availablecash": "n/a"}})
    assert isinstance(odd, Failed) and odd.why is Why.UNREADABLE
    good = parse.funds(
        {"status": "success", "data": {"availablecash": "5,00,000.00", "collateral": None, "utiliseddebits": "NaN"}}
    )
    assert good == Funds(Decimal("500000.00"), None, None, None, None)


def quote(**inner: Any) -> Any:
    return {"status": "success", "results": [{"exchange": "NFO", "symbol": "X", "data": inner}]}


@pytest.mark.parametrize("ltp", [0, 0.0, "0", -1, None, "", "NaN", "inf", True, [], {}])
def test_what_is_no_price_becomes_no_quote(ltp: object) -> None:
    assert parse.quotes(quote(ltp=ltp)) == []


def test_zero_bid_and_ask_are_unknown() -> None:
    found = parse.quotes(quote(ltp=10.05, bid=0, ask=-1, oi=0, volume="12"))
    assert not isinstance(found, Failed)
    assert (found[0].last_price, found[0].bid, found[0].ask, found[0].open_interest, found[0].volume) == (
        Decimal("10.05"), None, None, 0, 12,
    )  # fmt: skip


def test_bare_nan_is_read_as_unknown() -> None:
    body = read_json(
        '{"status": "success", "results": [{"exchange": "N", "symbol": "X", "data": {"ltp": NaN, "bid": Infinity}}]}'
    )
    assert parse.quotes(body) == []
    assert read_json("{") is None and read_json("[" * 100_000) is None and read_json("9" * 5000) is None
    assert read_json("1e99999999999999999999") is None


@pytest.mark.parametrize(
    ("tick", "kind", "exchange", "rupees"),
    [
        (0.05, "CE", "NFO", "0.05"),
        (5, "CE", "NFO", "0.05"),
        ("5.0", "PE", "BFO", "0.05"),
        (10, "FUT", "NFO", "0.1"),
        (0.1, "FUT", "NFO", "0.1"),
        (1, "FUT", "MCX", "1"),
        (0, "CE", "NFO", "0.05"),
        (None, "CE", "NFO", "0.05"),
        (-5, "CE", "NFO", "0.05"),
    ],
)
def test_ticks_are_rupees(tick: object, kind: str, exchange: str, rupees: str) -> None:
    row = {"exchange": exchange, "symbol": "X", "instrumenttype": kind, "lotsize": 65, "tick_size": tick, "freeze_qty": 1}
    found = listing.instrument({"status": "success", "data": row})
    assert not isinstance(found, Failed) and found.tick == Decimal(rupees) and found.freeze_units is None


def test_a_contract_list_that_lost_more_than_a_few_rows_is_unreadable() -> None:
    head = "symbol,name,exchange,expiry,strike,lotsize,instrumenttype,tick_size\r\n"
    good = "X,NIFTY,NFO,25-AUG-26,25000,65,CE,0.05\r\n"
    assert isinstance(listing.instruments(head), Failed)
    assert isinstance(listing.instruments(head + good * 10 + "Y,NIFTY,NFO,25-AUG-26,25000,,CE,0.05\r\n"), Failed)
    found = listing.instruments(head + good * 200 + "Y,NIFTY,NFO,25-AUG-26,25000,0,CE,0.05\r\n")
    assert not isinstance(found, Failed) and len(found) == 200


@pytest.mark.parametrize("text", ["25-AUG-26", "25-Aug-2026", "25AUG26", "2026-08-25"])
def test_expiries_are_dates_whatever_their_form(text: str) -> None:
    assert listing.expiries(data(text)) == [date(2026, 8, 25)]
    assert listing.wire_expiry(date(2026, 8, 25)) == "25AUG26"
    assert isinstance(listing.expiries(data(text, "soon")), Failed)


@pytest.mark.parametrize(
    ("outcome", "why"),
    [
        (NoReply(False, "x"), Why.UNREACHABLE),
        (NoReply(True, "x", timed_out=True), Why.TIMEOUT),
        (NoReply(True, "x"), Why.UNREACHABLE),
        (NoReply(False, "x", over_budget=True), Why.BUDGET),
        (RawReply(429, {"message": "50 per 1 second"}), Why.THROTTLED),
        (RawReply(403, {"message": "Invalid openalgo apikey"}), Why.KEY_REFUSED),
        (RawReply(401, {"message": "Invalid openalgo apikey"}), Why.KEY_REFUSED),
        (RawReply(403, {"message": "broker says no"}), Why.REFUSED),
        (RawReply(404, {"message": "Not found"}), Why.REFUSED),
        (RawReply(301, None, "redirect to https://h"), Why.REFUSED),
        (RawReply(500, None), Why.SERVER_ERROR),
        (RawReply(502, None, "<html>"), Why.SERVER_ERROR),
        (RawReply(200, None, "<html>"), Why.UNREADABLE),
        (RawReply(204, {}), Why.UNREADABLE),
    ],
)
def test_every_kind_of_failed_read_has_its_name(outcome: RawReply | NoReply, why: Why) -> None:
    failed = parse.failure(outcome)
    assert failed is not None and failed.why is why


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.decimals()
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4), max_leaves=10
)
NAMES = sorted(
    {*ORDER, *TRADE, *POSITION, "data", "orders", "results", "status", "chain", "lotsize", "tick_size", "strike", "date"}
)
rows = st.dictionaries(st.sampled_from(NAMES), anything, max_size=12) | st.builds(
    lambda base, change: {**base, **change},
    st.sampled_from([ORDER, TRADE, POSITION]),
    st.dictionaries(st.sampled_from(NAMES), scalars),
)
bodies = anything | st.fixed_dictionaries(
    {
        "status": st.just("success"),
        "data": anything | st.lists(rows, max_size=3) | st.fixed_dictionaries({"orders": st.lists(rows)}),
    },
    optional={
        "results": st.lists(rows | st.fixed_dictionaries({"exchange": st.just("N"), "symbol": st.just("X"), "data": rows}))
    },
)


@given(bodies)
def test_no_body_makes_the_parser_raise_or_invent(body: Any) -> None:
    for read in (parse.funds, parse.position_book, listing.expiries, listing.instruments, listing.instrument):
        read(body)
    listing.option_chain(body)
    listing.holidays(body)
    assert parse.failure(RawReply(200, body)) is None or body is None
    book = parse.order_book(body)
    if not isinstance(book, Failed):
        assert len(book) == len(body["data"]["orders"]) and all(o.units >= 0 and o.broker_order_id for o in book)
    trades = parse.trade_book(body)
    if not isinstance(trades, Failed):
        assert all(t.units > 0 and t.price > 0 for t in trades)
    found = parse.quotes(body)
    if not isinstance(found, Failed):
        assert all(q.last_price > 0 and (q.bid is None or q.bid > 0) for q in found)


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    read_json(text)
    listing.instruments(text)
    word_of(text)


def recorded() -> list[tuple[str, str, Any]]:
    found = []
    for path in sorted(RECORDINGS.glob("rest-*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row.get("response", {}).get("status") == 200 and isinstance(row["response"].get("body"), dict):
                found.append(
                    (row["name"], row["request"]["path"].removeprefix("/api/v1/").split("?")[0], row["response"]["body"])
                )
    return found


READERS = {
    "funds": parse.funds,
    "orderbook": parse.order_book,
    "tradebook": parse.trade_book,
    "positionbook": parse.position_book,
    "multiquotes": parse.quotes,
    "expiry": listing.expiries,
    "symbol": listing.instrument,
    "instruments": listing.instruments,
    "optionchain": listing.option_chain,
    "market/holidays": listing.holidays,
}


def test_every_recorded_success_is_understood() -> None:
    seen = dict.fromkeys(READERS, 0)
    for name, endpoint, body in recorded():
        if endpoint in READERS:
            assert not isinstance(READERS[endpoint](body), Failed), (endpoint, name)
            seen[endpoint] += 1
    assert all(seen.values()), seen
