from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.domain.guards import BookMark, GuardView, LegMark, Policy, Rule, Snapshot, Stage, evaluate
from risk.domain.judges import line_level
from risk.domain.terms import Line
from trading.domain.pnl import Pnl

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
D = Decimal
PRICE = st.decimals(min_value=D("0.05"), max_value=2000, places=2)


def leg(mark: Decimal | None, action: str = "SELL", *, number: int = 1, price: str = "100") -> LegMark:
    units = 65 if action == "BUY" else -65
    return LegMark(1, number, f"NFO:S{number}", action, 65, 65, D(price) * 65, units, mark)  # type: ignore[arg-type]


def seen(*legs: LegMark, stopped: frozenset[tuple[int, int]] = frozenset()) -> Snapshot:
    return Snapshot({1: BookMark(Pnl(D(0), None), True, True)}, legs=legs, stopped=stopped)


@pytest.mark.parametrize(
    ("kind", "value", "long", "stop", "target"),
    [
        ("PERCENT", "30", False, "130", "70"),
        ("PERCENT", "50", False, "150", "50"),
        ("PERCENT", "30", True, "70", "130"),
        ("POINTS", "12.5", False, "112.5", "87.5"),
        ("POINTS", "12.5", True, "87.5", "112.5"),
        ("PREMIUM", "140", False, "140", "140"),
    ],
)
def test_the_table_of_lines(kind: str, value: str, long: bool, stop: str, target: str) -> None:
    line = Line(kind, D(value))  # type: ignore[arg-type]
    assert line_level(line, D(100), adverse=True, is_long=long) == D(stop)
    assert line_level(line, D(100), adverse=False, is_long=long) == D(target)


@pytest.mark.parametrize(
    ("rule", "action", "price", "trips"),
    [
        (Rule.LEG_STOP, "SELL", "129.95", False),
        (Rule.LEG_STOP, "SELL", "130", True),
        (Rule.LEG_TARGET, "SELL", "70.05", False),
        (Rule.LEG_TARGET, "SELL", "70", True),
        (Rule.LEG_STOP, "BUY", "70.05", False),
        (Rule.LEG_STOP, "BUY", "70", True),
        (Rule.LEG_TARGET, "BUY", "129.95", False),
        (Rule.LEG_TARGET, "BUY", "130", True),
    ],
)
def test_each_side_of_each_line(rule: Rule, action: str, price: str, trips: bool) -> None:
    policy = Policy(rule, D(30), book_id=1, leg=1, terms=Line("PERCENT", D(30)))
    assert evaluate(policy, GuardView(), seen(leg(D(price), action)), NOW)[1].tripped is trips


def test_a_leg_needs_its_own_price_only() -> None:
    policy = Policy(Rule.LEG_STOP, D(30), book_id=1, leg=1, terms=Line("PERCENT", D(30)))
    assert evaluate(policy, GuardView(), seen(leg(D(131)), leg(None, number=2)), NOW)[1].tripped
    state = GuardView(Stage.ARMED)
    assert evaluate(policy, state, seen(leg(None), leg(D(80), number=2)), NOW)[0] is state


@given(prices=st.lists(st.one_of(st.none(), PRICE), max_size=20), action=st.sampled_from(["BUY", "SELL"]), percent=st.booleans())
def test_a_leg_trail_never_loosens(prices: list[Decimal | None], action: str, percent: bool) -> None:
    line = Line("PERCENT" if percent else "POINTS", D(10))
    policy, state, levels = Policy(Rule.LEG_TRAILING, D(10), book_id=1, leg=1, terms=line), GuardView(), []
    for price in prices:
        before = state
        state, _ = evaluate(policy, state, seen(leg(price, action)), NOW)
        if price is None:
            assert state is before
        if state.level is not None:
            levels.append(state.level)
    assert levels == sorted(levels, reverse=action == "SELL")


def test_the_short_trail_follows_the_low_and_the_long_trail_the_high() -> None:
    def levels(action: str, prices: list[int]) -> list[Decimal | None]:
        policy, state, out = Policy(Rule.LEG_TRAILING, D(10), book_id=1, leg=1, terms=Line("POINTS", D(10))), GuardView(), []
        for price in prices:
            state, _ = evaluate(policy, state, seen(leg(D(price), action)), NOW)
            out.append(state.level)
        return out

    assert levels("SELL", [100, 80, 85]) == [110, 90, 90]
    assert levels("BUY", [100, 120, 115]) == [90, 110, 110]


def test_stop_to_cost_sleeps_until_another_leg_was_stopped() -> None:
    policy = Policy(Rule.COST_STOP, book_id=1, leg=2)
    other = (leg(D(135)), leg(D(90), number=2, price="80"))
    state = GuardView()
    assert evaluate(policy, state, seen(*other), NOW)[0] is state
    assert evaluate(policy, state, seen(*other, stopped=frozenset({(1, 2)})), NOW)[0] is state, "its own stop does not count"
    woken, verdict = evaluate(policy, state, seen(*other, stopped=frozenset({(1, 1)})), NOW)
    assert verdict.tripped and woken.level == 80
    calm = (leg(D(135)), leg(D("79.95"), number=2, price="80"))
    assert not evaluate(policy, state, seen(*calm, stopped=frozenset({(1, 1)})), NOW)[1].tripped


def premium(call: str | None, put: str | None, **more: object) -> Snapshot:
    return seen(
        leg(None if call is None else D(call)),
        leg(None if put is None else D(put), number=2, price="80"),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("rule", "line", "call", "put", "trips"),
    [
        (Rule.PREMIUM_STOP, Line("PERCENT", D(20)), "130", "85.95", False),
        (Rule.PREMIUM_STOP, Line("PERCENT", D(20)), "130", "86", True),
        (Rule.PREMIUM_STOP, Line("POINTS", D(20)), "120", "80", True),
        (Rule.PREMIUM_STOP, Line("PREMIUM", D(200)), "119.95", "80", False),
        (Rule.PREMIUM_STOP, Line("PREMIUM", D(200)), "120", "80", True),
        (Rule.PREMIUM_TARGET, Line("PERCENT", D(50)), "50", "40.05", False),
        (Rule.PREMIUM_TARGET, Line("PERCENT", D(50)), "50", "40", True),
        (Rule.PREMIUM_STOP, Line("PERCENT", D(20)), None, "900", False),
    ],
)
def test_combined_premium_of_a_credit(rule: Rule, line: Line, call: str | None, put: str | None, trips: bool) -> None:
    assert evaluate(Policy(rule, line.value, terms=line), GuardView(), premium(call, put), NOW)[1].tripped is trips


def test_an_absolute_premium_keeps_its_distance_when_a_leg_has_left() -> None:
    """Target 90 of 180 means 90 less than entry: with the call gone, the put alone at 80 is no target reached."""
    gone = LegMark(1, 1, "NFO:S1", "SELL", 65, 65, D(6500), 0, None)
    rest = seen(gone, leg(D(70), number=2, price="80"))
    policy = Policy(Rule.PREMIUM_TARGET, D(150), terms=Line("PREMIUM", D(150)))
    state, verdict = evaluate(policy, GuardView(), rest, NOW)
    assert not verdict.tripped and state.level == 50


def test_a_debit_mirrors_and_ratios_weigh() -> None:
    bought = seen(
        LegMark(1, 1, "NFO:A", "BUY", 65, 65, D(6500), 65, D(80)), LegMark(1, 2, "NFO:B", "SELL", 130, 130, D(2600), -130, D(25))
    )
    found = bought.premium()
    assert found is not None and not found.is_credit and found.entry == 60 and found.value == 30
    policy = Policy(Rule.PREMIUM_STOP, D(50), terms=Line("PERCENT", D(50)))
    assert evaluate(policy, GuardView(), bought, NOW)[1].tripped


@pytest.mark.parametrize(
    ("rule", "price", "trips"),
    [
        (Rule.UNDERLYING_BELOW, "23800", True),
        (Rule.UNDERLYING_BELOW, "23800.05", False),
        (Rule.UNDERLYING_ABOVE, "24200", True),
        (Rule.UNDERLYING_ABOVE, "24199.95", False),
    ],
)
def test_the_index_takes_the_run_out_on_either_side(rule: Rule, price: str, trips: bool) -> None:
    level = D(23800) if rule is Rule.UNDERLYING_BELOW else D(24200)
    snapshot = Snapshot({1: BookMark(Pnl(D(0), None), True, True)}, underlying=D(price))
    assert evaluate(Policy(rule, level), GuardView(), snapshot, NOW)[1].tripped is trips
