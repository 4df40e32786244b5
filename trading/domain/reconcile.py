"""Ours against theirs, as a pure function: polling, start-up and the Sync button are the same act.

Invariants:
- a failed read proves nothing: no change comes from it;
- the order book says that an order exists and how it stands, the trade book says how much traded and at what price;
- an order ends (CANCELED, REJECTED) only on a word that two order books a moment apart agree on (some gateways show a
  neighbour's word for an order in transit), together with a whole trade book read after it; so does one that the book
  has complete for less than we asked, all of which traded: it was made smaller elsewhere;
- an order that was held for ended comes back to life on the same two agreeing words: better one cancel too many than an
  order that nobody knows works; a word that we do not know may mean working, but brings nothing back;
- a book that lost rows it showed earlier today is not whole: what it does not show may still be there;
- one pass makes every provable change, a second pass over the same reads makes none;
- a modify holds when the order book shows what was asked (or trades prove its units), whatever was answered; not shown for
  long enough it is given up, and recognised if it comes true later;
- what two explanations fit is left alone, and a person is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from accounts.gateway.reports import ENDING, BookOrder, Word
from trading.domain import changes as amend
from trading.domain.news import (
    NO_EFFECT,
    Adopt,
    Change,
    Freeze,
    Missed,
    Modified,
    Move,
    Odd,
    OurOrder,
    Rules,
    SeenOrder,
    Strange,
    Traded,
    TradedSum,
    Unmodified,
)
from trading.domain.orders import UNACKNOWLEDGED, WORKING, OrderState
from trading.domain.placing import BrokerClock

__all__ = [
    "NO_EFFECT",
    "Adopt",
    "Change",
    "Difference",
    "Freeze",
    "Instrument",
    "Missed",
    "Modified",
    "Move",
    "Odd",
    "OurOrder",
    "Rules",
    "SeenOrder",
    "Strange",
    "Traded",
    "TradedSum",
    "Unmodified",
    "compare",
    "reconcile",
    "sum_trades",
]

S = OrderState
ENDED = frozenset({S.CANCELED, S.REJECTED, S.FILLED, S.DENIED})
BLANK = "(blank)"


def reconcile(
    ours: Sequence[OurOrder],
    *,
    orders: Sequence[SeenOrder] | None,
    trades: Mapping[str, TradedSum] | None,
    read_started: datetime | None,
    now: datetime,
    rules: Rules,
    orders_whole: bool = True,
    trades_whole: bool = True,
) -> list[Change]:
    """Every provable change of our orders of one account; None for a book that was not read completely.

    `read_started`: when the order book was asked for; an order sent after that proves nothing by its absence.
    The trade book must have been read after the order book. `*_whole` False: it lacks rows that an earlier read had.
    """
    changes: list[Change] = []
    if orders is not None:
        ours = _adopt(ours, orders, now, rules, changes)
    evidence = _Evidence(
        rows={s.row.broker_order_id: s for s in orders or ()},
        trades=trades or {},
        orders_whole=orders_whole,
        trades_whole=trades is not None and trades_whole,
        read_started=read_started,
        now=now,
        rules=rules,
    )
    for order in ours:
        was_read = orders is not None and read_started is not None and order.sent_at is not None and read_started > order.sent_at
        if not order.broker_order_id:
            _judge_lost(order, was_read and orders_whole, now, rules, changes)
        else:
            _judge(order, evidence, was_read, changes)
    return changes


@dataclass(frozen=True, slots=True)
class _Evidence:
    rows: Mapping[str, SeenOrder]
    trades: Mapping[str, TradedSum]
    orders_whole: bool
    trades_whole: bool
    read_started: datetime | None
    now: datetime
    rules: Rules

    def confirmed(self, seen: SeenOrder) -> bool:
        """An earlier read, not the same moment, showed the same words."""
        return seen.since is not None and self.read_started is not None and self.read_started - seen.since >= self.rules.confirm


def _adopt(
    ours: Sequence[OurOrder], seen: Sequence[SeenOrder], now: datetime, rules: Rules, changes: list[Change]
) -> list[OurOrder]:
    """Give lost orders their broker order, where exactly one can be it and it can be nobody else's.

    A sender that may still report is waited for: its reply names the order, a likeness only guesses it.
    """
    known = {o.broker_order_id for o in ours if o.broker_order_id}
    free = [s for s in seen if s.claimed_by is None and s.row.broker_order_id not in known]
    lost = [o for o in ours if not o.broker_order_id and o.state in UNACKNOWLEDGED | {S.LAPSED}]
    adopted: dict[int, str] = {}
    _renamed(ours, seen, free, changes)
    for order in sorted(lost, key=lambda o: -o.order_id):
        fits = [s for s in free if _could_be(order, s)]
        if any(_could_have_become(o, s, seen) for o in ours for s in fits):
            continue
        if len(fits) > 1:
            fits = _narrow(order, fits)
        rivals = [o for o in lost if o.order_id != order.order_id and any(_could_be(o, s) for s in fits)]
        if not fits or any(_may_report(o, now, rules) for o in [order, *rivals]):
            continue
        if len(fits) > 1:
            changes.append(Freeze(order.book_id, order.order_id, f"{len(fits)} broker orders fit one lost order"))
        elif any(o.book_id != order.book_id for o in rivals):
            changes.append(Freeze(order.book_id, order.order_id, "one broker order fits lost orders of several books"))
        elif _likeliest([order, *rivals], fits[0], ours, seen, now) is order:
            adopted[order.order_id] = fits[0].row.broker_order_id
            changes.append(Adopt(order.order_id, adopted[order.order_id]))
            free.remove(fits[0])
            lost.remove(order)
    return [replace(o, broker_order_id=adopted[o.order_id]) if o.order_id in adopted else o for o in ours]


def _could_be(order: OurOrder, seen: SeenOrder) -> bool:
    return seen.shape == order.shape and seen.first_read > order.baseline_read


def _renamed(ours: Sequence[OurOrder], seen: Sequence[SeenOrder], free: Sequence[SeenOrder], changes: list[Change]) -> None:
    """Some brokers give a modified order another id. A likeness only guesses that: hands off, in its old shape and the new."""
    for order in ours:
        if any(_could_have_become(order, s, seen) for s in free):
            changes.append(Freeze(order.book_id, order.order_id, "it was modified, is gone, and another order looks like it"))


def _could_have_become(order: OurOrder, there: SeenOrder, seen: Sequence[SeenOrder]) -> bool:
    if order.change is None or order.state in ENDED or any(s.row.broker_order_id == order.broker_order_id for s in seen):
        return False
    shapes = (order.shape, (*order.shape[:4], order.change.asked.units))
    return there.shape in shapes and there.first_read > order.baseline_read


def _may_report(order: OurOrder, now: datetime, rules: Rules) -> bool:
    """Its sender may still be waiting for the answer."""
    return (
        order.state is S.SUBMITTED and not order.sender_gone and order.sent_at is not None and now - order.sent_at <= rules.sender
    )


def _narrow(order: OurOrder, fits: list[SeenOrder]) -> list[SeenOrder]:
    """Price type and price break ties and never decide alone."""
    return [s for s in fits if _is_priced_alike(order, s)] or fits


def _is_priced_alike(order: OurOrder, seen: SeenOrder) -> bool:
    row = seen.row
    return (
        row.price_type == order.price_type
        and (order.price_type == "MARKET" or row.price is None or row.price == order.price)
        and (row.trigger_price or Decimal(0)) == order.trigger_price
    )


def _likeliest(
    rivals: Sequence[OurOrder], there: SeenOrder, ours: Sequence[OurOrder], seen: Sequence[SeenOrder], now: datetime
) -> OurOrder:
    """Of one book's lost orders of one shape the one this is: by its price, by when it was placed, else the youngest.

    The book's net is the same whichever it is; the fills of each are right only if it is the right one.
    """
    if len(rivals) == 1:
        return rivals[0]
    left = [o for o in rivals if _is_priced_alike(o, there)] or rivals
    clock = BrokerClock.told_by(ours, seen, now)
    return max([o for o in left if clock.could_be(o, there)] or left, key=lambda o: o.order_id)


def _judge_change(order: OurOrder, evidence: _Evidence, changes: list[Change]) -> OurOrder:
    """The order with its modify decided, as far as this read decides it."""
    change, read = order.change, evidence.read_started
    if change is None:
        return order
    traded, seen = evidence.trades.get(order.broker_order_id), evidence.rows.get(order.broker_order_id)
    terms: amend.Terms | None = None
    why = "the order book shows it"
    if traded is not None and order.units < traded.units <= change.asked.units:
        terms, why = change.asked, f"{traded.units} units traded"
    elif seen is None or read is None or read <= change.asked_at:
        return order
    elif amend.shows(order.terms, change.asked, seen.terms):
        terms = change.asked
    elif not change.in_doubt or not _change_had_its_time(change, read, evidence.rules):
        return order
    elif amend.as_shown(order.terms, change.asked, seen.terms) == order.terms:
        changes.append(Unmodified(order.order_id, "the order book does not show the change", change.refused))
        return replace(order, change=None) if change.refused else order
    else:
        terms, why = amend.as_shown(order.terms, change.asked, seen.terms), "the order book shows part of it"
    changes.append(Modified(order.order_id, terms, why, late=not change.in_doubt))
    return replace(order, units=terms.units, price=terms.price, trigger_price=terms.trigger, change=None)


def _change_had_its_time(change: amend.Change, read: datetime, rules: Rules) -> bool:
    """Long enough after the answer, or after the sender can no longer be waiting for one."""
    since = change.answered_at or change.asked_at + rules.sender
    return read - since > rules.cancel_patience


def _may_grow(order: OurOrder, filled: int, evidence: _Evidence) -> bool:
    """All units it had are traded, but a change to more of them may have taken hold: only the book's end says no."""
    seen = evidence.rows.get(order.broker_order_id)
    return order.most_units > filled and (seen is None or seen.row.word not in ENDING)


def _judge(order: OurOrder, evidence: _Evidence, was_read: bool, changes: list[Change]) -> None:
    order = _judge_change(order, evidence, changes)
    traded = evidence.trades.get(order.broker_order_id)
    filled = order.filled_units
    if traded is not None and traded.units > filled:
        filled = traded.units
        changes.append(Traded(order.order_id, order.broker_order_id, traded.units, traded.value))
        if traded.units > order.units:
            changes.append(Odd(order.order_id, "OVERFILL", f"traded {traded.units} of an order for {order.units}"))
    state = order.state
    if filled >= order.units and not (state is not S.FILLED and _may_grow(order, filled, evidence)):
        if state is not S.FILLED:
            changes.append(Move(order.order_id, S.FILLED, "all units traded"))
        return
    seen = evidence.rows.get(order.broker_order_id) if was_read else None
    if seen is None:
        if state in ENDED:
            return
        if filled > order.filled_units and state is not S.PENDING_CANCEL:
            changes.append(Move(order.order_id, S.PARTIALLY_FILLED, "trades seen"))
        elif was_read:
            changes.append(Missed(order.order_id))
            _judge_absence(order, evidence, changes)
        return
    _judge_row(order, seen, filled, evidence, changes)


def _judge_absence(order: OurOrder, evidence: _Evidence, changes: list[Change]) -> None:
    """The broker named it, and no whole book shows it: it may work, or have filled, under another name."""
    since, rules = order.answered_at or order.sent_at, evidence.rules
    patient = since is not None and evidence.now - since >= rules.lapse_after and order.missing_reads + 1 >= rules.lapse_reads
    if patient and evidence.orders_whole and order.state in WORKING:
        why = f"accepted as {order.broker_order_id}, and in none of {order.missing_reads + 1} order books: look at the broker"
        changes.append(Odd(order.order_id, "ORDER_NOT_SHOWN", why))


def _judge_lost(order: OurOrder, was_read: bool, now: datetime, rules: Rules, changes: list[Change]) -> None:
    """No broker order is known for it. Only patience over complete reads may end that."""
    if order.state is S.SUBMITTED and not _may_report(order, now, rules):
        changes.append(Move(order.order_id, S.UNKNOWN, "its sender never reported"))
        return
    since = order.answered_at or order.sent_at
    if order.state is not S.UNKNOWN or not was_read or since is None:
        return
    if order.missing_reads + 1 >= rules.lapse_reads and now - since >= rules.lapse_after:
        why = f"absent from {order.missing_reads + 1} complete order books over {(now - since).total_seconds():.0f} s"
        changes.append(Move(order.order_id, S.LAPSED, why))
    else:
        changes.append(Missed(order.order_id))


def _judge_row(order: OurOrder, seen: SeenOrder, filled: int, evidence: _Evidence, changes: list[Change]) -> None:
    state, row = order.state, seen.row
    if row.word is Word.UNKNOWN and (called := row.raw_status[:60] or BLANK) != order.strange_word:
        changes.append(Strange(order.order_id, called, works=state not in ENDED))
    if state in ENDED:
        # Late trades of an ended order were counted above. What two reads ended two reads may bring back: it may fill.
        if state in (S.CANCELED, S.REJECTED) and row.word in (Word.WORKING, Word.TRIGGER_PENDING) and evidence.confirmed(seen):
            works = S.PARTIALLY_FILLED if filled else S.ACCEPTED
            changes.append(Move(order.order_id, works, f"the book says {row.raw_status}"))
        return
    says_ended = row.word in (Word.CANCELLED, Word.REJECTED) and (row.filled_units or 0) <= filled
    if says_ended and evidence.trades_whole and evidence.confirmed(seen):
        ended = S.REJECTED if row.word is Word.REJECTED and filled == 0 else S.CANCELED
        changes.append(Move(order.order_id, ended, row.reason or row.raw_status))
        return
    if _was_made_smaller(order, row, filled) and evidence.trades_whole and evidence.confirmed(seen):
        changes.append(
            Move(order.order_id, S.CANCELED, f"made smaller elsewhere: all {filled} units that were left of it traded")
        )
        return
    if row.word is Word.COMPLETE and evidence.confirmed(seen):
        changes.append(
            Odd(order.order_id, "COMPLETE_WITHOUT_TRADES", f"book says complete, trades show {filled} of {order.units}")
        )
    if not says_ended:
        _judge_working(order, filled, evidence.now, evidence.rules, changes)
    elif state in UNACKNOWLEDGED | {S.LAPSED}:
        changes.append(Move(order.order_id, S.ACCEPTED, "seen in the order book"))


def _was_made_smaller(order: OurOrder, row: BookOrder, filled: int) -> bool:
    """The broker has it complete for less than we asked, which is exactly what traded, and no modify of ours is in doubt:
    somebody changed its quantity at a terminal."""
    return row.word is Word.COMPLETE and order.change is None and 0 < filled == row.units < order.units


def _judge_working(order: OurOrder, filled: int, now: datetime, rules: Rules, changes: list[Change]) -> None:
    state = order.state
    if state is S.PENDING_CANCEL:
        asked = order.cancel_asked_at
        if asked is not None and now - asked > rules.cancel_patience:
            changes.append(Move(order.order_id, S.PARTIALLY_FILLED if filled else S.ACCEPTED, NO_EFFECT))
        return
    if filled > order.filled_units or (filled and state in UNACKNOWLEDGED | {S.LAPSED}):
        changes.append(Move(order.order_id, S.PARTIALLY_FILLED, "trades seen"))
    elif state in UNACKNOWLEDGED or state is S.LAPSED:
        changes.append(Move(order.order_id, S.ACCEPTED, "seen in the order book"))


# --- positions ---------------------------------------------------------------------------------

Instrument = tuple[str, str, str]  # exchange, symbol, product


@dataclass(frozen=True, slots=True)
class Difference:
    """`outside` = broker net − sum of our books; signed units."""

    instrument: Instrument
    owned: int
    broker: int

    @property
    def outside(self) -> int:
        return self.broker - self.owned


def compare(owned: Mapping[Instrument, int], broker: Mapping[Instrument, int]) -> list[Difference]:
    """Where the broker's net is not the sum of our books. Positions are compared, never copied."""
    return [
        Difference(key, owned.get(key, 0), broker.get(key, 0))
        for key in sorted(set(owned) | set(broker))
        if owned.get(key, 0) != broker.get(key, 0)
    ]


def sum_trades(rows: Iterable[tuple[str, int, Decimal]]) -> dict[str, TradedSum]:
    """(broker order id, units, price) rows → cumulative sums, whatever their order."""
    out: dict[str, TradedSum] = {}
    for order_id, units, price in rows:
        before = out.get(order_id, TradedSum(0, Decimal(0)))
        out[order_id] = TradedSum(before.units + units, before.value + units * price)
    return out
