"""One night at a desk: the market closes, the broker empties its books at an hour of its own, the next session opens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from algomirror.kernel.errors import Denied
from marketdata import calendar
from marketdata.models import Holiday, Instrument, TradingHours
from simulator.orders import Refused
from simulator.sessions import is_trading_day
from tests.trading import hooks
from tests.trading.desk import IST, LOT, NFO, TICK, Desk
from trading.models import Order

OPENS, CLOSES, BEGINS = time(9, 15), time(15, 40), time(9, 16)
LAST = time(15, 39, 55)
EVENING = [time(15, 40, 30), time(18, 0), time(23, 59, 50)]
MORNING = [time(0, 1), time(2, 59, 55), time(3, 0, 10), time(5, 31), time(8, 31)]
# On the day of the next session.
BEFORE = [time(9, 0, 10), time(9, 14, 55)]
MOMENTS = len(EVENING) + len(MORNING) + len(BEFORE)
STEPS_A_LOOK = 3


@dataclass(frozen=True)
class Night:
    """`looks`: at which of the moments the engine works; `asks`: at which of them everybody wants out."""

    looks: frozenset[int]
    asks: int | None
    ends_orders: bool  # at the close; else when the books are emptied
    freeze: int  # from the next morning on


@contextmanager
def by_hours(desk: Desk) -> Iterator[None]:
    """The desk's market has hours, here and there, and takes no entries outside them."""
    desk.world.market.always_open = False
    # What makes a year known is one holiday of it.
    Holiday.objects.create(exchange=NFO, date=date(2026, 11, 24), name="Prakash Gurpurb")
    TradingHours.objects.bulk_create(
        TradingHours(exchange=NFO, weekday=n, opens=OPENS, closes=CLOSES, effective_from=date(2026, 8, 3)) for n in range(5)
    )
    calendar.forget()
    hooks.gate = _in_hours
    try:
        yield
    finally:
        calendar.forget()


def _in_hours(order: Order) -> None:
    if not calendar.is_open(order.exchange):
        raise Denied("CLOSED", "the market is closed")


def passes(desk: Desk, night: Night, ask: Callable[[], None]) -> None:
    """From now, in market hours, to a minute after the next opening."""
    _to(desk, _at(_today(desk), LAST))
    for n, moment in enumerate(_moments(_today(desk))):
        _to(desk, moment)
        if not n and night.ends_orders:
            _end_orders(desk)
        if n == night.asks:
            ask()
        if n in night.looks:
            for _ in range(STEPS_A_LOOK):
                desk.step()
                desk.advance(1.1)
    _freeze(desk, night.freeze)
    _to(desk, _at(_today(desk), BEGINS))


def _today(desk: Desk) -> date:
    return desk.now().astimezone(IST).date()


def _moments(day: date) -> list[datetime]:
    following = day + timedelta(days=1)
    while not is_trading_day(following):
        following += timedelta(days=1)
    days = ((day, EVENING), (day + timedelta(days=1), MORNING), (following, BEFORE))
    return [_at(on, moment) for on, moments in days for moment in moments]


def _at(day: date, moment: time) -> datetime:
    return datetime.combine(day, moment, IST)


def _to(desk: Desk, at: datetime) -> None:
    """Not back: a look may have lasted longer than it is to the next."""
    desk.advance(max((at - desk.now()).total_seconds(), 0.0))


def _end_orders(desk: Desk) -> None:
    for server in desk.world.accounts:
        for orderid in list(server.broker.working):
            try:
                server.broker.cancel(orderid)
            except Refused:
                continue


def _freeze(desk: Desk, units: int) -> None:
    """What the exchange takes in one order from today on; its list is read in the morning."""
    if units == desk.freeze:
        return
    desk.freeze = units
    for symbol in desk.symbols.values():
        contract = desk.world.market.find(NFO, symbol)
        assert contract is not None
        object.__setattr__(contract, "freeze", units)
        said = {
            "underlying": "NIFTY",
            "kind": contract.kind,
            "strike": Decimal(str(contract.strike)),
            "lot_units": LOT,
            "tick": TICK,
        }
        Instrument.objects.update_or_create(
            exchange=NFO, symbol=symbol, defaults={**said, "freeze_units": units, "listed_on": _today(desk)}
        )
