"""What an exit goal does next, from what is owned, what works, and what the broker proves.

An exit never asks for more than the shortfall: |owned| less what is already on its way out, and less what the broker
shows as missing. Shorts go first; a hedge is released only for the units whose shorts are confirmed covered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from algomirror.kernel.money import Action
from trading.domain.orders import ENTRIES, EXITS, LIVE_STATES, UNACKNOWLEDGED, OrderState, Purpose

Instrument = tuple[str, str, str]  # exchange, symbol, product
S = OrderState


@dataclass(frozen=True, slots=True)
class OrderView:
    order_id: int
    purpose: Purpose
    instrument: Instrument
    action: Action
    state: OrderState
    units: int
    filled_units: int
    sent_at: datetime | None
    leg: int = 0
    protected: bool = True

    @property
    def remaining(self) -> int:
        return max(self.units - self.filled_units, 0)


@dataclass(frozen=True, slots=True)
class PositionView:
    instrument: Instrument
    leg: int
    units: int  # signed, owned by this book
    lot_units: int
    tick: Decimal
    freeze_units: int | None
    cost: Decimal = Decimal(0)  # rupees a unit, positive


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a complete position read, newer than our last change in this instrument, says of one position.

    `missing`: units of ours, in our direction, that the broker does not show. `outside`: units in our direction that it
    shows beyond all our books. No Evidence for an instrument: no such read yet.
    """

    missing: int
    outside: int
    sole_owner: bool


@dataclass(frozen=True, slots=True)
class Facts:
    positions: Sequence[PositionView]
    orders: Sequence[OrderView]
    # Units to leave open, absolute; an instrument not named is out of scope. None: everything to zero.
    targets: Mapping[Instrument, int] | None
    # Hedge leg → the short legs it covers.
    hedges: Mapping[int, Sequence[int]]
    evidence: Mapping[Instrument, Evidence]
    # Instruments where an earlier exit attempt ended: the next one wants evidence newer than that end.
    needs_evidence: frozenset[Instrument]
    # Sides on which another book's order of this account is unacknowledged: a second one could not be told from it.
    taken: frozenset[tuple[Instrument, Action]]
    now: datetime
    repeg: timedelta

    def leave(self, instrument: Instrument) -> int | None:
        return 0 if self.targets is None else self.targets.get(instrument)


# --- steps -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deny:
    """An entry that was never sent shall never be sent."""

    order_id: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """`walks`: only to be asked again at another price."""

    order_id: int
    why: str
    walks: bool = False


@dataclass(frozen=True, slots=True)
class Exit:
    """Send one order of `units` (whole, ≤ freeze) in the reducing direction."""

    instrument: Instrument
    leg: int
    action: Action
    units: int


@dataclass(frozen=True, slots=True)
class Wait:
    instrument: Instrument | None
    why: Literal["unacknowledged", "entries", "cancelling", "working", "evidence", "hedge", "missing", "lapsed"]


@dataclass(frozen=True, slots=True)
class Done:
    pass


Step = Deny | Cancel | Exit | Wait | Done


def steps(facts: Facts) -> list[Step]:
    """Everything that may be done now, in order. [Done()] only when nothing is owned above target and nothing can still fill."""
    out: list[Step] = []
    in_scope = [o for o in facts.orders if facts.leave(o.instrument) is not None]
    entries_pending = False
    for order in in_scope:
        if order.purpose not in ENTRIES:
            continue
        if order.state is S.INITIALIZED:
            out.append(Deny(order.order_id))
        elif order.state in (S.ACCEPTED, S.PARTIALLY_FILLED):
            out.append(Cancel(order.order_id, "closing starts with cancelling"))
            entries_pending = True
        elif order.state in UNACKNOWLEDGED or order.state is S.PENDING_CANCEL:
            out.append(Wait(order.instrument, "entries"))
            entries_pending = True
    uncovered = _uncovered_shorts(facts)
    open_left = False
    for position in sorted(facts.positions, key=lambda p: (p.units > 0, p.leg)):
        leave = facts.leave(position.instrument)
        if leave is None or abs(position.units) <= leave:
            continue
        open_left = True
        out.extend(_reduce(position, leave, uncovered, facts))
    still_working = [o for o in in_scope if o.purpose in EXITS and (o.state in UNACKNOWLEDGED or o.state in _WORKING)]
    for order in still_working:
        is_reached = abs(_owned(facts, order.instrument)) <= (facts.leave(order.instrument) or 0)
        if is_reached and order.state in (S.ACCEPTED, S.PARTIALLY_FILLED):
            out.append(Cancel(order.order_id, "nothing left to close"))
    if not out and not open_left and not entries_pending and not still_working:
        return [Done()]
    return out


_WORKING = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL})


def only_missing(todo: Sequence[Step]) -> bool:
    """Nothing but what the broker does not show, and the hedges of that, is left. While more is leaving its book must not
    freeze: a frozen book does nothing, and for what is missing nothing is sent either way.
    """
    return all(isinstance(step, Wait) and step.why in ("missing", "hedge") for step in todo)


def _owned(facts: Facts, instrument: Instrument) -> int:
    return sum(p.units for p in facts.positions if p.instrument == instrument)


def _uncovered_shorts(facts: Facts) -> dict[int, int]:
    """Short units by leg, open or still possible through a live entry: what hedges must still cover."""
    out: dict[int, int] = {}
    for p in facts.positions:
        if p.units < 0:
            out[p.leg] = out.get(p.leg, 0) - p.units
    for o in facts.orders:
        if o.purpose in ENTRIES and o.action == "SELL" and o.state in LIVE_STATES:
            out[o.leg] = out.get(o.leg, 0) + o.remaining
    return out


def _reduce(position: PositionView, leave: int, uncovered: Mapping[int, int], facts: Facts) -> list[Step]:
    instrument = position.instrument
    mine = [o for o in facts.orders if o.instrument == instrument]
    exits = [o for o in mine if o.purpose in EXITS]
    # What was promised to a hedge's shorts is not left to close either.
    left = abs(position.units) - max(leave, _kept(position, uncovered, facts))
    if any(o.state in UNACKNOWLEDGED for o in mine):
        return [Wait(instrument, "unacknowledged"), *_call_back(position, left, exits, frozenset())]
    if any(o.purpose in ENTRIES and o.state in _WORKING for o in mine):
        return [Wait(instrument, "entries"), *_call_back(position, left, exits, frozenset())]
    working = [o for o in exits if o.state in _WORKING]
    out: list[Step] = []
    for order in working:
        if order.state is S.PENDING_CANCEL:
            out.append(Wait(instrument, "cancelling"))
        elif order.sent_at is not None and facts.now - order.sent_at >= facts.repeg:
            out.append(Cancel(order.order_id, "unfilled, walk the price", walks=True))
        else:
            out.append(Wait(instrument, "working"))
    called_back = _call_back(position, left, working, frozenset(s.order_id for s in out if isinstance(s, Cancel)))
    on_the_way = sum(o.remaining for o in working)
    wanted = abs(position.units) - leave - on_the_way
    if called_back or wanted <= 0 or any(o.state is S.PENDING_CANCEL for o in working):
        return out + called_back
    return out + _ask(position, wanted, on_the_way, mine, uncovered, facts)


def _reducing(position: PositionView) -> Action:
    return "SELL" if position.units > 0 else "BUY"


def _call_back(position: PositionView, left: int, exits: Sequence[OrderView], cancelling: frozenset[int]) -> list[Step]:
    """More is on its way out than is left to close (a lost order, or one held for ended, works beside its successor): the
    youngest that can be cancelled go, until the rest fits. What is not acknowledged counts as if it filled.

    What works in the other direction (more than all was closed already) leads away from flat: it goes at once.
    """
    live = [o for o in exits if o.remaining and o.state in LIVE_STATES - {S.PENDING_CANCEL} and o.order_id not in cancelling]
    excess = sum(o.remaining for o in live if o.action == _reducing(position)) - max(left, 0)
    out: list[Step] = []
    for order in sorted(live, key=lambda o: -o.order_id):
        if order.state in UNACKNOWLEDGED:
            continue
        if order.action != _reducing(position):
            out.append(Cancel(order.order_id, "it would open what was closed already"))
        elif excess > 0:
            excess -= order.remaining
            out.append(Cancel(order.order_id, "more is on its way out than is left to close"))
    return out


def room(facts: Facts, instrument: Instrument) -> int:
    """Units of this instrument that an exit may still take: what is owned, less everything live, less what must stay."""
    position = next((p for p in facts.positions if p.instrument == instrument), None)
    leave = facts.leave(instrument)
    if position is None or leave is None:
        return 0
    live = sum(o.remaining for o in facts.orders if o.instrument == instrument and o.purpose in EXITS and o.state in LIVE_STATES)
    free = abs(position.units) - live
    return max(min(free - leave, free - _kept(position, _uncovered_shorts(facts), facts)), 0)


def _kept(position: PositionView, uncovered: Mapping[int, int], facts: Facts) -> int:
    """Units of a hedge that its shorts still need."""
    if position.units <= 0:
        return 0
    return sum(uncovered.get(leg, 0) for leg in facts.hedges.get(position.leg, ()))


def _ask(
    position: PositionView,
    wanted: int,
    on_the_way: int,
    mine: Sequence[OrderView],
    uncovered: Mapping[int, int],
    facts: Facts,
) -> list[Step]:
    instrument = position.instrument
    action = _reducing(position)
    if (instrument, action) in facts.taken:
        return [Wait(instrument, "unacknowledged")]
    evidence = facts.evidence.get(instrument)
    lapsed = any(o.state is S.LAPSED for o in mine)
    if evidence is None and (lapsed or instrument in facts.needs_evidence):
        return [Wait(instrument, "evidence")]
    if lapsed and evidence is not None and (not evidence.sole_owner or evidence.outside > 0):
        return [Wait(instrument, "lapsed")]
    if evidence is not None and evidence.missing:
        # What is missing may be a working exit that filled unseen, or somebody else's: neither may be asked twice.
        wanted = min(wanted, max(abs(position.units) - evidence.missing - on_the_way, 0))
        if wanted == 0:
            return [Wait(instrument, "working" if on_the_way else "missing")]
    wanted = min(wanted, max(abs(position.units) - on_the_way - _kept(position, uncovered, facts), 0))
    if wanted == 0:
        return [Wait(instrument, "hedge")]
    units = min(wanted, _largest(position))
    if units < position.lot_units and wanted >= position.lot_units:
        units = position.lot_units
    return [Exit(instrument, position.leg, action, units)]


def _largest(position: PositionView) -> int:
    """The largest whole-lot slice under the freeze."""
    if position.freeze_units is None:
        return abs(position.units)
    return max(position.freeze_units // position.lot_units * position.lot_units, position.lot_units)
