"""The broker's order book, kept row by row beside ours: compared, never copied."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, cast

from accounts.gateway.reports import BookOrder, Read, Word
from algomirror.kernel import clock
from algomirror.ops import prepared
from algomirror.ops.prepared import Prepared
from trading.domain import reconcile as truth
from trading.models import BrokerOrder


def _width(column: str) -> int:
    return int(cast(Any, BrokerOrder._meta.get_field(column)).max_length)


# No exchange trades before, and no broker's book is yesterday's any more.
TRADING_BEGINS = timedelta(hours=9)
# What a row says whose order goes on under another id.
RENAMED = "renamed by its broker"
_WORKED = frozenset({Word.WORKING.value, Word.TRIGGER_PENDING.value})
# Words of orders that are not ours come as the broker has them, and PostgreSQL keeps no row with a longer one.
_WIDTHS = {name: _width(name) for name in ("exchange", "symbol", "product", "price_type")}


class Kept(NamedTuple):
    """What a row of the book is compared with, as it was kept."""

    pk: int
    broker_order_id: str
    order_id: int | None
    units: int
    price: Decimal | None
    trigger_price: Decimal | None
    word: str
    raw_status: str
    reason: str
    traded_units: int
    traded_value: Decimal
    first_read: int
    first_seen_at: datetime
    last_seen_at: datetime
    exchange: str
    symbol: str
    product: str
    action: str


_kept = Prepared(
    lambda account, day: BrokerOrder.objects.filter(account_id=account, trading_day=day).order_by().values_list(*Kept._fields)
)


@dataclass(frozen=True, slots=True)
class Mirror:
    """What is kept of one account's day. `reflect` compares a read with it, `write` keeps what was new or changed."""

    account_id: int
    day: date
    known: Mapping[str, Kept]
    # Brokers empty their books at an hour of their own, by a clock of their own: before trading began yesterday's may still
    # have stood there, and these are those first seen since.
    todays: Mapping[str, Kept]
    _new: list[dict[str, Any]] = field(default_factory=list)
    _changed: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    def recognise(
        self, answer: Read[list[BookOrder]], sums: Mapping[str, truth.TradedSum], *, owners: Mapping[str, int]
    ) -> Mirror:
        """Some brokers give an order that is modified another id, and its trades with it; without being told so we would miss
        the old one for the rest of the day. The only row that is gone, of those that worked, and the only one that came, of one
        instrument and side in one read, with all that it had traded, are taken for one. `owners`: as in `reflect`."""
        shown = {row.broker_order_id for row in answer.value}
        gone: dict[tuple[str, ...], list[Kept]] = defaultdict(list)
        came: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for pk, kept in self.todays.items():
            if pk not in shown and kept.word in _WORKED:
                gone[kept.exchange, kept.symbol, kept.product, kept.action].append(kept)
        for row in answer.value if gone else ():
            if row.broker_order_id not in self.known and row.broker_order_id not in owners:
                came[row.exchange, row.symbol, row.product, row.action].append(row.broker_order_id)
        renamed = [
            olds[0]
            for shape, olds in gone.items()
            if len(olds) == len(came[shape]) == 1 and _units(sums, came[shape][0]) >= olds[0].traded_units
        ]
        ended = {"word": Word.CANCELLED.value, "raw_status": RENAMED, "traded_units": 0, "traded_value": Decimal(0)}
        self._changed.extend((old.pk, ended) for old in renamed)
        names = {old.broker_order_id for old in renamed}
        return replace(self, todays={pk: kept for pk, kept in self.todays.items() if pk not in names}) if names else self

    def lacks_orders(self, answer: Read[list[BookOrder]]) -> bool:
        """The read does not show an order that an earlier one showed, since the day's trading began."""
        return not self.todays.keys() <= {row.broker_order_id for row in answer.value}

    def lacks_trades(self, sums: Mapping[str, truth.TradedSum]) -> bool:
        return any(kept.traded_units > _units(sums, pk) for pk, kept in self.todays.items())

    def reflect(
        self, answer: Read[list[BookOrder]], sums: Mapping[str, truth.TradedSum], *, sequence: int, owners: Mapping[str, int]
    ) -> list[truth.SeenOrder]:
        """Every row with when it was first shown, and which order of ours it is (`owners`, by the broker's id)."""
        return [self._seen(row, sums.get(row.broker_order_id), sequence, owners, answer.started_at) for row in answer.value]

    def _seen(
        self, row: BookOrder, traded: truth.TradedSum | None, sequence: int, owners: Mapping[str, int], at: datetime
    ) -> truth.SeenOrder:
        kept, mine = self.known.get(row.broker_order_id), owners.get(row.broker_order_id)
        now = _fields(row, traded) | ({} if mine is None else {"order_id": mine})
        if kept is None:
            self._new.append(self._row(row, sequence, at, now))
            return truth.SeenOrder(row, sequence, mine, None)
        if any(getattr(kept, name) != value for name, value in now.items()):
            self._changed.append((kept.pk, now | {"last_seen_at": at}))
        return truth.SeenOrder(row, kept.first_read, mine, kept.last_seen_at if kept.word == row.word.value else None)

    def _row(self, row: BookOrder, sequence: int, at: datetime, now: dict[str, Any]) -> dict[str, Any]:
        return {
            "account_id": self.account_id,
            "trading_day": self.day,
            "broker_order_id": row.broker_order_id,
            "action": row.action,
            **{name: getattr(row, name)[:width] for name, width in _WIDTHS.items()},
            "first_read": sequence,
            "first_seen_at": at,
            "last_seen_at": at,
            **now,
        }

    def write(self) -> None:
        """Inside the caller's transaction."""
        # Another poll of the same account may have written the same rows at this moment.
        prepared.insert_named(BrokerOrder, self._new, unless_there=True)
        for pk, fields in self._changed:
            BrokerOrder.objects.filter(pk=pk).update(**fields)


def of(account_id: int, day: date) -> Mirror:
    known = {kept.broker_order_id: kept for kept in map(Kept._make, _kept(account_id, day))}
    since = clock.start_of(day) + TRADING_BEGINS
    todays = {pk: kept for pk, kept in known.items() if kept.first_seen_at >= since and kept.raw_status != RENAMED}
    return Mirror(account_id, day, known, todays)


def _units(sums: Mapping[str, truth.TradedSum], broker_order_id: str) -> int:
    found = sums.get(broker_order_id)
    return 0 if found is None else found.units


def _fields(row: BookOrder, traded: truth.TradedSum | None) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "units": row.units,
        "price": row.price,
        "trigger_price": row.trigger_price,
        "word": row.word.value,
        "raw_status": row.raw_status[:60],
        "reason": row.reason[:300],
    }
    if traded is not None:
        fields |= {"traded_units": traded.units, "traded_value": traded.value}
    return fields
