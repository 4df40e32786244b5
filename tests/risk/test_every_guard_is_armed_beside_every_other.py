"""One run with every kind of guard armed at once: what is reached fires, by tick and by sweep alike, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import time
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from marketdata import quotes as store
from risk.domain.guards import Rule, Signal, reason_of
from risk.domain.limits import LimitTerms
from risk.domain.snapshot import CLOCK
from risk.domain.terms import LegTerms, Line, Lock, RiskTerms, SupertrendTerms, Trail
from risk.models import GuardState, RiskEvent
from risk.services import arming, fastguard, sweep, watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal, Run

pytestmark = pytest.mark.django_db
D = Decimal

FAR_LEGS = LegTerms(stop=Line("PERCENT", D(500)), target=Line("PERCENT", D(95)), trail=Line("POINTS", D(300)))
FAR = RiskTerms(
    trail=Trail("AMOUNT", D(50_000)),
    lock=Lock(D(40_000), D(1000)),
    legs={0: FAR_LEGS},
    stop_to_cost=True,
    premium_stop=Line("POINTS", D(140)),
    premium_target=Line("POINTS", D(140)),
    underlying_below=D(20_000),
    underlying_above=D(28_000),
    exit_time=time(15, 26),
    square_off=time(15, 28),
    supertrend=SupertrendTerms(),
)
ALL = set(Rule)

Prices = Mapping[str, int]


def points(number: int) -> Line:
    return Line("POINTS", D(number))


@dataclass(frozen=True)
class Case:
    """`near` is what is set within reach; `prices` follow one another; `kinds` is what fires, in its order."""

    near: Mapping[str, Any]
    prices: tuple[Prices, ...]
    limits: Mapping[str, Any] = field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    leg: int | None = None


CASES = {
    "MAX_LOSS": Case({}, ({"call": 120},), {"max_loss": D(1000)}),
    "MAX_PROFIT": Case({}, ({"call": 80},), {"max_profit": D(1000)}),
    "TRAILING_STOP": Case({"trail": Trail("AMOUNT", D(1000))}, ({"call": 80}, {"call": 96})),
    "PROFIT_LOCK": Case({"lock": Lock(D(1000), D(400))}, ({"call": 80}, {"call": 96})),
    "LEG_STOP": Case(
        {"legs": {1: replace(FAR_LEGS, stop=points(15)), 0: FAR_LEGS}},
        ({"put": 75, "high": 22, "low": 16}, {"call": 116}),
        leg=1,
    ),
    "LEG_TARGET": Case({"legs": {1: replace(FAR_LEGS, target=points(15)), 0: FAR_LEGS}}, ({"call": 84},), leg=1),
    "LEG_TRAILING": Case(
        {"legs": {1: replace(FAR_LEGS, trail=points(10)), 0: FAR_LEGS}},
        ({"put": 75, "high": 22, "low": 16, "call": 80}, {"call": 91}),
        leg=1,
    ),
    "COST_STOP": Case(
        {"legs": {1: replace(FAR_LEGS, stop=points(15)), 0: FAR_LEGS}},
        ({"put": 75, "high": 22, "low": 16}, {"call": 116}, {"put": 80}),
        kinds=("LEG_STOP", "COST_STOP"),
        leg=2,
    ),
    "PREMIUM_STOP": Case({"premium_stop": points(15)}, ({"call": 116},)),
    "PREMIUM_TARGET": Case({"premium_target": points(15)}, ({"call": 84},)),
    "UNDERLYING_BELOW": Case({"underlying_below": D(24_000)}, ({"index": 23_990},)),
    "UNDERLYING_ABOVE": Case({"underlying_above": D(24_050)}, ({"index": 24_060},)),
}


@pytest.fixture(autouse=True)
def now(db: None) -> Iterator[clock.FrozenClock]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def everything_armed(near: Mapping[str, Any], limits: Mapping[str, Any], *, expiry: str = "2026-11-24") -> Run:
    far: dict[str, Any] = {"max_loss": D(60_000), "max_profit": D(60_000)}
    run = desk.a_run(desk.accounts(1), replace(FAR, **near), owned=desk.CONDOR, expiry=expiry, **{**far, **limits})
    watch.sweep()
    assert {Rule(rule) for rule in GuardState.objects.filter(run=run).values_list("rule", flat=True)} == ALL
    assert not RiskEvent.objects.exists()
    return run


def fired() -> list[str]:
    return list(RiskEvent.objects.filter(guard__isnull=False).order_by("id").values_list("kind", flat=True))


def by_tick(guard: fastguard.FastGuard) -> None:
    keys = [desk.CALL, desk.PUT, desk.HIGH_CALL, desk.LOW_PUT, desk.INDEX]
    for run_id in guard.see(store.get(keys), clock.now()):
        guard.commit(run_id, clock.now())


@pytest.mark.parametrize("seen_by", ["tick", "sweep"])
@pytest.mark.parametrize("kind", list(CASES))
def test_what_is_reached_fires_and_nothing_else_does(kind: str, seen_by: str) -> None:
    case = CASES[kind]
    run = everything_armed(case.near, case.limits)
    guard = fastguard.FastGuard()
    guard.reload()
    for prices in case.prices:
        desk.price(**prices)
        by_tick(guard) if seen_by == "tick" else watch.sweep()
    expected = list(case.kinds or (kind,))
    assert fired() == expected
    assert GuardState.objects.filter(run=run, state="TRIPPED").count() == len(expected), "the others watch on"
    event, goal = RiskEvent.objects.order_by("-id")[0], ExitGoal.objects.get()
    assert (event.kind, event.leg, event.action, event.seen_by) == (kind, case.leg, "EXIT", seen_by)
    assert event.goal_ids == [goal.pk] and goal.reason == reason_of(Rule(expected[0]))
    assert event.threshold is not None and event.value is not None
    marks = {leg["key"]: leg for leg in event.numbers["legs"]}
    assert set(marks) == {desk.CALL, desk.PUT, desk.HIGH_CALL, desk.LOW_PUT}
    assert all(leg["mark"] is not None and leg["source"] and leg["age_ms"] == 0 and leg["units"] for leg in marks.values())
    watch.sweep()
    again = list(RiskEvent.objects.order_by("id").values_list("guard_id", flat=True))
    assert fired()[: len(expected)] == expected and len(again) == len(set(again)), "one event a guard"
    assert ExitGoal.objects.count() == 1


@pytest.mark.parametrize(
    ("kind", "near", "minutes", "expiry"),
    [
        ("EXIT_TIME", {"exit_time": time(11, 0)}, 31, "2026-11-24"),
        ("SQUARE_OFF", {"square_off": time(11, 0)}, 31, "2026-11-24"),
        ("EXPIRY", {}, 285, "2026-11-20"),
    ],
)
def test_the_clock_fires_its_own_rule_alone(
    now: clock.FrozenClock, kind: str, near: Mapping[str, Any], minutes: int, expiry: str
) -> None:
    everything_armed(near, {}, expiry=expiry)
    now.advance(60 * minutes - 61)
    watch.sweep()
    assert fired() == []
    now.advance(61)
    watch.sweep()
    assert fired() == [kind] and Rule(kind) in CLOCK and ExitGoal.objects.count() == 1


def test_a_turn_of_the_indicator_fires_its_own_rule_alone(now: clock.FrozenClock) -> None:
    run = everything_armed({}, {})
    quotes = store.get([desk.CALL, desk.PUT, desk.HIGH_CALL, desk.LOW_PUT])
    turn = Signal(turned=True, value=D(150), line=D(149), memory={"bar": "2026-11-20T05:00:00+00:00"})
    made = sweep.evaluate_run(run.pk, quotes=quotes, now=clock.now(), seen_by="signal", signal=turn)
    assert [one.kind for one in made] == ["SUPERTREND"] == fired()
    assert ExitGoal.objects.get().reason == "SUPERTREND"


def test_dropping_one_guard_leaves_the_others_armed() -> None:
    run = everything_armed({}, {})
    without = replace(FAR, premium_stop=None)
    asked = LimitTerms(max_loss=D(60_000), max_profit=D(60_000), more=without)
    arming.change(run.pk, asked, by="user:alice", why="not wanted any more")
    desk.price(call=300)
    watch.sweep()
    assert "PREMIUM_STOP" not in fired()
