from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel.money import Action
from tests.properties.profile import examples
from trading.domain.exits import (
    Cancel,
    Deny,
    Done,
    Evidence,
    Exit,
    Facts,
    Instrument,
    OrderView,
    PositionView,
    Step,
    Wait,
    room,
    steps,
)
from trading.domain.orders import ENTRIES, EXITS, LIVE_STATES, UNACKNOWLEDGED, WORKING, OrderState, Purpose

S = OrderState
NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
LOT = 5
LEGS = (1, 2, 3, 4)  # 1 and 2 are hedges of 3 and 4


# Made once: thousands of examples draw from each of them a dozen times.
LOTS, SOME, UP_TO_TWO, ONE_TO_THREE, NONE_OR_ONE = (st.integers(*ends) for ends in ((0, 6), (0, 3), (0, 2), (1, 3), (0, 1)))
EITHER = st.booleans()
FREEZES = st.sampled_from([None, 3, 5, 12, 30])
SOME_LEGS, ONE_LEG_AT_MOST = st.sets(st.sampled_from(LEGS)), st.sets(st.sampled_from(LEGS), max_size=1)
HEDGED = st.sampled_from([{}, {1: [3]}, {1: [3], 2: [4]}, {1: [3, 4], 2: [3]}])
STATES = st.sampled_from(sorted(LIVE_STATES | {S.LAPSED, S.INITIALIZED}))
AGES_S = st.sampled_from([0.2, 5])
PURPOSES = {leg: st.sampled_from([Purpose.EXIT, Purpose.HEDGE if leg <= 2 else Purpose.ENTRY]) for leg in LEGS}


def name(leg: int) -> Instrument:
    return ("NFO", f"L{leg}", "NRML")


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    positions: list[PositionView] = []
    orders: list[OrderView] = []
    for leg in LEGS:
        side = 1 if leg <= 2 else -1
        lots = draw(LOTS)
        if lots:
            freeze = draw(FREEZES)
            positions.append(PositionView(name(leg), leg, side * lots * LOT, LOT, Decimal("0.05"), freeze))
        for _ in range(draw(UP_TO_TWO)):
            orders.append(_order(draw, len(orders) + 1, leg, side))
    targets: dict[Instrument, int] | None = None
    if draw(EITHER):
        targets = {name(leg): draw(SOME) * LOT for leg in draw(SOME_LEGS)}
    evidence = {name(leg): Evidence(draw(LOTS) * LOT, draw(NONE_OR_ONE) * LOT, draw(EITHER)) for leg in draw(SOME_LEGS)}
    return Facts(
        positions=positions,
        orders=orders,
        targets=targets,
        hedges=draw(HEDGED),
        evidence=evidence,
        needs_evidence=frozenset(name(leg) for leg in draw(SOME_LEGS)),
        taken=frozenset((name(leg), _out(leg)) for leg in draw(ONE_LEG_AT_MOST)),
        now=NOW,
        repeg=timedelta(seconds=1),
    )


def _out(leg: int) -> Action:
    return "SELL" if leg <= 2 else "BUY"


def _order(draw: st.DrawFn, order_id: int, leg: int, side: int) -> OrderView:
    purpose = draw(PURPOSES[leg])
    action: Action = _out(leg) if purpose is Purpose.EXIT else ("BUY" if side > 0 else "SELL")
    state = draw(STATES)
    filled = draw(UP_TO_TWO) * LOT if state in WORKING else 0
    sent_at = None if state is S.INITIALIZED else NOW - timedelta(seconds=draw(AGES_S))
    return OrderView(order_id, purpose, name(leg), action, state, draw(ONE_TO_THREE) * LOT, filled, sent_at, leg)


def live_exits(f: Facts, instrument: Instrument) -> int:
    return sum(o.remaining for o in f.orders if o.instrument == instrument and o.purpose in EXITS and o.state in LIVE_STATES)


def asked(out: list[Step]) -> list[Exit]:
    return [s for s in out if isinstance(s, Exit)]


@examples(600)
@given(facts())
def test_an_exit_is_never_more_than_the_shortfall_and_never_past_flat(f: Facts) -> None:
    owned = {p.instrument: p for p in f.positions}
    for step in asked(steps(f)):
        position = owned[step.instrument]
        leave = f.leave(step.instrument)
        assert leave is not None
        assert step.action == ("SELL" if position.units > 0 else "BUY")
        assert 0 < step.units <= abs(position.units) - leave - live_exits(f, step.instrument)
        known = f.evidence.get(step.instrument)
        if known is not None:
            assert step.units <= abs(position.units) - known.missing - live_exits(f, step.instrument)
        if position.freeze_units is not None:
            assert step.units <= max(position.freeze_units, LOT)


@examples(600)
@given(facts())
def test_nothing_is_asked_while_anything_of_it_is_in_doubt(f: Facts) -> None:
    for step in asked(steps(f)):
        mine = [o for o in f.orders if o.instrument == step.instrument]
        assert not [o for o in mine if o.state in UNACKNOWLEDGED]
        assert not [o for o in mine if o.purpose in ENTRIES and o.state in WORKING]
        assert not [o for o in mine if o.state is S.PENDING_CANCEL]
        assert (step.instrument, step.action) not in f.taken
        known = f.evidence.get(step.instrument)
        lapsed = any(o.state is S.LAPSED for o in mine)
        if lapsed or step.instrument in f.needs_evidence:
            assert known is not None
        if lapsed and known is not None:
            assert known.sole_owner and known.outside == 0


@examples(600)
@given(facts())
def test_a_hedge_keeps_what_its_shorts_still_need(f: Facts) -> None:
    for step in asked(steps(f)):
        if step.action != "SELL":
            continue
        position = next(p for p in f.positions if p.instrument == step.instrument)
        left = position.units - step.units - live_exits(f, step.instrument)
        for leg in f.hedges.get(step.leg, ()):
            open_short = sum(-p.units for p in f.positions if p.leg == leg and p.units < 0)
            coming = sum(o.remaining for o in f.orders if o.leg == leg and o.purpose in ENTRIES and o.state in LIVE_STATES)
            assert left >= open_short + coming


@examples(600)
@given(facts())
def test_done_means_that_nothing_is_left_and_nothing_can_fill(f: Facts) -> None:
    out = steps(f)
    if Done() not in out:
        return
    assert out == [Done()]
    for position in f.positions:
        leave = f.leave(position.instrument)
        assert leave is None or abs(position.units) <= leave
    for o in f.orders:
        if f.leave(o.instrument) is not None:
            assert o.state not in LIVE_STATES
            assert not (o.purpose in ENTRIES and o.state is S.INITIALIZED)


@examples(400)
@given(facts())
def test_closing_starts_with_cancelling(f: Facts) -> None:
    out = steps(f)
    denied = {s.order_id for s in out if isinstance(s, Deny)}
    cancelled = {s.order_id for s in out if isinstance(s, Cancel)}
    for o in f.orders:
        if o.purpose in ENTRIES and f.leave(o.instrument) is not None:
            assert (o.order_id in denied) == (o.state is S.INITIALIZED)
            assert (o.order_id in cancelled) == (o.state in (S.ACCEPTED, S.PARTIALLY_FILLED))
    assert all(o.state in (S.ACCEPTED, S.PARTIALLY_FILLED) for o in f.orders if o.order_id in cancelled)


@examples(400)
@given(facts())
def test_what_is_out_of_scope_is_left_alone(f: Facts) -> None:
    scoped = {o.order_id: f.leave(o.instrument) for o in f.orders}
    for step in steps(f):
        if isinstance(step, Exit):
            assert f.leave(step.instrument) is not None
        elif isinstance(step, Cancel | Deny):
            assert scoped[step.order_id] is not None


@examples(600)
@given(facts())
def test_what_was_decided_passes_the_last_look_when_nothing_happened_since(f: Facts) -> None:
    for step in asked(steps(f)):
        assert step.units <= room(f, step.instrument)


@examples(400)
@given(facts(), st.data())
def test_what_was_sent_meanwhile_is_counted_by_the_last_look(f: Facts, data: st.DataObject) -> None:
    out = asked(steps(f))
    if not out:
        return
    step = data.draw(st.sampled_from(out))
    twin = OrderView(99, Purpose.EXIT, step.instrument, step.action, S.SUBMITTED, step.units, 0, NOW, step.leg)
    after = replace(f, orders=[*f.orders, twin])
    position = next(p for p in f.positions if p.instrument == step.instrument)
    assert room(after, step.instrument) <= abs(position.units) - live_exits(after, step.instrument)


@examples(300)
@given(facts())
def test_a_pass_that_does_nothing_says_what_it_waits_for(f: Facts) -> None:
    out = steps(f)
    assert out
    assert all(isinstance(s, Deny | Cancel | Exit | Wait | Done) for s in out)


@examples(300)
@given(facts())
def test_shorts_are_asked_before_longs(f: Facts) -> None:
    sides = [s.action for s in asked(steps(f))]
    assert sides == sorted(sides)  # BUY before SELL


def turned(f: Facts, legs: set[int]) -> Facts:
    """More than all of these was closed: what worked towards flat leads away from it now."""
    return replace(f, positions=[replace(p, units=-p.units) if p.leg in legs else p for p in f.positions])


@examples(1500)
@given(facts(), st.sets(st.sampled_from(LEGS), max_size=2))
def test_what_may_fill_and_is_not_being_cancelled_never_exceeds_what_is_left_to_close(f: Facts, legs: set[int]) -> None:
    """Only what the broker has not acknowledged may: it cannot be cancelled yet."""
    f = turned(f, legs)
    cancelled = {s.order_id for s in steps(f) if isinstance(s, Cancel)}
    for p in f.positions:
        leave = f.leave(p.instrument)
        if leave is None:
            continue
        mine = [o for o in f.orders if o.instrument == p.instrument and o.purpose in EXITS and o.state in LIVE_STATES]
        free = [o for o in mine if o.remaining and o.state is not S.PENDING_CANCEL and o.order_id not in cancelled]
        acknowledged = [o for o in free if o.state not in UNACKNOWLEDGED]
        reducing: Action = "SELL" if p.units > 0 else "BUY"
        assert all(o.action == reducing for o in acknowledged)
        outward = sum(o.remaining for o in free if o.action == reducing)
        assert not acknowledged or outward <= max(abs(p.units) - leave, 0)
        shorts = [leg for leg in f.hedges.get(p.leg, ()) if p.units > 0]
        kept = sum(-s.units for s in f.positions if s.leg in shorts and s.units < 0)
        assert not acknowledged or outward <= max(p.units - kept, 0) or not kept


@examples(800)
@given(facts())
def test_what_fits_works_on(f: Facts) -> None:
    cancelled = {s.order_id for s in steps(f) if isinstance(s, Cancel)}
    owned = {p.instrument: p.units for p in f.positions}
    for o in f.orders:
        left = abs(owned.get(o.instrument, 0)) - (f.leave(o.instrument) or 0)
        is_hedge = any(o.leg == leg and shorts for leg, shorts in f.hedges.items())
        if o.purpose in ENTRIES or is_hedge or live_exits(f, o.instrument) > left:
            continue
        is_old = o.sent_at is not None and f.now - o.sent_at >= f.repeg
        assert o.order_id not in cancelled or is_old or not left


@examples(400)
@given(facts())
def test_nothing_walks_its_price_beside_an_order_in_doubt(f: Facts) -> None:
    """Its successor could not be sent anyway."""
    walked = {s.order_id for s in steps(f) if isinstance(s, Cancel) and "walk" in s.why}
    for o in f.orders:
        if o.order_id in walked:
            assert not [x for x in f.orders if x.instrument == o.instrument and x.state in UNACKNOWLEDGED]
