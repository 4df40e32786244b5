"""What must hold after every act, judged by the broker's own books and not by ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from django.conf import settings

from algomirror.kernel.clock import trading_day
from algomirror.ops.models import Journal
from algomirror.ops.prepared import Prepared
from algomirror.ops.steps import NOTICED_S
from simulator.orders import FINAL
from simulator.orders import Order as BrokerSide
from tests.trading.desk import Desk
from trading.domain.orders import ENTRIES, MOVES, UNACKNOWLEDGED, OrderState, Purpose
from trading.domain.positions import Net, Traded, fold
from trading.models import Book, ExitGoal, Fill, Order, Position
from trading.services.together import NET

S = OrderState
IN_DOUBT = UNACKNOWLEDGED | {S.LAPSED}


@dataclass(frozen=True)
class Owned:
    """A broker's order and the row that asked for it."""

    row: Order
    there: BrokerSide
    is_meddled: bool  # somebody modified it at the broker's terminal

    @property
    def is_live(self) -> bool:
        return self.there.status not in FINAL

    @property
    def filled(self) -> int:
        return self.there.filled

    @property
    def reach(self) -> int:
        """Units it has made or may yet make."""
        return self.there.quantity if self.is_live else self.there.filled

    @property
    def asked(self) -> int:
        """Of these what we asked for: the rest somebody added at the broker's terminal."""
        return min(self.reach, self.row.units) if self.is_meddled else self.reach


@dataclass(frozen=True)
class Moved:
    order_id: int | None
    subject: str
    old: str
    new: str
    is_late: bool


class Rows:
    """The rows everything is judged by, read once. Thousands of histories ask for them after every act."""

    def __init__(self) -> None:
        self.orders = _orders()
        self.fills = _fills()
        self.positions = _positions()
        self.moves = [Moved(pk, subject, old, new, kind == "order.late") for kind, pk, subject, old, new in _moves()]
        self.lapsed_ever = {m.order_id for m in self.moves if m.new == S.LAPSED and not m.is_late and m.order_id is not None}


_orders = Prepared(
    lambda: (
        Order.objects.select_related("book")
        .only(
            *("book__state", "book__kind", "account_id", "client_order_id", "purpose", "leg", "attempt", "hedge_legs"),
            *("exchange", "symbol", "product", "action", "units", "price", "trigger_price"),
            *("state", "broker_order_id", "filled_units", "change_state"),
        )
        .order_by("id")
    )
)
_fills = Prepared(
    lambda: Fill.objects.order_by("id").values_list("book_id", "symbol", "product", "action", "units", "value", "order_id")
)
_positions = Prepared(lambda: Position.objects.order_by("id"))
_moves = Prepared(
    lambda: (
        Journal.objects.filter(kind__in=["order", "order.late"])
        .order_by("id")
        .values_list("kind", "order_id", "subject", "moved_from", "moved_to")
    )
)
_lapses = Prepared(lambda: Journal.objects.filter(kind="order", moved_to=S.LAPSED).order_by("id").values_list("order_id", "at"))
_changes_asked = Prepared(lambda: Journal.objects.filter(kind="order.modify_asked").values_list("order_id", "numbers"))


def lies(desk: Desk) -> list[str]:
    """Everything that is not as it must be; empty when all is well."""
    rows = Rows()
    owned = list(_owned(desk, rows.orders))
    return [
        *desk.side.broken,
        *_sent_once(desk),
        *_no_over_entry(owned, rows),
        *_changes_are_the_brokers(owned),
        *_exits_only_reduce(owned, rows),
        *_hedged(owned, rows),
        *_every_live_order_has_an_owner(owned),
        *_fills_are_the_brokers(owned),
        *_positions_are_folds(rows),
        *_moves_are_in_the_table(rows),
        *_done_is_done(rows),
        *_one_unacknowledged_per_side(rows),
        *(_patience_is_real(desk) if desk.side.was_set else ()),
    ]


def unsettled(desk: Desk) -> list[str]:
    """What must hold in addition once everything has come to rest."""
    out: list[str] = []
    for o in _owned(desk, Order.objects.select_related("book")):
        known = Order.objects.get(pk=o.row.pk)
        if known.change_state == "ASKED" and o.is_live:
            out.append(f"{known}: its change was never decided")
        if o.is_live and o.row.book.state == Book.State.FLAT:
            out.append(f"{known} is live at the broker, its book is FLAT")
        # Of a day whose books are gone nothing more is learnt: there a person was called.
        is_gone = o.row.book.state == Book.State.FROZEN and known.trading_day != trading_day()
        if known.broker_order_id and known.filled_units != o.filled and not is_gone:
            out.append(f"{known}: we know {known.filled_units} units, the broker traded {o.filled}")
    for book in Book.objects.all():
        has_goal = ExitGoal.objects.filter(book=book).exclude(state="DONE").exists()
        if has_goal and book.state != Book.State.FROZEN and not desk.alarms():
            out.append(f"{book} still has an open goal, and nobody was told")
        if book.state == Book.State.FROZEN and "BOOK_FROZEN" not in desk.alarms():
            out.append(f"{book} is frozen, and nobody was told")
        if book.state == Book.State.FLAT and Position.objects.filter(book=book).exclude(units=0).exists():
            out.append(f"{book} is FLAT and owns something")
    return out


def is_one_hidden(desk: Desk) -> bool:
    """An order that we hold for lost has traded or may yet, or the broker's books do not show yet what has traded."""
    return any((o.row.state == S.LAPSED and o.reach) or o.row.filled_units != o.filled for o in _owned(desk, _orders()))


def _owned(desk: Desk, orders: Iterable[Order]) -> Iterator[Owned]:
    rows = {o.pk: o for o in orders}
    for sent in desk.side.sent:
        if sent.order_id is None or sent.order_id not in rows:
            continue
        for broker in desk.side.brokers(sent.account_id):
            for broker_id in sent.broker_ids:
                if broker_id in broker.orders:
                    yield Owned(rows[sent.order_id], broker.orders[broker_id], broker_id in desk.side.meddled)


def _sent_once(desk: Desk) -> Iterator[str]:
    made: dict[int | None, list[str]] = defaultdict(list)
    for sent in desk.side.sent:
        made[sent.order_id] += sent.broker_ids
    for order_id, broker_ids in made.items():
        if len(broker_ids) > 1:
            yield f"order {order_id} became {len(broker_ids)} orders at the broker"


def _no_over_entry(owned: list[Owned], rows: Rows) -> Iterator[str]:
    planned: dict[tuple[int, int], int] = defaultdict(int)
    asked = _most_asked()
    for row in rows.orders:
        if Purpose(row.purpose) in ENTRIES and row.attempt == 0:
            planned[row.book_id, row.leg] += max(row.units, asked.get(row.pk, 0))
    reach: dict[tuple[int, int], int] = defaultdict(int)
    for o in owned:
        if Purpose(o.row.purpose) in ENTRIES:
            reach[o.row.book_id, o.row.leg] += o.asked
    for key, units in reach.items():
        if units > planned[key]:
            yield f"book {key[0]} leg {key[1]}: {units} units entered or entering, {planned[key]} planned"


def _most_asked() -> dict[int, int]:
    """Units that a person asked an order to have, or that it had before, through all its changes."""
    most: dict[int, int] = {}
    for order_id, numbers in _changes_asked():
        assert order_id is not None
        most[order_id] = max(most.get(order_id, 0), numbers["units"], numbers["was_units"])
    return most


def _changes_are_the_brokers(owned: list[Owned]) -> Iterator[str]:
    """What we hold an order for is what the broker holds it for, unless a change of it is in doubt."""
    for o in owned:
        row, there = o.row, o.there
        if (
            o.is_meddled
            or row.change_state != "DONE"
            or row.book.state == Book.State.FROZEN
            or row.broker_order_id != there.orderid
        ):
            continue
        if (row.units, row.price, row.trigger_price) != (there.quantity, there.price, there.trigger):
            yield f"{row} is {row.units} at {row.price}, the broker has {there.quantity} at {there.price}"


def _exits_only_reduce(owned: list[Owned], rows: Rows) -> Iterator[str]:
    """By book and instrument: what exits took or may take is never more than what entries made.

    An exit that lapsed may surface beside the one sent in its place: that is the one stated limit.
    """
    made: dict[tuple[int, str], int] = defaultdict(int)
    taken: dict[tuple[int, str], int] = defaultdict(int)
    for o in owned:
        sign = 1 if o.there.is_buy else -1
        key = (o.row.book_id, o.row.symbol)
        if Purpose(o.row.purpose) in ENTRIES:
            made[key] += sign * o.filled
        elif o.row.pk not in rows.lapsed_ever:
            taken[key] += sign * o.asked
    for key, units in taken.items():
        if units and (made[key] * units > 0 or abs(units) > abs(made[key])):
            yield f"book {key[0]} {key[1]}: entries made {made[key]}, exits took or may take {units}"


def _hedged(owned: list[Owned], rows: Rows) -> Iterator[str]:
    """Short exposure of a leg never exceeds what its hedge legs hold, in any book none of whose orders lapsed."""
    lapsed_books = {row.book_id for row in rows.orders if row.pk in rows.lapsed_ever}
    shorts: dict[tuple[int, int], int] = defaultdict(int)
    longs: dict[tuple[int, int], int] = defaultdict(int)
    waits: dict[tuple[int, int], list[int]] = {}
    for row in rows.orders:
        if row.purpose == Purpose.ENTRY and row.attempt == 0 and row.hedge_legs:
            waits[row.book_id, row.leg] = row.hedge_legs
    for o in owned:
        key = (o.row.book_id, o.row.leg)
        if Purpose(o.row.purpose) is Purpose.ENTRY:
            shorts[key] += o.asked
        elif Purpose(o.row.purpose) is Purpose.HEDGE:
            longs[key] += o.filled
        elif o.there.is_buy:
            shorts[key] -= o.filled
        else:
            longs[key] -= o.asked
    for (book_id, leg), hedge_legs in waits.items():
        held = sum(longs[book_id, h] for h in hedge_legs)
        if book_id not in lapsed_books and shorts[book_id, leg] > held:
            yield f"book {book_id} leg {leg}: short {shorts[book_id, leg]}, hedge {held}"


def _every_live_order_has_an_owner(owned: list[Owned]) -> Iterator[str]:
    """Lost twins (one book, one leg, one shape) may be taken for each other: what is owned, and what is sent, is the same."""
    known = {o.row.broker_order_id: _twin(o.row) for o in owned if o.row.broker_order_id}
    for o in owned:
        row = o.row
        if not o.reach or row.broker_order_id == o.there.orderid or row.book.state == Book.State.FROZEN:
            continue
        if known.get(o.there.orderid) == _twin(row):
            continue
        if row.broker_order_id or OrderState(row.state) not in IN_DOUBT:
            yield f"{row} is {row.state} ({row.broker_order_id or 'no id'}); the broker has it as {o.there.orderid}"


def _twin(row: Order) -> tuple[object, ...]:
    return row.book_id, row.purpose, row.leg, row.exchange, row.symbol, row.product, row.action, row.units


def _fills_are_the_brokers(owned: list[Owned]) -> Iterator[str]:
    for o in owned:
        if o.row.broker_order_id == o.there.orderid and o.row.filled_units > o.filled:
            yield f"{o.row}: we count {o.row.filled_units} units, the broker {o.filled}"


def _positions_are_folds(rows: Rows) -> Iterator[str]:
    fills: dict[tuple[int, str, str], list[Traded]] = defaultdict(list)
    made: dict[int, int] = defaultdict(int)
    for book_id, symbol, product, action, units, value, order_id in rows.fills:
        fills[book_id, symbol, product].append(Traded("BUY" if action == "BUY" else "SELL", units, value))
        made[order_id] += units
    for p in rows.positions:
        if Net(*(getattr(p, name) for name in NET)) != fold(fills[p.book_id, p.symbol, p.product]):
            yield f"{p} of book {p.book_id} is not the fold of its fills"
    for o in rows.orders:
        if made[o.pk] != o.filled_units:
            yield f"{o}: its fills do not add up to {o.filled_units}"


def _moves_are_in_the_table(rows: Rows) -> Iterator[str]:
    for move in rows.moves:
        old, new = OrderState(move.old), OrderState(move.new)
        if new not in MOVES[old]:
            yield f"{move.subject} went from {old} to {new}"


def _one_unacknowledged_per_side(rows: Rows) -> Iterator[str]:
    sides: set[tuple[object, ...]] = set()
    for row in rows.orders:
        if OrderState(row.state) not in UNACKNOWLEDGED:
            continue
        side = (row.account_id, row.symbol, row.product, row.action)
        if side in sides:
            yield f"two unacknowledged orders to {row.action} {row.symbol}"
        sides.add(side)


def _patience_is_real(desk: Desk) -> Iterator[str]:
    """Whatever the clock says, an order is given up as long after it was sent as is promised. What is set by less than a
    keeper sets it all day is not noticed."""
    side = desk.side
    sent = {one.order_id: one.really_at for one in side.sent}
    unnoticed = sum(seconds for _, seconds in side.was_set if 0 < seconds < NOTICED_S)
    for order_id, at in _lapses():
        if order_id in sent:
            waited = (side.real(at) - sent[order_id]).total_seconds()
            if waited < settings.LAPSE_AFTER_S - unnoticed:
                yield f"order {order_id} was given up after {waited:.1f} s"


CAN_FILL = {S.INITIALIZED, S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL}


def _done_is_done(rows: Rows) -> Iterator[str]:
    """A book that is FLAT has no order that we know can fill, but one that just turned up."""
    just_turned_up = {move.order_id for move in rows.moves if move.is_late}
    for row in rows.orders:
        if row.book.state == Book.State.FLAT and OrderState(row.state) in CAN_FILL and row.pk not in just_turned_up:
            yield f"{row.book} is FLAT, {row} is {row.state}"
