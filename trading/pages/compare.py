"""Our books against each broker's last complete position read, instrument by instrument."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db.models import Max, Sum

from accounts.models import Account, BrokerRead
from algomirror.kernel import clock
from algomirror.kernel.money import parse_decimal, parse_quantity
from trading.domain.orders import LIVE_STATES
from trading.domain.reconcile import Instrument
from trading.models import Fill, Order, Position

Place = tuple[int, Instrument]  # account id, (exchange, symbol, product)


class Verdict(StrEnum):
    AGREES = "agrees"
    OUTSIDE = "outside only"
    CATCHING_UP = "catching up"
    DIFFERS = "differs"
    NOT_READ = "not read"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a broker shows of one instrument."""

    units: int
    average: Decimal | None
    pnl: Decimal | None


@dataclass(frozen=True, slots=True)
class Compared:
    owned: int
    broker: Shown | None
    verdict: Verdict

    @property
    def broker_units(self) -> int | None:
        return None if self.broker is None else self.broker.units

    @property
    def outside(self) -> int | None:
        """Broker net less our books; None when no complete read tells."""
        return None if self.broker is None else self.broker.units - self.owned


def compared(accounts: Iterable[Account]) -> dict[Place, Compared]:
    """Every instrument that a book or a broker holds. Four queries, whatever their number.

    A difference that an order in flight or a trade younger than the read explains is CATCHING_UP, not DIFFERS.
    """
    ids = [account.pk for account in accounts]
    owned = _owned(ids)
    reads = {row.account_id: row for row in BrokerRead.objects.filter(account__in=ids, kind=BrokerRead.Kind.POSITIONS)}
    shown = {account_id: shown_by(row.rows) for account_id, row in reads.items() if row.started_at is not None}
    moving = _moving(ids, {account_id: row.started_at for account_id, row in reads.items()})
    places = set(owned) | {(account, key) for account, book in shown.items() for key, net in book.items() if net.units}
    return {place: _judge(place, owned.get(place), shown.get(place[0]), is_moving=place in moving) for place in sorted(places)}


def _judge(place: Place, held: int | None, book: Mapping[Instrument, Shown] | None, *, is_moving: bool) -> Compared:
    """`held`: the sum of our books, None where none of them holds it."""
    owned = held or 0
    if book is None:
        return Compared(owned, None, Verdict.NOT_READ)
    broker = book.get(place[1], Shown(0, None, None))
    if broker.units == owned:
        return Compared(owned, broker, Verdict.AGREES)
    if is_moving:
        return Compared(owned, broker, Verdict.CATCHING_UP)
    return Compared(owned, broker, Verdict.OUTSIDE if held is None else Verdict.DIFFERS)


def shown_by(rows: Any) -> dict[Instrument, Shown]:
    """A kept position read as nets; a broker may list an instrument more than once."""
    found: dict[Instrument, Shown] = {}
    for row in rows if isinstance(rows, list) else ():
        key = (str(row["exchange"]), str(row["symbol"]), str(row["product"]))
        before, units = found.get(key), parse_quantity(row["units"]) or 0
        if before is None:
            found[key] = Shown(units, parse_decimal(row.get("average_price")), parse_decimal(row.get("pnl")))
        else:
            found[key] = Shown(before.units + units, None, None)
    return found


def _owned(account_ids: list[int]) -> dict[Place, int]:
    rows = (
        Position.objects.filter(book__account_id__in=account_ids)
        .exclude(units=0)
        .values_list("book__account_id", "exchange", "symbol", "product")
        .annotate(total=Sum("units"))
        .order_by()
    )
    return {(account, (exchange, symbol, product)): total for account, exchange, symbol, product, total in rows}


def _moving(account_ids: list[int], read_at: Mapping[int, datetime | None]) -> set[Place]:
    """Where something is in flight, or traded after the read was asked for. What an earlier day left unfinished is neither."""
    today = Order.objects.filter(account_id__in=account_ids, trading_day=clock.trading_day())
    live = today.filter(state__in=[s.value for s in LIVE_STATES])
    found: set[Place] = {
        (account, (exchange, symbol, product))
        for account, exchange, symbol, product in live.values_list("account_id", "exchange", "symbol", "product")
    }
    newest: dict[Place, datetime] = {}
    fills = Fill.objects.filter(account_id__in=account_ids, trading_day=clock.trading_day())
    for account, exchange, symbol, product, at in (
        fills.values_list("account_id", "exchange", "symbol", "product").annotate(at=Max("first_seen_at")).order_by()
    ):
        newest[account, (exchange, symbol, product)] = at
    return found | {place for place, at in newest.items() if (read := read_at.get(place[0])) is not None and at >= read}


def differences(accounts: Iterable[Account]) -> int:
    return sum(one.verdict is Verdict.DIFFERS for one in compared(accounts).values())
