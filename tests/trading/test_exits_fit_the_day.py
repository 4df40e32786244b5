"""What an exchange takes today is not what it took when the position was opened."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from marketdata import calendar
from marketdata.models import Instrument
from marketdata.reference.load import load
from tests.trading.desk import FRIDAY_TEN, LOT, TICK, Desk
from trading.models import Book


def _owned(desk: Desk, units: int = LOT) -> Book:
    book = desk.open(desk.line(1, "BUY", "CE", units, freeze=1800))
    desk.run_until(lambda: desk.owned(book, "CE") == units)
    desk.run(2)
    return book


def test_an_exit_goes_out_in_slices_that_the_exchange_takes_today(live: Desk) -> None:
    """Twelve lots were bought when an order could have 1,800 units; they are carried over a change to 260."""
    book, symbol = _owned(live, 12 * LOT), live.symbols["CE"]
    Instrument.objects.create(
        exchange="NFO", symbol=symbol, underlying="NIFTY", kind="CE", expiry=date(2026, 11, 24), strike=Decimal(26000),
        lot_units=LOT, tick=TICK, freeze_units=260, listed_on=date(2026, 11, 20),
    )  # fmt: skip
    object.__setattr__(live.world.market.find("NFO", symbol), "freeze", 260)
    live.exit(book)
    live.run(40)
    assert live.net("CE") == 0, ([(o.request.quantity, o.status) for o in live.placed("CE", action="SELL")], live.alarms())


def test_a_closed_market_that_takes_orders_gets_one_a_minute(live: Desk) -> None:
    load(actor="test")
    book = _owned(live)
    live.advance((FRIDAY_TEN + timedelta(hours=27) - live.now()).total_seconds())
    live.fault("slow_fill", seconds=100_000, count=1000)
    live.exit(book)
    live.run(60)
    calendar.forget()
    assert len(live.placed("CE", action="SELL")) <= 2
