from __future__ import annotations

from dataclasses import fields, replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from risk.domain.limits import LimitTerms, amount, loosens
from risk.domain.pretrade import AccountFacts, Code, LineFacts, SessionFacts, check
from risk.domain.states import TradingMode
from risk.services import gate

SESSION = SessionFacts("NFO", True, True)
ACCOUNT = AccountFacts(1, "Alice Zerodha", True, True, TradingMode.ACTIVE, TradingMode.ACTIVE, "UP", "PAPER", "PAPER", 1.0)
LINE = LineFacts(
    1, "NIFTY24NOV2626000CE", True, date(2026, 11, 24), date(2026, 11, 20), 65, 65, Decimal("0.05"),
    "LIMIT", Decimal("100.05"), Decimal(0), True, False, Decimal(100), "NFO",
)  # fmt: skip


def codes(session=SESSION, account=ACCOUNT, line=LINE):
    return [d.code for d in check(session, account, [line])]


def test_complete_facts_are_permitted():
    assert codes() == []


# A clock that nobody measured yet denies nothing (see AccountFacts); everything else must be known.
NEEDED = [f.name for f in fields(AccountFacts) if f.name not in ("account_id", "name", "skew_s", "own_skew_s")]


@pytest.mark.parametrize("name", [f.name for f in fields(SessionFacts) if f.name not in ("exchange", "reason")])
def test_a_missing_session_fact_denies(name):
    assert codes(session=replace(SESSION, **{name: None}))


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_account_fact_denies(name):
    assert codes(account=replace(ACCOUNT, **{name: None}))


@pytest.mark.parametrize("name", [f.name for f in fields(LineFacts) if f.name not in ("leg", "symbol", "trigger_price")])
def test_a_missing_line_fact_denies(name):
    assert codes(line=replace(LINE, **{name: None}))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_open": False}, Code.SESSION_CLOSED),
        ({"is_covered": False}, Code.CALENDAR_UNKNOWN),
    ],
)
def test_each_session_fact_has_its_code(change, code):
    assert codes(session=replace(SESSION, **change)) == [code]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_active": False}, Code.NOT_PERMITTED),
        ({"platform_state": TradingMode.REDUCING}, Code.KILL_SWITCH),
        ({"account_state": TradingMode.HALTED}, Code.ACCOUNT_HALTED),
        ({"account_state": TradingMode.REDUCING}, Code.ACCOUNT_REDUCING),
        ({"entries_enabled": False}, Code.ACCOUNT_REDUCING),
        ({"link": "DEGRADED"}, Code.LINK_DOWN),
        ({"mode": "LIVE"}, Code.MODE_MISMATCH),
        ({"books_read_age_s": 5.1}, Code.BOOKS_NOT_READ),
        ({"locked": "entries are locked until tomorrow"}, Code.DAILY_LOSS_LOCK),
        ({"skew_s": 5.1}, Code.CLOCK_SKEW),
        ({"skew_s": -5.1}, Code.CLOCK_SKEW),
        ({"own_skew_s": 5.1}, Code.CLOCK_SKEW),
    ],
)
def test_each_account_fact_has_its_code(change, code):
    assert codes(account=replace(ACCOUNT, **change)) == [code]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"is_listed": False}, Code.INSTRUMENT_UNKNOWN),
        ({"expiry": date(2026, 11, 19)}, Code.INSTRUMENT_EXPIRED),
        ({"units": 64}, Code.QUANTITY_NOT_LOT_MULTIPLE),
        ({"units": 0}, Code.QUANTITY_NOT_LOT_MULTIPLE),
        ({"units": -65}, Code.QUANTITY_NOT_LOT_MULTIPLE),
        ({"units": 65 * 101}, Code.MAX_LOTS),
        ({"price": Decimal("100.07")}, Code.PRICE_OFF_TICK),
        ({"price": Decimal(0)}, Code.PRICE_REQUIRED),
        ({"price_type": "MARKET"}, Code.UNSUPPORTED_TYPE),
        ({"price_type": "SL", "trigger_price": Decimal(0)}, Code.TRIGGER_REQUIRED),
        ({"price_type": "SL-M", "trigger_price": None}, Code.TRIGGER_REQUIRED),
        ({"price_type": "SL-M", "trigger_price": Decimal("90.01")}, Code.PRICE_OFF_TICK),
        ({"price": Decimal("140.05")}, Code.PRICE_OUT_OF_RANGE),
        ({"price": Decimal("59.95")}, Code.PRICE_OUT_OF_RANGE),
        ({"price_type": "SL-M", "trigger_price": Decimal("140.05")}, Code.PRICE_OUT_OF_RANGE),
        ({"price_type": "SL", "price": Decimal("130"), "trigger_price": Decimal("90")}, Code.PRICE_OUT_OF_RANGE),
        ({"quote_is_fresh": False}, Code.QUOTE_STALE),
        ({"has_unacknowledged": True}, Code.UNACKNOWLEDGED_ORDER),
    ],
)
def test_each_line_fact_has_its_code(change, code):
    assert codes(line=replace(LINE, **change)) == [code]


@pytest.mark.parametrize(
    "prices",
    [
        {"price": Decimal(60)},
        {"price": Decimal(140)},
        {"price_type": "SL-M", "trigger_price": Decimal(140)},
        # The limit of a stop is judged around its trigger, not around today's market.
        {"price_type": "SL", "trigger_price": Decimal(130), "price": Decimal(160)},
        {"symbol": "NIFTY24NOV26FUT", "reference": Decimal(24000), "price": Decimal(24480)},
    ],
)
def test_the_edges_of_the_range_are_inside(prices):
    assert codes(line=replace(LINE, **prices)) == []


@pytest.mark.parametrize(
    ("trigger", "price", "is_refused"),
    [("100", "120", False), ("100", "120.05", True), ("50", "60", False), ("50", "60.05", True), ("50.05", "60.05", False)],
)
def test_bse_bounds_the_gap_of_a_stop(trigger, price, is_refused):
    stop = replace(LINE, price_type="SL", trigger_price=Decimal(trigger), price=Decimal(price), reference=Decimal(trigger))
    assert codes(line=replace(stop, exchange="BFO")) == ([Code.PRICE_OUT_OF_RANGE] if is_refused else [])
    assert codes(line=stop) == []


def test_a_future_has_a_narrower_range():
    future = replace(LINE, symbol="NIFTY24NOV26FUT", reference=Decimal(24000))
    assert codes(line=replace(future, price=Decimal("24480.05"))) == [Code.PRICE_OUT_OF_RANGE]


def test_both_sides_of_the_lot_cap_and_of_the_books_age():
    assert codes(line=replace(LINE, units=65 * 100)) == []
    assert codes(account=replace(ACCOUNT, books_read_age_s=5.0)) == []


@given(st.sets(st.sampled_from(NEEDED), min_size=1))
def test_any_erased_facts_deny(names):
    assert codes(account=replace(ACCOUNT, **dict.fromkeys(names)))


@pytest.mark.parametrize("text", ["5000", "-5000", "5,000.00", "₹5,000", " 5000 ", 5000, Decimal("-5000")])
def test_limits_survive_input_style(text):
    assert amount(text, "max_loss") == Decimal(5000)


@pytest.mark.parametrize("text", ["", None, "  "])
def test_an_empty_limit_is_off(text):
    assert amount(text, "max_loss") is None


@pytest.mark.parametrize("text", ["0", "0.00", "-0", "abc", "1.005", "NaN", "1e30"])
def test_zero_and_nonsense_are_refused_by_name(text):
    with pytest.raises(Refused) as refused:
        amount(text, "max_loss")
    assert "max_loss" in refused.value.fields


def test_what_loosens():
    old = LimitTerms(max_loss=Decimal(5000), blind_policy="FLATTEN")
    assert not loosens(old, replace(old, max_loss=Decimal(4000)))
    assert not loosens(old, replace(old, max_profit=Decimal(1)))
    assert loosens(old, replace(old, max_loss=None))
    assert loosens(old, replace(old, max_loss=Decimal(6000)))
    assert loosens(old, replace(old, max_loss_action="ALERT"))
    assert loosens(old, replace(old, blind_policy="HOLD"))


def test_of_no_account_nothing_is_known(db: None) -> None:
    assert gate.account_facts([], mode=None, now=clock.now()) == {}
