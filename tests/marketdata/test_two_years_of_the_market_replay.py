"""Every fact of docs' market notes for 2025-26, day after day, with no change of code between the dates."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from algomirror.kernel import clock
from marketdata import calendar, selectors, terms
from marketdata.domain.expiries import Slot
from marketdata.models import Holiday
from marketdata.reference.load import load
from tests.marketdata.cast import ist, list_options

FIRST, LAST = date(2025, 1, 1), date(2026, 12, 31)
NIFTY_SHIFTED = {
    date(2026, 3, 3): date(2026, 3, 2),
    date(2026, 3, 31): date(2026, 3, 30),
    date(2026, 4, 14): date(2026, 4, 13),
    date(2026, 10, 20): date(2026, 10, 19),
    date(2026, 11, 10): date(2026, 11, 9),
    date(2026, 11, 24): date(2026, 11, 23),
}
SENSEX_SHIFTED = {
    date(2026, 1, 15): date(2026, 1, 14),
    date(2026, 3, 26): date(2026, 3, 25),
    date(2026, 5, 28): date(2026, 5, 27),
}
TUESDAY, THURSDAY = 1, 3


@pytest.fixture(autouse=True)
def _reference(db: None) -> None:
    load(actor="test")


def days(first: date = FIRST, last: date = LAST) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def nominal(weekday: int, year: int = 2026) -> list[date]:
    return [day for day in days(date(year, 1, 1), date(year, 12, 31)) if day.weekday() == weekday]


def as_listed(weekday: int, shifted: dict[date, date]) -> list[date]:
    """What a broker lists: the exchange's own dates, shifts included."""
    return [shifted.get(day, day) for day in nominal(weekday)]


def test_every_listed_expiry_is_a_trading_day_and_every_shift_is_one_day_before_a_holiday() -> None:
    for weekday, shifted, exchange in ((TUESDAY, NIFTY_SHIFTED, "NFO"), (THURSDAY, SENSEX_SHIFTED, "BFO")):
        for expiry in as_listed(weekday, shifted):
            assert calendar.session_close(exchange, expiry) is not None, expiry
        for holiday, expiry in shifted.items():
            assert calendar.sessions().holiday(exchange, holiday) is not None, holiday
            before = [day for day in days(holiday - timedelta(days=5), holiday - timedelta(days=1)) if _trades(exchange, day)]
            assert before[-1] == expiry
        closed = [day for day in nominal(weekday) if not _trades(exchange, day)]
        assert closed == sorted(shifted), "no expiry falls on a holiday that is not in the list of shifts"


def _trades(exchange: str, day: date) -> bool:
    return calendar.session_close(exchange, day) is not None


def last_of_month(listed: list[date]) -> list[date]:
    return [day for day, after in zip(listed, [*listed[1:], date(2027, 1, 5)], strict=True) if after.month != day.month]


def _list(underlying: str, exchange: str, weekday: int, shifted: dict[date, date]) -> tuple[list[date], list[date]]:
    expiries = as_listed(weekday, shifted)
    monthly = last_of_month(expiries)
    for expiry in expiries:
        list_options(underlying, expiry, [26000], exchange=exchange, future=expiry in monthly)
    return expiries, monthly


@pytest.mark.parametrize(
    ("underlying", "exchange", "weekday", "shifted"),
    [("NIFTY", "NFO", TUESDAY, NIFTY_SHIFTED), ("SENSEX", "BFO", THURSDAY, SENSEX_SHIFTED)],
)
def test_on_every_day_of_2026_each_slot_means_the_listed_date(
    underlying: str, exchange: str, weekday: int, shifted: dict[date, date]
) -> None:
    expiries, monthly = _list(underlying, exchange, weekday, shifted)
    for day in days(date(2026, 1, 1), date(2026, 11, 23)):
        noon = ist(day.year, day.month, day.day, 12)
        ahead, months = [e for e in expiries if e >= day], [e for e in monthly if e >= day]
        assert selectors.slots(underlying, noon) == {
            Slot.CURRENT_WEEK: ahead[0],
            Slot.NEXT_WEEK: ahead[1],
            Slot.CURRENT_MONTH: months[0],
            Slot.NEXT_MONTH: months[1],
        }, day


def test_the_23rd_of_november_2026_is_weekly_and_monthly_and_over_at_its_close() -> None:
    _list("NIFTY", "NFO", TUESDAY, NIFTY_SHIFTED)
    at = ist(2026, 11, 23, 15, 39)
    assert selectors.slots("NIFTY", at)[Slot.CURRENT_WEEK] == selectors.slots("NIFTY", at)[Slot.CURRENT_MONTH] == at.date()
    over = ist(2026, 11, 23, 15, 40)
    assert selectors.slots("NIFTY", over)[Slot.CURRENT_WEEK] == date(2026, 12, 1)
    assert selectors.slots("NIFTY", over)[Slot.CURRENT_MONTH] == date(2026, 12, 29)
    assert date(2026, 11, 24) not in selectors.expiries("NIFTY", now=at)


def test_an_index_without_weeklies_has_no_weekly_slot_on_any_day() -> None:
    for expiry in (date(2026, 11, 23), date(2026, 12, 29), date(2027, 1, 26)):
        list_options("BANKNIFTY", expiry, [58000], lot=30, future=True)
    for day in days(date(2026, 11, 20), date(2026, 12, 28)):
        assert set(selectors.slots("BANKNIFTY", ist(day.year, day.month, day.day, 9))) <= {Slot.CURRENT_MONTH, Slot.NEXT_MONTH}


def test_the_municipal_election_closes_with_three_days_notice_and_sensex_moves_to_the_14th() -> None:
    day = date(2026, 1, 15)
    rows = Holiday.objects.filter(date=day)
    known = list(rows.values("exchange", "name"))
    rows.delete()
    calendar.forget()
    noon = ist(2026, 1, 15, 12)
    with clock.use(clock.FrozenClock(ist(2026, 1, 11, 12))):
        assert calendar.is_open("BFO", noon), "before the notice it is a trading day"
    with clock.use(clock.FrozenClock(ist(2026, 1, 12, 18))):
        for row in known:
            Holiday.objects.create(date=day, **row)
        calendar.forget()
        assert not calendar.is_open("BFO", noon)
    list_options("SENSEX", date(2026, 1, 14), [85000], exchange="BFO", lot=20)
    list_options("SENSEX", date(2026, 1, 22), [85000], exchange="BFO", lot=20)
    assert selectors.slots("SENSEX", ist(2026, 1, 14, 15))[Slot.CURRENT_WEEK] == date(2026, 1, 14)
    assert selectors.slots("SENSEX", ist(2026, 1, 14, 15, 30))[Slot.CURRENT_WEEK] == date(2026, 1, 22)


def test_each_trading_day_of_two_years_opens_and_closes_as_published() -> None:
    special = {date(2025, 10, 21): (13.75, 14.75), date(2026, 2, 1): (9.25, 15.5), date(2026, 11, 8): (18.0, 19.25)}
    for day in days():
        windows = calendar.sessions().windows("NFO", day)
        found = [(_hour(w.opens_at), _hour(w.closes_at)) for w in windows]
        if day in special:
            assert found == [special[day]], day
        elif found:
            close = 15.5 if day < date(2026, 8, 3) else 15 + 40 / 60
            assert found == [(9.25, close)] and day.weekday() < 5, day
        else:
            assert day.weekday() >= 5 or calendar.sessions().holiday("NFO", day), day


def _hour(at: datetime) -> float:
    local = at.astimezone(clock.IST)
    return local.hour + local.minute / 60


@pytest.mark.parametrize(
    ("underlying", "expiry", "lot"),
    [
        ("NIFTY", date(2025, 12, 30), 75),
        ("NIFTY", date(2026, 1, 6), 65),
        ("BANKNIFTY", date(2025, 12, 30), 35),
        ("BANKNIFTY", date(2026, 1, 27), 30),
        ("SENSEX", date(2025, 12, 24), 20),
        ("SENSEX", date(2026, 11, 26), 20),
    ],
)
def test_the_lot_follows_the_contracts_expiry_and_not_the_day_of_trading(underlying: str, expiry: date, lot: int) -> None:
    for day in (date(2025, 12, 1), date(2026, 1, 20)):
        held = terms.book(day).held(underlying, expiry)
        assert held is not None and held.lot_units == lot


@pytest.mark.parametrize(
    ("underlying", "day", "freeze", "largest"),
    [
        ("BANKNIFTY", date(2025, 8, 29), 600, 600),
        ("BANKNIFTY", date(2025, 9, 1), 900, 900),
        ("BANKNIFTY", date(2025, 11, 3), 600, 600),
        ("BANKNIFTY", date(2026, 3, 30), 600, 600),
        ("BANKNIFTY", date(2026, 4, 1), 900, 900),
        ("BANKNIFTY", date(2026, 6, 30), 900, 900),
        ("BANKNIFTY", date(2026, 7, 1), 600, 600),
        ("BANKNIFTY", date(2026, 11, 20), 600, 600),
        ("FINNIFTY", date(2025, 12, 1), 1200, 1200),
        ("FINNIFTY", date(2026, 2, 2), 1800, 1800),
        ("FINNIFTY", date(2026, 3, 2), 1200, 1200),
        ("FINNIFTY", date(2026, 4, 1), 1800, 1800),
        ("NIFTY", date(2026, 11, 20), 1800, 1755),
        ("MIDCPNIFTY", date(2026, 11, 20), 2800, 2760),
    ],
)
def test_the_freeze_follows_the_month_of_trading(underlying: str, day: date, freeze: int, largest: int) -> None:
    held = terms.book(day).held(underlying, date(2026, 12, 29))
    assert held is not None and held.freeze_units == freeze
    lot = {"BANKNIFTY": 30, "FINNIFTY": 60, "NIFTY": 65, "MIDCPNIFTY": 120}[underlying]
    assert terms.largest_slice(lot, freeze) == largest


@pytest.mark.parametrize(("freeze", "lot", "largest"), [(1756, 65, 1755), (601, 30, 600), (64, 65, 0), (None, 65, None)])
def test_a_slice_is_whole_lots_whichever_way_the_freeze_is_printed(freeze: int | None, lot: int, largest: int | None) -> None:
    assert terms.largest_slice(lot, freeze) == largest
