"""Charges: the check case of the market facts, to the paisa."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from risk.services.margins import RateBook
from trading.domain.charges import Rates, charges

D = Decimal
RATES = Rates(stt=D("0.0015"), transaction=D("0.0003553"), sebi=D("0.000001"), stamp=D("0.00003"), gst=D("0.18"))


def side(action, price, *, orders=1):
    return charges(action, D(price) * 65, orders=orders, brokerage_per_order=D(20), rates=RATES)


def test_the_check_case():
    sold, bought = side("SELL", 200), side("BUY", 150)
    assert (sold.total, bought.total, (sold + bought).total) == (D("48.57"), D("27.99"), D("76.56"))


def test_every_child_order_pays_brokerage_and_its_gst():
    assert side("BUY", 150, orders=3).total - side("BUY", 150).total == D("47.20")


@pytest.mark.django_db
def test_rates_follow_their_day():
    book = RateBook()
    before, after = book.on("NFO", False, date(2026, 3, 31)), book.on("NFO", False, date(2026, 4, 1))
    assert before is not None and after == RATES and before.stt == D("0.0010")
    assert book.on("NFO", False, date(2026, 2, 1)) is None, "the transaction rate of that day is not known"
    assert book.on("MCX", False, date(2026, 4, 1)) is None
