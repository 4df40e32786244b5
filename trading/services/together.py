"""What one transaction does to orders whose rows it knows, gathered and written in a few statements at its end.

The transaction has raised the version of their books, and the rows were read at that version: no row can have moved since.
It is checked all the same: where one is not as it was known, nothing of all this holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cache
from typing import Any, NamedTuple

from django.db import IntegrityError

from algomirror.ops import prepared
from algomirror.ops.prepared import Prepared, PreparedUpdate
from trading.domain.orders import ENTRIES, Purpose
from trading.domain.positions import Net, Traded, add
from trading.models import BrokerOrder, Fill, Order, Position

NET = tuple(column.name for column in fields(Net))
_WHERE = ("exchange", "symbol", "product")
_held = Prepared(lambda book: Position.objects.filter(book_id=book).order_by().values_list("pk", "leg", *_WHERE, *NET))
_net = PreparedUpdate(lambda position: Position.objects.filter(pk=position), ("leg", *NET))
_own = PreparedUpdate(
    lambda account, day, broker_order_id: BrokerOrder.objects.filter(
        account_id=account, trading_day=day, broker_order_id=broker_order_id, order=None
    ),
    ["order_id"],
)


class Outrun(IntegrityError):
    """A row was not as it was known."""


class _Key(NamedTuple):
    exchange: str
    symbol: str
    product: str


@cache
def _writer(names: tuple[str, ...]) -> PreparedUpdate:
    return PreparedUpdate(lambda order, state, filled: Order.objects.filter(pk=order, state=state, filled_units=filled), names)


@dataclass(slots=True)
class _Position:
    pk: int | None
    leg: int
    net: Net
    is_changed: bool = False


@dataclass(slots=True)
class _Gathered:
    # Of each order what its row says by now, and what it will say.
    known: dict[int, tuple[str, int]] = field(default_factory=dict)
    said: dict[int, dict[str, Any]] = field(default_factory=dict)
    fills: list[dict[str, Any]] = field(default_factory=list)
    owned: list[tuple[int, date | None, str, int]] = field(default_factory=list)
    positions: dict[int, dict[_Key, _Position]] = field(default_factory=dict)

    def write(self) -> None:
        alike: dict[tuple[str, ...], list[tuple[Any, ...]]] = {}
        for pk, said in self.said.items():
            alike.setdefault(tuple(said), []).append((pk, *self.known[pk], *said.values()))
        for names, rows in alike.items():
            if _writer(names).each(rows) != len(rows):
                raise Outrun("an order is not as it was known")
        _own.each(self.owned)
        prepared.insert_named(Fill, self.fills)
        changed = [(book, key, p) for book, held in self.positions.items() for key, p in held.items() if p.is_changed]
        _net.each([(p.pk, p.leg, *_numbers(p.net)) for _, _, p in changed if p.pk is not None])
        # Whoever books a fill has raised the book's version: nobody else makes this row meanwhile.
        new = [(book, key, p) for book, key, p in changed if p.pk is None]
        prepared.insert_named(
            Position,
            [
                {"book_id": book, **key._asdict(), "leg": p.leg, **dict(zip(NET, _numbers(p.net), strict=True))}
                for book, key, p in new
            ],
        )


_gathered: ContextVar[_Gathered | None] = ContextVar("gathered_rows", default=None)


@contextmanager
def written() -> Iterator[None]:
    """What is said inside of orders read at the version that this transaction has raised is written at the end.

    Raises Outrun, a kind of IntegrityError, where a row was not as it was known: the transaction is to be taken back.
    An error inside leaves all of it unwritten.
    """
    mine = _Gathered()
    token = _gathered.set(mine)
    try:
        yield
    finally:
        _gathered.reset(token)
    mine.write()


def say(order: Order, news: dict[str, Any]) -> bool:
    """Its row will say this. `order` still says what the row says. False where nothing is gathered."""
    here = _gathered.get()
    if here is None:
        return False
    pk = order.pk
    here.known.setdefault(pk, (order.state, order.filled_units))
    here.said.setdefault(pk, {}).update(news)
    return True


def book(fill: dict[str, Any], order: Order, traded: Traded) -> None:
    """A fill of this order, and what it makes of the position; at once where nothing is gathered."""
    here = _gathered.get() or _Gathered()
    here.fills.append(fill)
    held = here.positions.get(order.book_id)
    if held is None:
        held = here.positions[order.book_id] = {
            _Key(*where): _Position(pk, leg, Net(*net)) for pk, leg, where, net in map(_split, _held(order.book_id))
        }
    position = held.setdefault(_Key(order.exchange, order.symbol, order.product), _Position(None, order.leg, Net()))
    if not position.net.units and Purpose(order.purpose) in ENTRIES:
        # Another ticket brings in what an earlier one had: what covers it is that one's no more.
        position.leg = order.leg
    position.net, position.is_changed = add(position.net, traded), True
    if _gathered.get() is None:
        here.write()


def own(order: Order) -> None:
    """The broker's row that an earlier read showed under this order's name is ours; at once where nothing is gathered."""
    row = (order.account_id, order.trading_day, order.broker_order_id, order.pk)
    here = _gathered.get()
    if here is None:
        _own(*row)
    else:
        here.owned.append(row)


def _split(row: tuple[Any, ...]) -> tuple[int, int, tuple[Any, ...], tuple[Any, ...]]:
    return row[0], row[1], row[2:5], row[5:]


def _numbers(net: Net) -> tuple[Any, ...]:
    return tuple(getattr(net, name) for name in NET)
