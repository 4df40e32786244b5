"""A run as it stands after its entry filled: books, fills, guards; no strategy, no plan, no wire."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from accounts.gateway.reports import Failed, Why
from algomirror.kernel import clock
from marketdata import quotes
from marketdata.domain.quotes import Quote, Source
from risk.domain.limits import LimitTerms
from risk.domain.terms import PlannedLeg, RiskTerms, Structure
from risk.services import arming
from tests.strategies import stage
from trading.models import Book, Position, Run

LOT = 65
CALL, PUT = stage.option(24100, "CE"), stage.option(23950, "PE")
HIGH_CALL, LOW_PUT = stage.option(24300, "CE"), stage.option(23750, "PE")
INDEX = "NSE_INDEX:NIFTY"


class Deaf:
    """A server that answers no question."""

    def __init__(self, account: Any) -> None:
        self.account_id = account.pk

    def quotes(self, keys: object) -> Failed:
        return Failed(Why.TIMEOUT, "no answer")


class Owned(NamedTuple):
    leg: int
    action: str
    key: str
    price: str
    units: int = LOT
    covers: tuple[int, ...] = ()


# Yesterday's closes are the entry prices: what is open made nothing today until it moves.
CLOSES = {"call": 100, "put": 80, "high": 20, "low": 15, "index": 24025}
STRANGLE = (Owned(1, "SELL", CALL, "100"), Owned(2, "SELL", PUT, "80"))
CONDOR = (*STRANGLE, Owned(3, "BUY", HIGH_CALL, "20", covers=(1,)), Owned(4, "BUY", LOW_PUT, "15", covers=(2,)))


def accounts(n: int) -> list[Any]:
    return [stage.account(i + 1) for i in range(n)]


def a_run(
    on: Sequence[Any],
    terms: RiskTerms | None = None,
    *,
    owned: Sequence[Owned] = STRANGLE,
    name: str = "Strangle",
    product: str = "NRML",
    filled: bool = True,
    expiry: str = "2026-11-24",
    **limits: Any,
) -> Run:
    made = Run.objects.create(
        owner=stage.alice(),
        name=name,
        mode="PAPER",
        state="OPEN" if filled else "ENTERING",
        started_at=clock.now(),
        idempotency_key=f"{name}-{Run.objects.count()}",
    )
    books = [Book.objects.create(kind="RUN", run=made, account=account, mode="PAPER", opened_at=clock.now()) for account in on]
    planned = tuple(
        PlannedLeg(b.pk, o.leg, o.key, product, o.action, o.units, expiry, o.covers)  # type: ignore[arg-type]
        for b in books
        for o in owned
    )
    asked = LimitTerms(**{"max_loss": Decimal(5000), "more": terms or RiskTerms(), **limits})
    arming.arm(run_id=made.pk, book_ids=[b.pk for b in books], terms=asked, structure=Structure(planned, INDEX))
    if filled:
        for book in books:
            for one in owned:
                own(book, one, product)
    return made


def own(book: Book, one: Owned, product: str = "NRML") -> Position:
    exchange, _, symbol = one.key.partition(":")
    value = Decimal(one.price) * one.units
    buys = one.action == "BUY"
    return Position.objects.create(
        book=book,
        exchange=exchange,
        symbol=symbol,
        product=product,
        leg=one.leg,
        units=one.units if buys else -one.units,
        open_value=value,
        **({"bought_units": one.units, "bought_value": value} if buys else {"sold_units": one.units, "sold_value": value}),
    )


def close(book: Book, leg: int, price: str) -> None:
    """This leg traded out, as its fills would prove."""
    position = Position.objects.get(book=book, leg=leg)
    units, value = abs(position.units), Decimal(price) * abs(position.units)
    out = {"sold_units": units, "sold_value": value} if position.units > 0 else {"bought_units": units, "bought_value": value}
    gain = value - position.open_value if position.units > 0 else position.open_value - value
    Position.objects.filter(pk=position.pk).update(units=0, open_value=0, realised=position.realised + gain, **out)


def price(**prices: str | int) -> None:
    """call=…, put=…, high=…, low=…, index=…"""
    keys = {"call": CALL, "put": PUT, "high": HIGH_CALL, "low": LOW_PUT, "index": INDEX}
    for name, number in prices.items():
        price = Decimal(number)
        quotes.put([Quote(keys[name], price, clock.now(), Source.STREAM, prev_close=Decimal(CLOSES[name]))])


def at_entry() -> None:
    price(**CLOSES)


def at_entry_now() -> None:
    """Prices as at entry, also when the clock went back: what is stored is forgotten first."""
    from algomirror.ops import queue

    queue.client().delete(*(f"am:q:{key}" for key in (CALL, PUT, HIGH_CALL, LOW_PUT, INDEX)))
    at_entry()
