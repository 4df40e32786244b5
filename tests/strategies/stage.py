"""A market and its people: Friday 20 November 2026, 10:30 in India, NIFTY at 24,025 (ATM 24,050 by half-up)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from accounts.models import Account, BrokerRead, User
from algomirror.kernel import clock
from marketdata import calendar, quotes
from marketdata.domain.quotes import Quote, Source
from marketdata.domain.symbols import option_symbol
from marketdata.models import Holiday, Instrument, TradingHours, Underlying
from risk.domain.limits import LimitTerms
from risk.models import MarginRequirement
from strategies.domain.drafts import Draft
from strategies.domain.legs import LegSpec, with_hedges
from strategies.models import Version
from strategies.services import build, preview, start
from trading.domain.orders import OrderState
from trading.models import Book, Order, Position, Run

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
WEEK, NEXT, MONTH = date(2026, 11, 24), date(2026, 12, 1), date(2026, 12, 29)
SPOT = Decimal("24025")
LOT = 65


@contextmanager
def at(moment: datetime = NOW) -> Iterator[clock.FrozenClock]:
    frozen = clock.FrozenClock(moment)
    calendar.forget()
    with clock.use(frozen):
        yield frozen
    calendar.forget()


def margin_table() -> None:
    """The figures of the data migration, which a test with real transactions has flushed."""
    figures = {
        "SHORT_SINGLE": (205000, 250000),
        "SHORT_PAIR": (250000, 320000),
        "FUTURE": (215000,) * 2,
        "OPTION_BUY": (20000,) * 2,
    }
    for kind, pair in figures.items():
        for is_expiry, rupees in zip((True, False), pair, strict=True):
            MarginRequirement.objects.get_or_create(
                underlying="NIFTY", kind=kind, is_expiry=is_expiry, defaults={"rupees": Decimal(rupees)}
            )


def market(*, spot: Decimal = SPOT) -> None:
    margin_table()
    Underlying.objects.update_or_create(
        symbol="NIFTY",
        defaults={
            "index_exchange": "NSE_INDEX",
            "derivative_exchange": "NFO",
            "strike_step": Decimal(50),
            "has_weeklies": True,
        },
    )
    for exchange in ("NSE", "NFO"):
        Holiday.objects.get_or_create(exchange=exchange, date=date(2026, 12, 25), defaults={"name": "Christmas"})
        for weekday in range(5):
            TradingHours.objects.get_or_create(
                exchange=exchange,
                weekday=weekday,
                effective_from=date(2026, 1, 1),
                defaults={"opens": time(9, 15), "closes": time(15, 30)},
            )
    calendar.forget()
    rows = [
        _option(day, Decimal(strike), kind)
        for day in (WEEK, NEXT, MONTH)
        for strike in range(23500, 24601, 50)
        for kind in ("CE", "PE")
    ]
    rows += [_future(day) for day in (WEEK, MONTH)]
    Instrument.objects.bulk_create(rows, ignore_conflicts=True)
    tick("NSE_INDEX:NIFTY", spot)
    for row in rows:
        if row.strike is not None:
            tick(row.key, premium(row))


def second_index() -> None:
    """SENSEX at 80,000 beside NIFTY: every option at 300, lot 20."""
    Underlying.objects.update_or_create(
        symbol="SENSEX",
        defaults={
            "index_exchange": "BSE_INDEX",
            "derivative_exchange": "BFO",
            "strike_step": Decimal(100),
            "has_weeklies": True,
            "enabled": True,
        },
    )
    for exchange in ("BSE", "BFO"):
        Holiday.objects.get_or_create(exchange=exchange, date=date(2026, 12, 25), defaults={"name": "Christmas"})
        for weekday in range(5):
            TradingHours.objects.get_or_create(
                exchange=exchange,
                weekday=weekday,
                effective_from=date(2026, 1, 1),
                defaults={"opens": time(9, 15), "closes": time(15, 30)},
            )
    for kind, rupees in (("SHORT_SINGLE", 220000), ("SHORT_PAIR", 290000), ("FUTURE", 185000), ("OPTION_BUY", 20000)):
        for is_expiry in (True, False):
            MarginRequirement.objects.get_or_create(
                underlying="SENSEX", kind=kind, is_expiry=is_expiry, defaults={"rupees": Decimal(rupees)}
            )
    calendar.forget()
    day = date(2026, 11, 26)
    rows = [
        Instrument(
            exchange="BFO",
            symbol=option_symbol("SENSEX", day, Decimal(strike), "CE" if kind == "CE" else "PE"),
            underlying="SENSEX",
            kind=kind,
            expiry=day,
            strike=Decimal(strike),
            lot_units=20,
            tick=Decimal("0.05"),
            freeze_units=1000,
            listed_on=date(2026, 11, 20),
        )
        for strike in range(79_000, 81_001, 100)
        for kind in ("CE", "PE")
    ]
    Instrument.objects.bulk_create(rows, ignore_conflicts=True)
    tick("BSE_INDEX:SENSEX", 80_000)
    for row in rows:
        tick(row.key, 300)


def _option(day: date, strike: Decimal, kind: str) -> Instrument:
    symbol = option_symbol("NIFTY", day, strike, "CE" if kind == "CE" else "PE")
    return _instrument(symbol, kind, day, strike)


def _future(day: date) -> Instrument:
    return _instrument(f"NIFTY{day:%d%b%y}FUT".upper(), "FUT", day, None)


def _instrument(symbol: str, kind: str, day: date, strike: Decimal | None) -> Instrument:
    return Instrument(
        exchange="NFO",
        symbol=symbol,
        underlying="NIFTY",
        kind=kind,
        expiry=day,
        strike=strike,
        lot_units=LOT,
        tick=Decimal("0.05"),
        freeze_units=1800,
        listed_on=date(2026, 11, 20),
    )


def premium(row: Instrument) -> Decimal:
    """A plausible, exact premium: 100 at the money, less away from it."""
    assert row.strike is not None
    out = row.strike - SPOT if row.kind == "CE" else SPOT - row.strike
    return max(Decimal(100) - out / 5, Decimal(5))


def tick(key: str, price: Decimal | str | int, *, age_s: float = 0.0) -> None:
    price = Decimal(price)
    received = clock.now() if not age_s else datetime.fromtimestamp(clock.now().timestamp() - age_s, UTC)
    quotes.put([Quote(key, price, received, Source.STREAM, bid=price - Decimal("0.05"), ask=price + Decimal("0.05"))])


def option(strike: int, kind: str, day: date = WEEK) -> str:
    return "NFO:" + option_symbol("NIFTY", day, Decimal(strike), "CE" if kind == "CE" else "PE")


def alice() -> User:
    return User.objects.get_or_create(username="alice", defaults={"email": "alice@example.org", "role": "OWNER"})[0]


def person(name: str, role: str) -> User:
    return User.objects.create(username=name, email=f"{name}@example.org", role=role)


def account(n: int = 1, **more: Any) -> Account:
    fields: dict[str, Any] = {
        "owner": alice(),
        "name": f"Account {n}",
        "host_url": f"http://127.0.0.1:{5000 + n}",
        "websocket_url": f"ws://127.0.0.1:{8000 + n}",
        "sealed_key": b"-",
        "key_fingerprint": f"{n:064d}",
        "mode": "PAPER",
        "link": "UP",
        "is_primary": n == 1,
        # No server stands behind these accounts; where one does, a test says so.
        "margin_trusted": False,
    }
    made = Account.objects.create(**{**fields, **more})
    books_read(made)
    funds_read(made)
    return made


def books_read(of: Account, *, age_s: float = 0.0) -> None:
    moment = datetime.fromtimestamp(clock.now().timestamp() - age_s, UTC)
    BrokerRead.objects.update_or_create(
        account=of,
        kind="ORDERS",
        defaults={"sequence": 5, "started_at": moment, "finished_at": moment, "attempted_at": moment},
    )


def funds_read(of: Account, cash: str | int = 10_000_000, *, age_s: float = 0.0, **more: str) -> None:
    """A complete read of funds, as the link check keeps it."""
    moment = datetime.fromtimestamp(clock.now().timestamp() - age_s, UTC)
    rows = {"available_cash": str(cash), "collateral": "0", "used": "0", "realised": "0", "unrealised": "0", **more}
    BrokerRead.objects.update_or_create(
        account=of,
        kind="FUNDS",
        defaults={"rows": rows, "sequence": 1, "started_at": moment, "finished_at": moment, "attempted_at": moment},
    )


def leg(n: int, action: str, mode: str, kind: str, offset: int = 0, *, lots: int = 1, slot: str = "CURRENT_WEEK") -> LegSpec:
    return LegSpec(n, "NIFTY", kind, slot, action, mode, offset, lots)  # type: ignore[arg-type]


def condor(lots: int = 1) -> list[LegSpec]:
    legs = [
        leg(1, "SELL", "OTM", "CE", 2, lots=lots),
        leg(2, "BUY", "OTM", "CE", 4, lots=lots),
        leg(3, "SELL", "OTM", "PE", 2, lots=lots),
        leg(4, "BUY", "OTM", "PE", 4, lots=lots),
    ]
    return with_hedges(legs, {})


def saved(accounts: list[Account], *, name: str = "Condor", legs: list[LegSpec] | None = None, **limits: Any) -> Version:
    terms = LimitTerms(**{"max_loss": Decimal(5000), "max_profit": Decimal(4000), **limits})
    draft = Draft(name, "NRML", tuple(a.pk for a in accounts), tuple(legs or condor()), terms)
    return build.save_strategy(alice(), draft)


def started(accounts: list[Account], **more: Any) -> Run:
    version = saved(accounts, **more)
    plan = preview.preview(version, accounts, user=alice())
    return start.start(plan.key, digest=plan.digest, idempotency_key=f"key-{plan.key}", by="user:alice")


def filled(run: Run) -> None:
    """Every entry filled at its decision price, as the trade book would prove it."""
    for order in Order.objects.filter(book__run=run, purpose__in=["ENTRY", "HEDGE"]).select_related("book"):
        assert order.decision_price is not None
        value = order.decision_price * order.units
        Order.objects.filter(pk=order.pk).update(state=OrderState.FILLED, filled_units=order.units, filled_value=value)
        buys = order.action == "BUY"
        Position.objects.update_or_create(
            book=order.book,
            exchange=order.exchange,
            symbol=order.symbol,
            product=order.product,
            defaults={
                "leg": order.leg,
                "units": order.units if buys else -order.units,
                "open_value": value,
                "bought_units" if buys else "sold_units": order.units,
                "bought_value" if buys else "sold_value": value,
            },
        )


def flat(book: Book) -> None:
    for position in Position.objects.filter(book=book):
        Position.objects.filter(pk=position.pk).update(units=0, open_value=0)
