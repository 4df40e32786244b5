from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from marketdata.domain.quotes import Bounds, Quote, Source
from risk.domain.gauges import pnl_gauge
from risk.domain.guards import BookMark, GuardView, Policy, Rule, Snapshot, Stage, evaluate, standing
from risk.selectors import OpenPosition
from trading.domain.pnl import Pnl, book_pnl, run_pnl

NOW = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
BOUNDS = Bounds(stream_s=5, rest_s=10)
RUPEES = st.decimals(min_value=-100_000, max_value=100_000, places=2)
LIMIT = st.decimals(min_value=1, max_value=50_000, places=2)
PRICE = st.decimals(min_value=Decimal("0.05"), max_value=2_000, places=2)


def mark(total: Decimal | None, *, traded: bool = True, live: bool = True) -> Snapshot:
    return Snapshot({1: BookMark(Pnl(Decimal(0), total, total or Decimal(0)), traded, live)})


def loss(limit: Decimal | int = 5000, **more: object) -> Policy:
    return Policy(Rule.MAX_LOSS, Decimal(limit), **more)  # type: ignore[arg-type]


def test_max_loss_trips_at_and_below_its_level_and_not_above():
    for value, tripped in (("-4999.99", False), ("-5000", True), ("-5000.01", True), ("0", False)):
        assert evaluate(loss(), GuardView(), mark(Decimal(value)), NOW)[1].tripped is tripped


def test_max_profit_trips_at_and_above_its_level_and_not_below():
    policy = Policy(Rule.MAX_PROFIT, Decimal(5000))
    for value, tripped in (("4999.99", False), ("5000", True), ("5000.01", True)):
        assert evaluate(policy, GuardView(), mark(Decimal(value)), NOW)[1].tripped is tripped


def test_it_waits_for_the_first_fill_and_for_a_complete_mark():
    assert evaluate(loss(), GuardView(), mark(Decimal(-9000), traded=False), NOW)[0].stage is Stage.WAITING
    assert evaluate(loss(), GuardView(), mark(None), NOW)[0].stage is Stage.WAITING
    assert evaluate(loss(), GuardView(), mark(Decimal(10)), NOW)[0].stage is Stage.ARMED


def test_a_level_already_breached_when_armed_trips_at_once():
    state, verdict = evaluate(loss(), GuardView(), mark(Decimal(-6000)), NOW)
    assert verdict.tripped and state.stage is Stage.TRIPPED and state.armed_at == state.tripped_at == NOW


def test_a_flat_run_is_not_left_again():
    assert not evaluate(loss(), GuardView(Stage.ARMED), mark(Decimal(-9000), live=False), NOW)[1].tripped


def test_a_tripped_guard_never_trips_twice():
    state, _ = evaluate(loss(), GuardView(), mark(Decimal(-6000)), NOW)
    again, verdict = evaluate(loss(), state, mark(Decimal(-7000)), NOW)
    assert again == state and not verdict.tripped


@given(limit=LIMIT, stage=st.sampled_from([Stage.WAITING, Stage.ARMED]), rule=st.sampled_from([Rule.MAX_LOSS, Rule.MAX_PROFIT]))
def test_an_unknown_value_changes_nothing(limit, stage, rule):
    state = GuardView(stage)
    assert evaluate(Policy(rule, limit), state, mark(None), NOW)[0] is state


@given(limit=LIMIT, a=RUPEES, b=RUPEES)
def test_worse_never_trips_later(limit, a, b):
    worse, better = sorted((a, b))
    if evaluate(loss(limit), GuardView(), mark(better), NOW)[1].tripped:
        assert evaluate(loss(limit), GuardView(), mark(worse), NOW)[1].tripped
    profit = Policy(Rule.MAX_PROFIT, limit)
    if evaluate(profit, GuardView(), mark(worse), NOW)[1].tripped:
        assert evaluate(profit, GuardView(), mark(better), NOW)[1].tripped


@given(history=st.lists(st.one_of(st.none(), RUPEES), max_size=12), limit=LIMIT)
def test_blind_moments_in_between_change_no_decision(history, limit):
    def last(values):
        state = GuardView()
        for value in values:
            state, _ = evaluate(loss(limit), state, mark(value), NOW)
        return state.stage, state.value

    assert last(history) == last([v for v in history if v is not None])


POSITIONS = st.lists(
    st.builds(
        lambda n, units, cost, realised: OpenPosition(f"NFO:S{n}", units, cost if units else Decimal(0), realised, True),
        st.integers(0, 4),
        st.integers(-500, 500),
        st.decimals(min_value=1, max_value=500_000, places=2),
        RUPEES,
    ),
    min_size=1,
    max_size=6,
)


def quotes_for(prices: dict[int, Decimal], age_s: float = 1) -> dict[str, Quote]:
    at = NOW - timedelta(seconds=age_s)
    return {f"NFO:S{n}": Quote(f"NFO:S{n}", price, at, Source.STREAM) for n, price in prices.items()}


ALL_PRICED = st.fixed_dictionaries(dict.fromkeys(range(5), PRICE))


@given(books=st.lists(POSITIONS, min_size=1, max_size=3), prices=ALL_PRICED)
@settings(max_examples=150)
def test_the_tick_gauge_equals_the_one_pnl_exactly(books, prices):
    quotes = quotes_for(prices)
    exact = run_pnl(book_pnl(b, quotes, NOW, BOUNDS) for b in books).total
    marks = {key: q.deciding_price for key, q in quotes.items()}
    assert pnl_gauge([p for b in books for p in b]).total(marks) == exact


@given(
    books=st.lists(POSITIONS, min_size=1, max_size=3),
    prices=ALL_PRICED,
    limit=LIMIT,
    rule=st.sampled_from([Rule.MAX_LOSS, Rule.MAX_PROFIT]),
)
@settings(max_examples=150)
def test_tick_and_sweep_decide_alike(books, prices, limit, rule):
    quotes = quotes_for(prices)
    policy = Policy(rule, limit)
    seen = Snapshot({n: BookMark(book_pnl(b, quotes, NOW, BOUNDS), True, True) for n, b in enumerate(books)})
    line = standing(policy, GuardView(), seen)
    assert line is not None
    one = pnl_gauge([p for b in books for p in b]).between([line])
    total = one.total({key: q.deciding_price for key, q in quotes.items()})
    assert total is not None
    assert one.touches(total) == evaluate(policy, GuardView(), seen, NOW)[1].tripped


@given(positions=POSITIONS, prices=ALL_PRICED, lost=st.integers(0, 4), stale=st.booleans())
def test_losing_any_one_open_quote_makes_the_run_unknown(positions, prices, lost, stale):
    quotes = quotes_for(prices)
    if stale:
        quotes.update(quotes_for({lost: prices[lost]}, age_s=5.1))
    else:
        del quotes[f"NFO:S{lost}"]
    needed = any(p.units and p.key == f"NFO:S{lost}" for p in positions)
    seen = Snapshot({1: BookMark(book_pnl(positions, quotes, NOW, BOUNDS), True, True)})
    state, verdict = evaluate(loss(1), GuardView(), seen, NOW)
    assert verdict.is_known is not needed
    assert not (needed and state.stage is not Stage.WAITING)
