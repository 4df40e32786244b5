"""Slices, and the order in which they may go: a short only behind its filled hedge."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from algomirror.kernel.errors import Refused
from trading.domain.orders import ENTRIES, LIVE_STATES, UNACKNOWLEDGED, OrderState, Purpose


def slices(units: int, lot_units: int, freeze_units: int | None) -> list[int]:
    """Whole lots, none above the freeze, summing exactly to `units`. No known freeze: one slice.

    Refused when `units` is no positive multiple of the lot, or when not even one lot fits under the freeze.
    """
    if units <= 0 or lot_units <= 0 or units % lot_units:
        raise Refused(
            f"{units} units are not a positive multiple of the lot of {lot_units}", fields={"units": "not a lot multiple"}
        )
    if freeze_units is None:
        return [units]
    largest = freeze_units // lot_units * lot_units
    if largest == 0:
        raise Refused(
            f"a lot of {lot_units} is above the freeze quantity of {freeze_units}", fields={"units": "lot above freeze"}
        )
    full, rest = divmod(units, largest)
    return [largest] * full + ([rest] if rest else [])


@dataclass(frozen=True, slots=True)
class EntryView:
    """What the hedge gate needs of one entry order."""

    order_id: int
    purpose: Purpose
    leg: int
    action: Literal["BUY", "SELL"]
    state: OrderState
    units: int
    filled_units: int
    hedge_legs: tuple[int, ...]
    instrument: tuple[str, str, str]  # exchange, symbol, product
    attempt: int = 0


def exposure(order: EntryView) -> int:
    """Units that are, or may yet become, a position through this order."""
    if order.state in LIVE_STATES or order.state is OrderState.LAPSED:
        return order.units
    return order.filled_units


def releasable(orders: Sequence[EntryView]) -> list[int]:
    """Ids of INITIALIZED entries that may be sent now, hedges first.

    A short with hedge legs waits until those legs have *filled* enough for everything already let through plus itself.
    Never two unacknowledged orders of one side of one instrument: that is how a lost reply stays attributable.
    """
    busy = {(o.instrument, o.action) for o in orders if o.state in UNACKNOWLEDGED}
    covered = {o.leg: 0 for o in orders}
    for o in orders:
        if o.purpose is Purpose.HEDGE:
            covered[o.leg] += o.filled_units
    used: list[tuple[frozenset[int], int]] = [
        (frozenset(o.hedge_legs), exposure(o))
        for o in orders
        if o.hedge_legs and o.purpose is Purpose.ENTRY and o.state is not OrderState.INITIALIZED
    ]
    out: list[int] = []
    waiting = [o for o in orders if o.state is OrderState.INITIALIZED and o.purpose in ENTRIES]
    for o in sorted(waiting, key=lambda o: (o.purpose is not Purpose.HEDGE, o.order_id)):
        if (o.instrument, o.action) in busy:
            continue
        if o.purpose is Purpose.ENTRY and o.hedge_legs:
            wanted = [*used, (frozenset(o.hedge_legs), o.units)]
            if not _enough(wanted, covered):
                continue
            used = wanted
        busy.add((o.instrument, o.action))
        out.append(o.order_id)
    return out


def _enough(shorts: Sequence[tuple[frozenset[int], int]], covered: Mapping[int, int]) -> bool:
    """Every short unit can have a hedge unit of its own: no group of hedges is asked for more than it has.

    Enough to look at the groups that shorts name, alone and together; a hedge shared by two shorts counts once.
    """
    groups = {frozenset[int]()}
    for legs, _ in shorts:
        groups |= {group | legs for group in groups}
    return all(
        sum(units for legs, units in shorts if legs <= group) <= sum(covered.get(leg, 0) for leg in group) for group in groups
    )


def hedge_failed(orders: Iterable[EntryView], waiting: Collection[int] = ()) -> bool:
    """True when what has filled and what may still fill can no longer reach the planned hedge of some leg.

    `waiting`: ended orders whose remainder is about to be asked anew.
    """
    planned: dict[int, int] = {}
    possible: dict[int, int] = {}
    for o in orders:
        if o.purpose is not Purpose.HEDGE:
            continue
        if o.attempt == 0:
            planned[o.leg] = planned.get(o.leg, 0) + o.units
        may_still = o.state is OrderState.INITIALIZED or o.state in LIVE_STATES or o.order_id in waiting
        possible[o.leg] = possible.get(o.leg, 0) + (o.units if may_still else o.filled_units)
    return any(possible.get(leg, 0) < units for leg, units in planned.items())
