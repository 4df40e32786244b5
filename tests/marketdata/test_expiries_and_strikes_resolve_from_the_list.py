from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from marketdata import selectors
from marketdata.domain.expiries import Slot, future_slots, monthly, option_slots
from marketdata.domain.strikes import around, atm, offset_strike, tag
from marketdata.domain.symbols import Contract, compose, future_symbol, option_symbol, parse_expiry, take_apart
from marketdata.reference.load import load
from tests.marketdata.cast import ist, list_options

D = Decimal
NIFTY_2026 = [
    date(2026, 11, 23),
    date(2026, 12, 1),
    date(2026, 12, 8),
    date(2026, 12, 15),
    date(2026, 12, 22),
    date(2026, 12, 29),
]
LATER = [date(2027, 1, 5), date(2027, 1, 26), date(2027, 3, 30), date(2027, 6, 29)]
FUTURES = [date(2026, 11, 23), date(2026, 12, 29), date(2027, 1, 26)]
STRIKES = [D(s) for s in range(23000, 25050, 50)]


def test_slots_before_the_monthly_expiry() -> None:
    assert option_slots(NIFTY_2026 + LATER, FUTURES, has_weeklies=True) == {
        Slot.CURRENT_WEEK: date(2026, 11, 23),
        Slot.NEXT_WEEK: date(2026, 12, 1),
        Slot.CURRENT_MONTH: date(2026, 11, 23),
        Slot.NEXT_MONTH: date(2026, 12, 29),
    }


def test_slots_after_the_monthly_expiry_has_closed() -> None:
    slots = option_slots(NIFTY_2026[1:] + LATER, FUTURES[1:], has_weeklies=True)
    assert slots[Slot.CURRENT_WEEK] == date(2026, 12, 1)
    assert (slots[Slot.CURRENT_MONTH], slots[Slot.NEXT_MONTH]) == (date(2026, 12, 29), date(2027, 1, 26))


def test_without_weeklies_there_is_no_weekly_slot() -> None:
    slots = option_slots([date(2026, 11, 23), date(2026, 12, 29)], FUTURES, has_weeklies=False)
    assert set(slots) == {Slot.CURRENT_MONTH, Slot.NEXT_MONTH}


def test_beyond_the_futures_a_month_ends_only_when_a_later_date_is_listed() -> None:
    assert monthly([*NIFTY_2026, date(2027, 3, 30), date(2027, 6, 29)], [date(2026, 11, 23)]) == [
        date(2026, 11, 23),
        date(2026, 12, 29),
        date(2027, 3, 30),
    ]
    assert monthly([date(2026, 12, 1), date(2026, 12, 8)], []) == []


def test_futures_have_monthly_slots_only_and_a_missing_slot_is_absent() -> None:
    assert future_slots(FUTURES) == {Slot.CURRENT_MONTH: FUTURES[0], Slot.NEXT_MONTH: FUTURES[1]}
    assert future_slots(FUTURES[:1]) == {Slot.CURRENT_MONTH: FUTURES[0]}
    assert option_slots([], [], has_weeklies=True) == {}


@given(
    st.lists(st.dates(date(2026, 1, 1), date(2027, 12, 31)), max_size=12),
    st.lists(st.dates(date(2026, 1, 1), date(2027, 12, 31))),
)
def test_slots_are_always_listed_dates_in_rising_order(options: list[date], futures: list[date]) -> None:
    slots = option_slots(options, futures, has_weeklies=True)
    assert set(slots.values()) <= set(options)
    for near, far in ((Slot.CURRENT_WEEK, Slot.NEXT_WEEK), (Slot.CURRENT_MONTH, Slot.NEXT_MONTH)):
        if far in slots:
            assert slots[near] < slots[far]


@pytest.mark.django_db
def test_an_expiry_counts_until_its_own_close_and_the_shifted_monday_is_taken_from_the_list() -> None:
    load(actor="test")
    for day in (date(2026, 11, 23), date(2026, 12, 1), date(2026, 12, 29)):
        list_options("NIFTY", day, [26000], future=day != date(2026, 12, 1))
    before, at_close = ist(2026, 11, 23, 15, 39), ist(2026, 11, 23, 15, 40)
    assert selectors.slots("NIFTY", before)[Slot.CURRENT_MONTH] == date(2026, 11, 23)
    assert selectors.expiries("NIFTY", "OPT", at_close)[0] == date(2026, 12, 1)
    assert selectors.slots("NIFTY", at_close)[Slot.CURRENT_MONTH] == date(2026, 12, 29)
    assert selectors.slots("NIFTY", at_close, "FUT") == {Slot.CURRENT_MONTH: date(2026, 12, 29)}
    assert selectors.option("NIFTY", date(2026, 12, 1), D("26000.00"), "PE") is not None
    assert selectors.option("NIFTY", date(2026, 12, 1), D(26050), "PE") is None
    assert selectors.index_key("SENSEX") == "BSE_INDEX:SENSEX"
    with pytest.raises(Refused):
        selectors.index_key("NOBODY")


@pytest.mark.parametrize(("spot", "strike"), [("24024.90", 24000), ("24025", 24050), ("24075", 24100), ("24049.99", 24050)])
def test_at_the_money_rounds_half_up(spot: str, strike: int) -> None:
    assert atm(D(spot), STRIKES, D(50)) == strike


def test_at_the_money_is_a_listed_strike_or_refused() -> None:
    hundreds = [D(s) for s in range(23000, 25100, 100)]
    assert atm(D(24040), hundreds, D(50)) == 24000
    assert atm(D(24050), hundreds, D(50)) == 24100
    for spot, listed in ((D(24000), []), (D(30000), STRIKES), (D(0), STRIKES)):
        with pytest.raises(Refused):
            atm(spot, listed, D(50))


@pytest.mark.parametrize(
    ("kind", "moneyness", "n", "strike"),
    [("CE", "OTM", 3, 24150), ("CE", "ITM", 2, 23900), ("PE", "OTM", 3, 23850), ("PE", "ITM", 2, 24100), ("CE", "ATM", 0, 24000)],
)
def test_in_and_out_of_the_money(kind, moneyness, n: int, strike: int) -> None:  # type: ignore[no-untyped-def]
    assert offset_strike(D(24000), kind, moneyness, n, STRIKES, D(50)) == strike
    if n:
        assert tag(D(strike), D(24000), kind, D(50)) == f"{moneyness}{n}"


@pytest.mark.parametrize(("moneyness", "n"), [("OTM", 0), ("ITM", 0), ("OTM", 21), ("OTM", -1), ("ATM", 1)])
def test_an_offset_of_zero_or_beyond_twenty_is_refused(moneyness, n: int) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused):
        offset_strike(D(24000), "CE", moneyness, n, STRIKES, D(50))


def test_a_strike_that_is_not_listed_is_refused() -> None:
    with pytest.raises(Refused):
        offset_strike(D(24000), "CE", "OTM", 3, [D(24000), D(24050), D(24100)], D(50))


def test_the_chain_shows_at_most_the_width_on_each_side() -> None:
    assert around(D(24000), STRIKES, 2) == [D(23900), D(23950), D(24000), D(24050), D(24100)]
    assert around(D(23000), STRIKES, 1) == [D(23000), D(23050)]
    assert around(D(24000), STRIKES, 0) == [D(24000)]


def test_symbols_of_the_vectors() -> None:
    assert option_symbol("NIFTY", date(2026, 1, 13), D("24000.00"), "CE") == "NIFTY13JAN2624000CE"
    assert future_symbol("BANKNIFTY", date(2026, 1, 27)) == "BANKNIFTY27JAN26FUT"
    assert option_symbol("VEDL", date(2024, 4, 25), D("292.50"), "CE") == "VEDL25APR24292.5CE"


@pytest.mark.parametrize("symbol", ["360ONE25AUG261200CE", "20MICRONS25AUG26FUT", "726GS203325APR24FUT", "USDINR19APR2482CE"])
def test_names_with_digits_are_taken_apart_from_the_right(symbol: str) -> None:
    contract = take_apart(symbol)
    assert contract is not None and compose(contract) == symbol


@pytest.mark.parametrize(
    "text", ["", "NIFTY", "NIFTY32JAN2624000CE", "NIFTY13XXX2624000CE", "RELIANCE", "NIFTY13JAN26CE", "nifty13jan2624000ce"]
)
def test_what_is_no_contract_is_none(text: str) -> None:
    assert take_apart(text) is None


@given(
    st.sampled_from(["NIFTY", "SENSEX", "360ONE", "M&M", "BAJAJ-AUTO"]),
    st.dates(date(2020, 1, 1), date(2049, 12, 31)),
    st.decimals(min_value=1, max_value=200_000, places=2),
    st.sampled_from(["CE", "PE"]),
)
def test_taking_apart_undoes_composing(name: str, expiry: date, strike: Decimal, kind) -> None:  # type: ignore[no-untyped-def]
    assert take_apart(option_symbol(name, expiry, strike, kind)) == Contract(name, expiry, kind, strike)


def test_expiry_formats() -> None:
    assert {parse_expiry(t) for t in ("25-AUG-26", "25AUG26", "25-Aug-2026", " 25-aug-26 ")} == {date(2026, 8, 25)}
    assert {parse_expiry(t) for t in ("", "25/08/26", "2026-08-25", "31-FEB-26")} == {None}


def test_the_frozen_clock_decides_which_expiry_is_past(db: None) -> None:
    load(actor="test")
    list_options("NIFTY", date(2026, 11, 23), [26000])
    with clock.use(clock.FrozenClock(ist(2026, 11, 24, 9))):
        assert selectors.expiries("NIFTY") == []
