from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from algomirror.frame.templatetags import numbers
from algomirror.kernel import clock


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("1234567.50"), "₹12,34,567.50"),
        (Decimal("-1250"), "−₹1,250.00"),
        (Decimal("0"), "₹0.00"),
        (Decimal("-0.004"), "₹0.00"),
        (Decimal("999.995"), "₹1,000.00"),
        (Decimal("123456789012.3"), "₹1,23,45,67,89,012.30"),
        (100, "₹100.00"),
        ("99.5", "₹99.50"),
        (None, "–"),
        ("", "–"),
        ("n/a", "–"),
        (Decimal("NaN"), "–"),
    ],
)
def test_rupees_are_grouped_in_lakhs_and_unknown_is_a_dash(value: numbers.Number, text: str) -> None:
    assert numbers.rupees(value) == text


def test_a_float_is_refused_because_money_is_decimal() -> None:
    with pytest.raises(TypeError):
        numbers.rupees(1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "css", "text"),
    [
        (Decimal("1250.5"), "pnl-up", "+₹1,250.50"),
        (Decimal("-1250.5"), "pnl-down", "−₹1,250.50"),
        (Decimal("0.001"), "pnl-flat", "₹0.00"),
        (None, "unknown", "–"),
    ],
)
def test_profit_and_loss_carry_a_sign_and_a_class(value: Decimal | None, css: str, text: str) -> None:
    shown = numbers.signed_rupees(value)
    assert css in shown
    assert f">{text}<" in shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("84250.40", "₹84,250"),
        ("99999.49", "₹99,999"),
        ("99999.50", "₹1 L"),
        ("1234567.50", "₹12.35 L"),
        ("-1234567.50", "−₹12.35 L"),
        ("9999499.99", "₹99.99 L"),
        ("9999500", "₹1 Cr"),
        ("12000000", "₹1.2 Cr"),
        ("12345678901.20", "₹1,234.57 Cr"),
    ],
)
def test_compact_rupees_switch_unit_where_rounding_would_reach_it(value: str, text: str) -> None:
    shown = numbers.compact_rupees(Decimal(value))
    assert f">{text}<" in shown
    assert f'title="{numbers.rupees(Decimal(value))}"' in shown


@pytest.mark.parametrize(
    ("units", "lot", "text"),
    [
        (195, 65, "3 lots (195)"),
        (-65, 65, "−1 lot (−65)"),
        (0, 65, "0"),
        (70, 65, "70 units (lot 65)"),
        (195, None, "195 units"),
        (None, 65, "–"),
        (130_000, 65, "2,000 lots (1,30,000)"),
    ],
)
def test_quantities_show_lots_and_units(units: int | None, lot: int | None, text: str) -> None:
    assert numbers.units_lots(units, lot) == text


def test_times_are_shown_in_india_with_seconds() -> None:
    at = datetime(2026, 11, 24, 18, 45, 9, tzinfo=UTC)
    assert numbers.ist(at) == "00:15:09"
    assert numbers.ist_date(at) == "Wed 25 Nov 2026"
    assert numbers.ist_stamp(at) == "25 Nov 00:15:09"
    assert numbers.ist(None) == "–"


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        numbers.ist(datetime(2026, 11, 24, 9, 15))


@pytest.mark.parametrize(
    ("day", "text", "left"),
    [
        (date(2026, 11, 24), "Tue 24 Nov", "4 d"),
        (date(2026, 11, 20), "Fri 20 Nov", "today"),
        (date(2026, 11, 19), "Thu 19 Nov", "expired"),
        (date(2027, 1, 5), "Tue 5 Jan 2027", "46 d"),
    ],
)
def test_an_expiry_shows_its_weekday_and_the_days_left(day: date, text: str, left: str) -> None:
    with clock.use(clock.FrozenClock(datetime(2026, 11, 20, 4, tzinfo=UTC))):
        shown = numbers.expiry(day)
    assert f">{text}<" in shown
    assert f">{left}<" in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (90000, "1 d"),
        (None, "–"),
    ],
)
def test_ages_use_the_largest_whole_unit(seconds: float | None, text: str) -> None:
    assert numbers.age(seconds) == text


def test_percent_rounds_half_up() -> None:
    assert numbers.percent(Decimal("12.345")) == "12.35%"
    assert numbers.percent(Decimal("-0.5")) == "−0.50%"
    assert numbers.percent(None) == "–"
