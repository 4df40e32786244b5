from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from risk.domain import trailing
from risk.domain.guards import BookMark, GuardView, LegMark, Policy, Rule, Snapshot, Stage, evaluate, recall
from risk.domain.terms import Lock, Trail
from trading.domain.pnl import Pnl

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
D = Decimal
RUPEES = st.decimals(min_value=-50_000, max_value=50_000, places=2)
HISTORY = st.lists(st.one_of(st.none(), RUPEES), max_size=25)
TRAILS = st.one_of(
    st.builds(Trail, st.just("AMOUNT"), st.integers(1, 9000).map(D), activation=st.integers(0, 5000).map(D)),
    st.builds(Trail, st.just("POINTS"), st.integers(1, 99).map(D)),
    st.builds(
        Trail,
        st.just("PERCENT"),
        st.integers(1, 100).map(D),
        st.sampled_from(["CONSTANT_DISTANCE", "PERCENT_OF_PRICE"]),
        activation=st.integers(0, 5000).map(D),
    ),
)


def legs(*, credit: bool = True) -> tuple[LegMark, ...]:
    """A straddle sold (or bought) at 100 and 80, one lot of 65."""
    action = "SELL" if credit else "BUY"
    units = -65 if credit else 65
    return tuple(
        LegMark(1, n, f"NFO:S{n}", action, 65, 65, price * 65, units, None)  # type: ignore[arg-type]
        for n, price in ((1, D(100)), (2, D(80)))
    )


def seen(total: Decimal | None, *, credit: bool = True, complete: bool = True) -> Snapshot:
    return Snapshot(
        {1: BookMark(Pnl(D(0), total, total or D(0)), True, True)}, legs=legs(credit=credit), entry_is_complete=complete
    )


def walk(policy: Policy, values: list[Decimal | None], *, credit: bool = True) -> list[GuardView]:
    state, states = GuardView(), []
    for value in values:
        state, _ = evaluate(policy, state, seen(value, credit=credit), NOW)
        states.append(state)
    return states


def of(trail: Trail) -> Policy:
    return Policy(Rule.TRAILING_STOP, trail.value, terms=trail)


def test_the_vectors_of_the_product() -> None:
    assert trailing.first_stop(Trail("AMOUNT", D(2000)), D(0), 65) == -2000
    assert trailing.first_stop(Trail("POINTS", D(20)), D(0), 65) == -1300
    assert trailing.first_stop(Trail("PERCENT", D(30)), D(-11700), 65) == -3510
    assert trailing.first_stop(Trail("PERCENT", D(30)), D(11700), 65) == -3510


def test_points_count_base_units_of_every_book() -> None:
    book = Snapshot({}, legs=(*legs(), *(LegMark(2, m.leg, m.key, m.action, 130, 130, D(9), -130, None) for m in legs())))
    assert book.base_units(None) == 195 and book.base_units(1) == 65 and book.base_units(2) == 130


def test_constant_distance_follows_rupee_for_rupee() -> None:
    stops = [v.level for v in walk(of(Trail("AMOUNT", D(2000))), [D(0), D(1500), D(700), D(3000), D(1001)])]
    assert stops == [-2000, -500, -500, 1000, 1000]


def test_percentage_of_price_gives_way_for_a_debit_and_tightens_for_a_credit() -> None:
    trail = Trail("PERCENT", D(20), "PERCENT_OF_PRICE")
    first = -D(11700) * D("0.2")
    assert walk(of(trail), [D(1000)], credit=False)[-1].level == first + D(800)
    assert walk(of(trail), [D(1000)], credit=True)[-1].level == first + D(1200)


def test_before_activation_the_first_stop_guards_and_gains_do_not_count() -> None:
    policy = of(Trail("AMOUNT", D(2000), activation=D(1000)))
    states = walk(policy, [D(999), D(1000), D(500)])
    assert [v.level for v in states] == [-2000, -1000, -1000]
    assert walk(policy, [D(999), D(-2000)])[-1].stage is Stage.TRIPPED


def test_it_trips_at_exactly_the_stop_also_at_zero() -> None:
    policy = of(Trail("AMOUNT", D(2000)))
    assert walk(policy, [D(2000), D("0.01")])[-1].stage is Stage.ARMED
    assert walk(policy, [D(2000), D(0)])[-1].stage is Stage.TRIPPED


def test_while_the_entry_fills_the_stop_follows_the_fills_and_only_then_ratchets() -> None:
    policy = of(Trail("PERCENT", D(10)))
    half = Snapshot(
        {1: BookMark(Pnl(D(0), D(0)), True, True)}, legs=legs()[:1], entry_is_complete=False
    )  # one leg filled: a tight stop
    state, _ = evaluate(policy, GuardView(), half, NOW)
    assert state.level == -650
    state, _ = evaluate(policy, state, seen(D(0)), NOW)
    assert state.level == -1170


@given(trail=TRAILS, history=HISTORY, credit=st.booleans())
def test_the_stop_is_monotone_and_unknown_moves_nothing(trail: Trail, history: list[Decimal | None], credit: bool) -> None:
    levels = [v.level for v in walk(of(trail), history, credit=credit) if v.level is not None]
    assert levels == sorted(levels)
    known = [value for value in history if value is not None]
    ours, theirs = walk(of(trail), history, credit=credit), walk(of(trail), known, credit=credit)
    assert (ours[-1] if ours else GuardView()) == (theirs[-1] if theirs else GuardView())


@given(trail=TRAILS, history=st.lists(RUPEES, min_size=1, max_size=25), credit=st.booleans())
def test_the_stop_is_a_function_of_fills_and_marks(trail: Trail, history: list[Decimal], credit: bool) -> None:
    """Recomputed from the recorded marks alone it is the same, and it trips exactly when a mark is at or below it."""
    policy = of(trail)
    last = walk(policy, list(history), credit=credit)[-1]
    net, tripped = D(-11700) if credit else D(11700), False
    peak, stop = D(0), None
    for value in history:
        peak = max(peak, value)
        raw = trailing.stop_at(trail, net, 65, peak)
        stop = raw if stop is None else max(stop, raw)
        if value <= stop:
            tripped = True
            break
    assert (last.stage is Stage.TRIPPED) == tripped and last.level == stop


@given(trail=TRAILS, a=st.lists(RUPEES, max_size=8), b=st.lists(RUPEES, max_size=8))
def test_two_evaluators_that_merge_know_what_both_saw(trail: Trail, a: list[Decimal], b: list[Decimal]) -> None:
    policy = of(trail)

    def armed(values: list[Decimal]) -> GuardView:
        state = GuardView(Stage.ARMED)
        for value in values:
            looked, _ = evaluate(policy, state, seen(value), NOW)
            state = GuardView(Stage.ARMED, looked.level, looked.value, inputs=looked.inputs)
        return state

    merged = recall(policy, armed(a), armed(b))
    if merged.inputs:
        assert D(merged.inputs["peak"]) == max([D(0), *a, *b])


def test_other_terms_forget_the_old_stop_and_keep_the_peak() -> None:
    state = walk(of(Trail("AMOUNT", D(500))), [D(3000)])[-1]
    looser, _ = evaluate(of(Trail("AMOUNT", D(2500))), state, seen(D(2900)), NOW)
    assert state.level == 2500 and looser.level == 500


def test_the_lock_keeps_steps() -> None:
    lock = Lock(D(2000), D(500), D(1000), D(600))
    assert [trailing.locked(lock, D(p)) for p in (1999, 2000, 2999, 3000, 5500)] == [None, 500, 500, 1100, 2300]


@given(history=HISTORY)
def test_the_lock_never_loosens_and_waits_for_its_first_step(history: list[Decimal | None]) -> None:
    lock = Lock(D(2000), D(500), D(1000), D(600))
    states = walk(Policy(Rule.PROFIT_LOCK, lock.reach, terms=lock), history)
    levels = [v.level for v in states if v.level is not None]
    assert levels == sorted(levels)
    if all(value is None or value < 2000 for value in history):
        assert levels == [] and all(v.stage is not Stage.TRIPPED for v in states)


def test_near_zero_net_has_no_per_cent() -> None:
    assert trailing.percent_is_meaningless(D(99), D(1000)) and not trailing.percent_is_meaningless(D(-100), D(1000))
