from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel import clock
from marketdata import calendar
from marketdata.models import Holiday, SpecialSession, TradingHours
from marketdata.reference.load import load
from tests.marketdata.cast import FRIDAY, ist

HOLIDAYS_2026 = (
    "01-15 01-26 03-03 03-26 03-31 04-03 04-14 05-01",
    "05-28 06-26 09-14 10-02 10-20 11-10 11-24 12-25",
)
HOLIDAYS_2025 = ("02-26 03-14 03-31 04-10 04-14 04-18 05-01", "08-15 08-27 10-02 10-22 11-05 12-25")


@pytest.fixture(autouse=True)
def _reference(db: None) -> None:
    load(actor="test")


@pytest.mark.parametrize("exchange", calendar.EXCHANGES)
@pytest.mark.parametrize(("year", "days"), [(2025, HOLIDAYS_2025), (2026, HOLIDAYS_2026)])
def test_every_listed_holiday_is_closed_at_noon_and_its_name_is_told(exchange: str, year: int, days: tuple[str, ...]) -> None:
    for day in " ".join(days).split():
        state = calendar.market_state(exchange, ist(year, *map(int, day.split("-")), 12))
        assert (state.is_open, state.reason, state.covered) == (False, "HOLIDAY", True), day
        assert state.name


def test_the_year_2026_has_exactly_sixteen_closed_weekdays() -> None:
    weekdays = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    closed = [d for d in weekdays if d.weekday() < 5 and calendar.session_close("NFO", d) is None]
    assert [f"{d:%m-%d}" for d in closed] == " ".join(HOLIDAYS_2026).split()


@pytest.mark.parametrize(
    ("at", "is_open", "closes"),
    [
        (ist(2026, 7, 31, 9, 14), False, ist(2026, 7, 31, 15, 30)),
        (ist(2026, 7, 31, 9, 15), True, ist(2026, 7, 31, 15, 30)),
        (ist(2026, 7, 31, 15, 29), True, ist(2026, 7, 31, 15, 30)),
        (ist(2026, 7, 31, 15, 30), False, ist(2026, 7, 31, 15, 30)),
        (ist(2026, 8, 3, 15, 30), True, ist(2026, 8, 3, 15, 40)),
        (ist(2026, 8, 3, 15, 39), True, ist(2026, 8, 3, 15, 40)),
        (ist(2026, 8, 3, 15, 40), False, ist(2026, 8, 3, 15, 40)),
    ],
)
def test_derivatives_close_at_1530_to_2_august_2026_and_at_1540_after(at, is_open, closes) -> None:  # type: ignore[no-untyped-def]
    for exchange in ("NFO", "BFO"):
        state = calendar.market_state(exchange, at)
        assert (state.is_open, state.closes_at) == (is_open, closes)


def test_the_cash_market_keeps_1530_and_an_index_follows_it() -> None:
    after = ist(2026, 11, 20, 15, 35)
    assert calendar.is_open("NFO", after)
    assert not calendar.is_open("NSE", after)
    assert not calendar.is_open("NSE_INDEX", after)
    assert calendar.is_open("BSE_INDEX", ist(2026, 11, 20, 15, 29))


def test_the_budget_sunday_is_a_full_session() -> None:
    state = calendar.market_state("NFO", ist(2026, 2, 1, 11))
    assert (state.is_open, state.name, state.closes_at) == (True, "Union Budget", ist(2026, 2, 1, 15, 30))
    assert not calendar.is_open("NFO", ist(2026, 2, 8, 11))


@pytest.mark.parametrize(
    ("opens", "closes"),
    [(ist(2026, 11, 8, 18), ist(2026, 11, 8, 19, 15)), (ist(2025, 10, 21, 13, 45), ist(2025, 10, 21, 14, 45))],
)
def test_muhurat_decides_its_date_alone_on_a_sunday_and_on_a_holiday(opens, closes) -> None:  # type: ignore[no-untyped-def]
    assert not calendar.is_open("NFO", opens - timedelta(seconds=1))
    assert calendar.is_open("NFO", opens)
    assert calendar.is_open("NFO", closes - timedelta(seconds=1))
    assert not calendar.is_open("NFO", closes)
    assert not calendar.is_open("NFO", opens.replace(hour=10, minute=0))


def test_a_holiday_announced_three_days_ahead_closes_as_soon_as_it_is_entered() -> None:
    monday = ist(2026, 11, 23, 12)
    assert calendar.is_open("NFO", monday)
    Holiday.objects.create(exchange="NFO", date=date(2026, 11, 23), name="Election")
    calendar.forget()
    state = calendar.market_state("NFO", monday)
    assert (state.is_open, state.name, state.next_opens_at) == (False, "Election", ist(2026, 11, 25, 9, 15))
    assert calendar.is_open("BFO", monday), "one exchange's holiday is not another's"


def test_a_settlement_holiday_does_not_close_the_market() -> None:
    Holiday.objects.create(exchange="NFO", date=date(2026, 11, 23), name="Banks shut", kind="SETTLEMENT")
    calendar.forget()
    assert calendar.is_open("NFO", ist(2026, 11, 23, 12))


def test_the_next_opening_skips_the_weekend_and_the_holiday() -> None:
    assert calendar.market_state("NFO", ist(2026, 11, 20, 16)).next_opens_at == ist(2026, 11, 23, 9, 15)
    assert calendar.market_state("NFO", ist(2026, 11, 23, 16)).next_opens_at == ist(2026, 11, 25, 9, 15)
    assert calendar.market_state("NFO", ist(2026, 11, 7, 12)).next_opens_at == ist(2026, 11, 8, 18)


def test_a_year_without_holidays_is_not_covered_and_the_warning_starts_on_2_december() -> None:
    assert not calendar.market_state("NFO", ist(2027, 1, 4, 12)).covered
    with clock.use(clock.FrozenClock(ist(2026, 12, 1, 9))):
        assert calendar.covered(30)
        assert calendar.coverage_end("NFO") == date(2026, 12, 31)
    with clock.use(clock.FrozenClock(ist(2026, 12, 2, 9))):
        assert not calendar.covered(30)


def test_a_demo_day_is_open_round_the_clock_covered_and_without_a_gap_at_midnight() -> None:
    with clock.use(clock.FrozenClock(ist(2027, 1, 1, 9))):
        load(actor="test", always_open_days=2)
        for at in (ist(2027, 1, 1), ist(2027, 1, 1, 23, 59) + timedelta(seconds=59.5), ist(2027, 1, 2), ist(2027, 1, 3, 4)):
            state = calendar.market_state("NFO", at)
            assert state.is_open and state.covered, at
        assert not calendar.is_open("NFO", ist(2027, 1, 4))


def test_loading_again_changes_nothing_that_a_person_edited() -> None:
    TradingHours.objects.filter(exchange="NFO", weekday=0).update(closes=time(14))
    SpecialSession.objects.filter(exchange="NFO", name="Muhurat trading", date=date(2026, 11, 8)).update(opens=time(17))
    assert not any(load(actor="test").values())
    assert TradingHours.objects.filter(exchange="NFO", weekday=0, closes=time(14)).count() == 2
    assert SpecialSession.objects.filter(opens=time(17)).count() == 1


@given(st.integers(min_value=0, max_value=2 * 365 * 24 * 60))
def test_the_state_agrees_with_itself_at_any_minute_of_two_years(minute: int) -> None:
    at = ist(2025, 1, 1) + timedelta(minutes=minute)
    state = calendar.sessions().state("NFO", at)
    assert state.is_open == (state.reason == "OPEN")
    if state.is_open:
        assert state.opens_at is not None and state.closes_at is not None and state.opens_at <= at < state.closes_at
    if state.next_opens_at is not None:
        assert state.next_opens_at > at
        assert calendar.sessions().state("NFO", state.next_opens_at).is_open


def test_rows_are_held_for_a_second_at_most() -> None:
    with clock.use(clock.FrozenClock(FRIDAY)) as frozen:
        assert calendar.is_open("NFO")
        Holiday.objects.create(exchange="NFO", date=FRIDAY.date(), name="Sudden")
        assert calendar.is_open("NFO")
        frozen.advance(1.0)  # type: ignore[attr-defined]
        assert not calendar.is_open("NFO")
