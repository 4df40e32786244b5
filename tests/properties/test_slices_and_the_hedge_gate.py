from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel.errors import Refused
from tests.properties.profile import examples
from trading.domain.orders import ENTRIES, LIVE_STATES, MOVES, UNACKNOWLEDGED, OrderState, Purpose
from trading.domain.plan import EntryView, exposure, hedge_failed, releasable, slices

S = OrderState


@examples(400)
@given(st.integers(1, 100), st.integers(1, 400), st.one_of(st.none(), st.integers(1, 5000)))
def test_slices_are_whole_lots_under_the_freeze_and_sum_up(lot: int, lots: int, freeze: int | None) -> None:
    units = lot * lots
    if freeze is not None and freeze < lot:
        with pytest.raises(Refused):
            slices(units, lot, freeze)
        return
    cut = slices(units, lot, freeze)
    assert sum(cut) == units
    assert all(n > 0 and n % lot == 0 and (freeze is None or n <= freeze) for n in cut)
    assert sorted(cut, reverse=True) == cut and len(set(cut[:-1])) <= 1


@pytest.mark.parametrize(("units", "lot"), [(0, 65), (-65, 65), (66, 65), (64, 65), (65, 0)])
def test_what_is_no_multiple_of_the_lot_is_refused_and_never_rounded(units: int, lot: int) -> None:
    with pytest.raises(Refused):
        slices(units, lot, 1800)


# --- the gate, over any interleaving -------------------------------------------------------------


@st.composite
def structures(draw: st.DrawFn) -> list[EntryView]:
    """Hedges and shorts in slices; a short may wait for one hedge or several, and two may share one."""
    hedges = draw(st.integers(1, 3))
    orders: list[EntryView] = []
    for leg in range(1, hedges + 1):
        for _ in range(draw(st.integers(1, 2))):
            orders.append(_order(len(orders), Purpose.HEDGE, leg, draw(st.integers(1, 3)), ()))
    for leg in range(hedges + 1, hedges + 1 + draw(st.integers(1, 3))):
        behind = draw(st.lists(st.integers(1, hedges), min_size=1, max_size=hedges, unique=True))
        for _ in range(draw(st.integers(1, 2))):
            orders.append(_order(len(orders), Purpose.ENTRY, leg, draw(st.integers(1, 3)), tuple(behind)))
    return orders


def _order(number: int, purpose: Purpose, leg: int, units: int, hedge_legs: tuple[int, ...]) -> EntryView:
    action = "BUY" if purpose is Purpose.HEDGE else "SELL"
    return EntryView(number, purpose, leg, action, S.INITIALIZED, units, 0, hedge_legs, ("NFO", f"L{leg}", "NRML"))


def _covered(orders: list[EntryView]) -> bool:
    """Every short exposure can be given hedge units of its own: nothing is counted twice (a small max-flow)."""
    free = {o.leg: 0 for o in orders if o.purpose is Purpose.HEDGE}
    for o in orders:
        if o.purpose is Purpose.HEDGE:
            free[o.leg] += o.filled_units
    given_to: list[tuple[tuple[int, ...], int | None]] = []

    def place(legs: tuple[int, ...], seen: set[int]) -> int | None:
        for leg in legs:
            if leg in seen:
                continue
            seen.add(leg)
            if free[leg] > 0:
                free[leg] -= 1
                return leg
            for n, (other, holds) in enumerate(given_to):
                if holds == leg and (moved := place(other, seen)) is not None:
                    given_to[n] = (other, moved)
                    return leg
        return None

    for o in orders:
        if o.purpose is Purpose.ENTRY and o.state is not S.INITIALIZED:
            for _ in range(exposure(o)):
                at = place(o.hedge_legs, set())
                if at is None:
                    return False
                given_to.append((o.hedge_legs, at))
    return True


@examples(500)
@given(structures(), st.data())
def test_short_exposure_never_exceeds_the_hedge_that_filled(orders: list[EntryView], data: st.DataObject) -> None:
    for _ in range(data.draw(st.integers(1, 40))):
        if data.draw(st.booleans()):
            released = releasable(orders)
            for number in released:
                orders[number] = replace(orders[number], state=S.SUBMITTED)
            sides = [(o.instrument, o.action) for o in orders if o.state in UNACKNOWLEDGED]
            assert len(sides) == len(set(sides))
        live = [o for o in orders if o.state in LIVE_STATES | {S.LAPSED}]
        if live:
            o = data.draw(st.sampled_from(live))
            orders[o.order_id] = _happens(o, data)
        assert _covered(orders)


def _happens(o: EntryView, data: st.DataObject) -> EntryView:
    state = data.draw(st.sampled_from(sorted(MOVES[o.state] - {S.INITIALIZED})))
    filled = o.filled_units
    if state is S.FILLED:
        filled = o.units
    elif state is S.PARTIALLY_FILLED:
        filled = data.draw(st.integers(filled, o.units))
    return replace(o, state=state, filled_units=filled)


@examples(200)
@given(structures())
def test_nothing_waits_for_ever_when_every_hedge_fills(orders: list[EntryView]) -> None:
    """Whatever the structure asks for in all, with enough hedge everything is let through in the end."""
    needed = sum(o.units for o in orders if o.purpose is Purpose.ENTRY)
    orders = [replace(o, units=needed) if o.purpose is Purpose.HEDGE else o for o in orders]
    for _ in range(len(orders) * 2):
        for number in releasable(orders):
            orders[number] = replace(orders[number], state=S.FILLED, filled_units=orders[number].units)
    assert all(o.state is S.FILLED for o in orders)
    assert not hedge_failed(orders)


@examples(200)
@given(structures(), st.data())
def test_a_hedge_that_can_no_longer_come_is_noticed(orders: list[EntryView], data: st.DataObject) -> None:
    hedges = [o for o in orders if o.purpose is Purpose.HEDGE]
    assert not hedge_failed(orders)
    lost = data.draw(st.sampled_from(hedges))
    state = data.draw(st.sampled_from([S.REJECTED, S.CANCELED, S.DENIED, S.LAPSED]))
    filled = data.draw(st.integers(0, lost.units - 1))
    orders[lost.order_id] = replace(lost, state=state, filled_units=filled)
    assert hedge_failed(orders)
    again = replace(lost, order_id=len(orders), units=lost.units - filled, attempt=1, state=S.SUBMITTED)
    assert not hedge_failed([*orders, again])


def test_entries_without_hedges_need_none() -> None:
    orders = [_order(0, Purpose.ENTRY, 1, 5, ()), _order(1, Purpose.ENTRY, 2, 5, ())]
    assert releasable(orders) == [0, 1]
    assert all(o.purpose in ENTRIES for o in orders)
