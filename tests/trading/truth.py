"""What must hold after every act, judged by the broker's own books and not by ours."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from algomirror.ops.models import Journal
from simulator.orders import FINAL
from simulator.orders import Order as BrokerSide
from tests.trading.desk import Desk
from trading.domain.orders import ENTRIES, MOVES, UNACKNOWLEDGED, OrderState, Purpose
from trading.domain.positions import Traded, fold
from trading.models import Book, ExitGoal, Fill, Order, Position
from trading.services.apply import net_of

S = OrderState
IN_DOUBT = UNACKNOWLEDGED | {S.LAPSED}


@dataclass(frozen=True)
class Owned:
    """A broker's order and the row that asked for it."""

    row: Order
    there: BrokerSide

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


def lies(desk: Desk) -> list[str]:
    """Everything that is not as it must be; empty when all is well."""
    owned = list(_owned(desk))
    return [
        *desk.side.broken,
        *_sent_once(desk),
        *_no_over_entry(owned),
        *_changes_are_the_brokers(owned),
        *_exits_only_reduce(owned),
        *_hedged(owned),
        *_every_live_order_has_an_owner(owned),
        *_fills_are_the_brokers(owned),
        *_positions_are_folds(),
        *_moves_are_in_the_table(),
        *_done_is_done(),
        *_one_unacknowledged_per_side(),
    ]


def unsettled(desk: Desk) -> list[str]:
    """What must hold in addition once everything has come to rest."""
    out: list[str] = []
    for o in _owned(desk):
        known = Order.objects.get(pk=o.row.pk)
        if known.change_state == "ASKED" and o.is_live:
            out.append(f"{known}: its change was never decided")
        if o.is_live and o.row.book.state == Book.State.FLAT:
            out.append(f"{known} is live at the broker, its book is FLAT")
        if known.broker_order_id and known.filled_units != o.filled:
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


def _owned(desk: Desk) -> Iterator[Owned]:
    rows = {o.pk: o for o in Order.objects.select_related("book")}
    for sent in desk.side.sent:
        if sent.order_id is None or sent.order_id not in rows:
            continue
        for broker in desk.side.brokers(sent.account_id):
            for broker_id in sent.broker_ids:
                if broker_id in broker.orders:
                    yield Owned(rows[sent.order_id], broker.orders[broker_id])


def _sent_once(desk: Desk) -> Iterator[str]:
    made: dict[int | None, list[str]] = defaultdict(list)
    for sent in desk.side.sent:
        made[sent.order_id] += sent.broker_ids
    for order_id, broker_ids in made.items():
        if len(broker_ids) > 1:
            yield f"order {order_id} became {len(broker_ids)} orders at the broker"


def _no_over_entry(owned: list[Owned]) -> Iterator[str]:
    planned: dict[tuple[int, int], int] = defaultdict(int)
    asked = _most_asked()
    for o in Order.objects.filter(purpose__in=[p.value for p in ENTRIES], attempt=0):
        planned[o.book_id, o.leg] += max(o.units, asked.get(o.pk, 0))
    reach: dict[tuple[int, int], int] = defaultdict(int)
    for o in owned:
        if Purpose(o.row.purpose) in ENTRIES:
            reach[o.row.book_id, o.row.leg] += o.reach
    for key, units in reach.items():
        if units > planned[key]:
            yield f"book {key[0]} leg {key[1]}: {units} units entered or entering, {planned[key]} planned"


def _most_asked() -> dict[int, int]:
    """Units that a person asked an order to have, or that it had before, through all its changes."""
    most: dict[int, int] = {}
    for row in Journal.objects.filter(kind="order.modify_asked").values("order_id", "numbers"):
        numbers = row["numbers"]
        most[row["order_id"]] = max(most.get(row["order_id"], 0), numbers["units"], numbers["was_units"])
    return most


def _changes_are_the_brokers(owned: list[Owned]) -> Iterator[str]:
    """What we hold an order for is what the broker holds it for, unless a change of it is in doubt."""
    for o in owned:
        row, there = o.row, o.there
        if row.change_state != "DONE" or row.book.state == Book.State.FROZEN or row.broker_order_id != there.orderid:
            continue
        if (row.units, row.price, row.trigger_price) != (there.quantity, there.price, there.trigger):
            yield f"{row} is {row.units} at {row.price}, the broker has {there.quantity} at {there.price}"


def _lapsed_ever() -> set[int]:
    rows = Journal.objects.filter(kind="order", moved_to="LAPSED").values_list("order_id", flat=True)
    return {pk for pk in rows if pk is not None}


def _exits_only_reduce(owned: list[Owned]) -> Iterator[str]:
    """By book and instrument: what exits took or may take is never more than what entries made.

    An exit that lapsed may surface beside the one sent in its place: that is the one stated limit.
    """
    lapsed = _lapsed_ever()
    made: dict[tuple[int, str], int] = defaultdict(int)
    taken: dict[tuple[int, str], int] = defaultdict(int)
    for o in owned:
        sign = 1 if o.there.is_buy else -1
        key = (o.row.book_id, o.row.symbol)
        if Purpose(o.row.purpose) in ENTRIES:
            made[key] += sign * o.filled
        elif o.row.pk not in lapsed:
            taken[key] += sign * o.reach
    for key, units in taken.items():
        if units and (made[key] * units > 0 or abs(units) > abs(made[key])):
            yield f"book {key[0]} {key[1]}: entries made {made[key]}, exits took or may take {units}"


def _hedged(owned: list[Owned]) -> Iterator[str]:
    """Short exposure of a leg never exceeds what its hedge legs hold, in any book none of whose orders lapsed."""
    lapsed_books = set(Order.objects.filter(pk__in=_lapsed_ever()).values_list("book_id", flat=True))
    shorts: dict[tuple[int, int], int] = defaultdict(int)
    longs: dict[tuple[int, int], int] = defaultdict(int)
    waits: dict[tuple[int, int], list[int]] = {}
    for row in Order.objects.filter(purpose=Purpose.ENTRY, attempt=0):
        if row.hedge_legs:
            waits[row.book_id, row.leg] = row.hedge_legs
    for o in owned:
        key = (o.row.book_id, o.row.leg)
        if Purpose(o.row.purpose) is Purpose.ENTRY:
            shorts[key] += o.reach
        elif Purpose(o.row.purpose) is Purpose.HEDGE:
            longs[key] += o.filled
        elif o.there.is_buy:
            shorts[key] -= o.filled
        else:
            longs[key] -= o.reach
    for (book_id, leg), hedge_legs in waits.items():
        held = sum(longs[book_id, h] for h in hedge_legs)
        if book_id not in lapsed_books and shorts[book_id, leg] > held:
            yield f"book {book_id} leg {leg}: short {shorts[book_id, leg]}, hedge {held}"


def _every_live_order_has_an_owner(owned: list[Owned]) -> Iterator[str]:
    for o in owned:
        row = o.row
        if not o.reach or row.broker_order_id == o.there.orderid or row.book.state == Book.State.FROZEN:
            continue
        if row.broker_order_id or OrderState(row.state) not in IN_DOUBT:
            yield f"{row} is {row.state} ({row.broker_order_id or 'no id'}); the broker has it as {o.there.orderid}"


def _fills_are_the_brokers(owned: list[Owned]) -> Iterator[str]:
    for o in owned:
        if o.row.broker_order_id == o.there.orderid and o.row.filled_units > o.filled:
            yield f"{o.row}: we count {o.row.filled_units} units, the broker {o.filled}"


def _positions_are_folds() -> Iterator[str]:
    fills: dict[tuple[int, str, str], list[Traded]] = defaultdict(list)
    units: dict[int, int] = defaultdict(int)
    for f in Fill.objects.order_by("id"):
        fills[f.book_id, f.symbol, f.product].append(Traded("BUY" if f.action == "BUY" else "SELL", f.units, f.value))
        units[f.order_id] += f.units
    for p in Position.objects.all():
        if net_of(p) != fold(fills[p.book_id, p.symbol, p.product]):
            yield f"{p} of book {p.book_id} is not the fold of its fills"
    for o in Order.objects.all():
        if units[o.pk] != o.filled_units:
            yield f"{o}: its fills do not add up to {o.filled_units}"


def _moves_are_in_the_table() -> Iterator[str]:
    for row in Journal.objects.filter(kind__in=["order", "order.late"]).values("moved_from", "moved_to", "subject"):
        old, new = OrderState(row["moved_from"]), OrderState(row["moved_to"])
        if new not in MOVES[old]:
            yield f"{row['subject']} went from {old} to {new}"


def _one_unacknowledged_per_side() -> Iterator[str]:
    sides: set[tuple[object, ...]] = set()
    for row in Order.objects.filter(state__in=[s.value for s in UNACKNOWLEDGED]):
        side = (row.account_id, row.symbol, row.product, row.action)
        if side in sides:
            yield f"two unacknowledged orders to {row.action} {row.symbol}"
        sides.add(side)


def _done_is_done() -> Iterator[str]:
    """A book that is FLAT has no order that we know can fill, but one that just turned up."""
    for book in Book.objects.filter(state=Book.State.FLAT):
        rows = Order.objects.filter(book=book, state__in=[S.INITIALIZED, S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL])
        just_turned_up = set(Journal.objects.filter(kind="order.late").values_list("order_id", flat=True))
        for row in rows:
            if row.pk not in just_turned_up:
                yield f"{book} is FLAT, {row} is {row.state}"
