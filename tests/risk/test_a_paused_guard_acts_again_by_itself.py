"""A paused guard watches and remembers and does not trip; from the end of its pause on it acts, and nobody has to help."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from accounts.gateway.directory import far_side
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops.models import Journal
from marketdata import quotes as store
from marketdata.models import Candle1m
from risk import selectors
from risk.domain.guards import BookMark, GuardView, Policy, Rule, Snapshot, Stage, evaluate
from risk.domain.limits import LimitTerms
from risk.domain.terms import LegTerms, Line, Lock, RiskTerms, SupertrendTerms, Trail
from risk.models import GuardState, RiskEvent
from risk.pages import risk_page, run_rows
from risk.services import arming, fastguard, pausing, supertrend, watch
from tests.risk import desk
from tests.strategies import stage
from trading.domain.pnl import Pnl
from trading.models import ExitGoal, Run

D = Decimal
NOW = stage.NOW
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen(db: None) -> Any:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def a_run(terms: RiskTerms | None = None, **limits: Any) -> Run:
    run = desk.a_run(list(Account.objects.all()) or desk.accounts(1), terms, **{"max_loss": D(1000), **limits})
    watch.sweep()
    return run


def guard(rule: str = "MAX_LOSS") -> GuardState:
    return GuardState.objects.get(rule=rule)


def paused(rule: str = "MAX_LOSS", *, minutes: float = 10) -> GuardState:
    until = clock.now() + timedelta(minutes=minutes)
    pausing.pause(guard(rule).pk, until=until, by="user:alice", why="the news is known")
    return guard(rule)


def fell() -> None:
    """Both legs far against the run; a price is asked again at each look, so that none is stale."""
    desk.price(call=140, put=120)


# The rule itself


def mark(total: int | None) -> Snapshot:
    pnl = Pnl(D(0), None, missing=("NFO:X",)) if total is None else Pnl(D(0), D(total), D(total))
    return Snapshot({1: BookMark(pnl, has_traded=True, is_live=True)})


LOOKS = st.lists(st.tuples(st.integers(0, 120), st.none() | st.integers(-2000, 2000)), min_size=1, max_size=20)


@given(looks=LOOKS, pause=st.integers(-10, 130), rule=st.sampled_from([Rule.MAX_LOSS, Rule.MAX_PROFIT]))
def test_it_trips_at_the_first_breach_that_is_seen_outside_its_pause(
    looks: list[tuple[int, int | None]], pause: int, rule: Rule
) -> None:
    until = NOW + timedelta(seconds=pause)
    policy, view, tripped_at = Policy(rule, D(1000), paused_until=until), GuardView(), None
    moments = [NOW + timedelta(seconds=second) for second, _ in sorted(looks, key=lambda look: look[0])]
    values = [value for _, value in sorted(looks, key=lambda look: look[0])]
    for now, value in zip(moments, values, strict=True):
        view, verdict = evaluate(policy, view, mark(value), now)
        if verdict.tripped and tripped_at is None:
            tripped_at = now
    breached = [
        now
        for now, value in zip(moments, values, strict=True)
        if value is not None and (value <= -1000 if rule is Rule.MAX_LOSS else value >= 1000) and now >= until
    ]
    assert tripped_at == (breached[0] if breached else None)
    assert (view.stage is Stage.TRIPPED) == bool(breached)


@given(looks=LOOKS)
def test_a_pause_that_is_over_changes_nothing(looks: list[tuple[int, int | None]]) -> None:
    for second, value in looks:
        now = NOW + timedelta(seconds=second)
        plain = evaluate(Policy(Rule.MAX_LOSS, D(1000)), GuardView(), mark(value), now)
        assert evaluate(Policy(Rule.MAX_LOSS, D(1000), paused_until=NOW), GuardView(), mark(value), now) == plain


# The sweep and the tick


def test_the_sweep_leaves_it_alone_until_its_time_is_over(frozen: Any) -> None:
    run = a_run()
    paused()
    frozen.advance(6)
    fell()
    watch.sweep()
    assert guard().state == "ARMED" and guard().value == -5200 and not ExitGoal.objects.exists()
    frozen.advance(593.9)
    fell()
    watch.sweep()
    assert not RiskEvent.objects.exists()
    frozen.advance(0.1)
    fell()
    watch.sweep()
    assert RiskEvent.objects.get().kind == "MAX_LOSS" and ExitGoal.objects.get().book.run == run


def test_what_recovered_meanwhile_does_not_leave(frozen: Any) -> None:
    a_run()
    paused()
    fell()
    watch.sweep()
    frozen.advance(601)
    desk.at_entry()
    watch.sweep()
    assert not RiskEvent.objects.exists() and guard().state == "ARMED"


def test_ticks_do_not_suspect_it_and_the_first_one_after_its_pause_does(frozen: Any) -> None:
    run = a_run()
    paused()
    fast = fastguard.FastGuard()
    fast.reload()
    fell()
    quotes = store.get([desk.CALL, desk.PUT])
    assert fast.see(quotes, clock.now()) == []
    assert fast.commit(run.pk, clock.now()) == 0
    frozen.advance(600)
    fell()
    assert fast.see(store.get([desk.CALL, desk.PUT]), clock.now()) == [run.pk], "held in memory since before the pause ended"
    assert fast.commit(run.pk, clock.now()) == 1 and ExitGoal.objects.count() == 1


def test_a_run_held_in_memory_is_read_again_after_a_pause_and_after_its_end_by_hand(frozen: Any) -> None:
    run = a_run()
    fast = fastguard.FastGuard()
    fast.reload()
    paused()
    fell()
    assert fast.see(store.get([desk.CALL, desk.PUT]), clock.now()) == [run.pk], "the tick knows nothing of it yet"
    assert fast.commit(run.pk, clock.now()) == 0, "the decision does"
    pausing.resume(guard().pk, by="user:alice")
    assert fast.commit(run.pk, clock.now()) == 1


def test_the_other_guards_of_the_run_go_on(frozen: Any) -> None:
    a_run(RiskTerms(legs={1: LegTerms(stop=Line("POINTS", D(20)))}))
    paused("MAX_LOSS")
    fell()
    watch.sweep()
    assert RiskEvent.objects.get().kind == "LEG_STOP"
    assert guard("MAX_LOSS").state == "ARMED"


def test_a_trailing_stop_remembers_its_best_while_it_is_paused(frozen: Any) -> None:
    a_run(RiskTerms(trail=Trail("AMOUNT", D(500))), max_loss=D(90_000))
    paused("TRAILING_STOP")
    desk.price(call=80, put=70)
    watch.sweep()
    assert D(guard("TRAILING_STOP").inputs["peak"]) == 1950
    desk.at_entry()
    watch.sweep()
    assert not RiskEvent.objects.exists()
    frozen.advance(601)
    desk.at_entry()
    watch.sweep()
    event = RiskEvent.objects.get()
    assert (event.kind, event.threshold, event.value) == ("TRAILING_STOP", 1450, 0)


@pytest.mark.parametrize(
    ("rule", "terms", "prices"),
    [
        (
            "PROFIT_LOCK",
            RiskTerms(lock=Lock(D(1000), D(500), D(500), D(250))),
            [{"call": 80, "put": 70}, {"call": 100, "put": 80}],
        ),
        ("LEG_STOP", RiskTerms(legs={1: LegTerms(stop=Line("POINTS", D(20)))}), [{"call": 121}]),
        ("LEG_TARGET", RiskTerms(legs={1: LegTerms(target=Line("POINTS", D(20)))}), [{"call": 79}]),
        ("LEG_TRAILING", RiskTerms(legs={1: LegTerms(trail=Line("POINTS", D(20)))}), [{"call": 121}]),
        ("PREMIUM_STOP", RiskTerms(premium_stop=Line("POINTS", D(20))), [{"call": 121}]),
        ("PREMIUM_TARGET", RiskTerms(premium_target=Line("POINTS", D(20))), [{"call": 79}]),
        ("UNDERLYING_BELOW", RiskTerms(underlying_below=D(24000)), [{"index": 23990}]),
        ("UNDERLYING_ABOVE", RiskTerms(underlying_above=D(24050)), [{"index": 24060}]),
    ],
)
def test_every_rule_on_prices_waits_and_then_acts(frozen: Any, rule: str, terms: RiskTerms, prices: list[dict[str, int]]) -> None:
    a_run(terms, max_loss=D(90_000))
    for now in prices[:-1]:
        desk.price(**now)
        watch.sweep()
    paused(rule)
    desk.price(**prices[-1])
    watch.sweep()
    assert not RiskEvent.objects.exists()
    frozen.advance(601)
    desk.at_entry()
    desk.price(**prices[-1])
    watch.sweep()
    assert [event.kind for event in RiskEvent.objects.all()] == [rule]


def test_a_rule_of_the_clock_waits_and_then_acts(frozen: Any) -> None:
    at = (clock.now() + timedelta(minutes=2)).astimezone(clock.IST).time()
    a_run(RiskTerms(exit_time=at), max_loss=D(90_000))
    paused("EXIT_TIME")
    for _ in range(2):
        assert not RiskEvent.objects.exists()
        frozen.advance(300)
        desk.at_entry()
        watch.sweep()
    assert [event.kind for event in RiskEvent.objects.all()] == ["EXIT_TIME"]


# Supertrend, which decides on a bar once

TERMS = SupertrendTerms(timeframe=5, period=5, multiplier=D(2))


def bars(start: datetime, *, call: int | str, put: int | str) -> None:
    for key, price in ((desk.CALL, D(call)), (desk.PUT, D(put))):
        Candle1m.objects.bulk_create(
            Candle1m(
                key=key, minute=start + timedelta(minutes=n), open=price, high=price, low=price, close=price, source="TICKS",
                covered_s=60,
            )
            for n in range(5)
        )  # fmt: skip


@pytest.fixture
def falling(frozen: Any) -> Run:
    for n in range(15):
        bars(NOW - timedelta(minutes=75 - 5 * n), call=D(120) - n, put=D(100) - n)
    run = a_run(RiskTerms(supertrend=TERMS), max_loss=D(90_000))
    paused("SUPERTREND", minutes=8)
    bars(NOW, call=140, put=110)
    frozen.advance(301)
    assert supertrend.look(clock.now()) == 0 and not RiskEvent.objects.exists()
    return run


def test_a_turn_of_the_pause_that_still_stands_acts_after_it(frozen: Any, falling: Run) -> None:
    bars(NOW + timedelta(minutes=5), call=141, put=110)
    frozen.advance(300)
    assert supertrend.look(clock.now()) == 1
    event = RiskEvent.objects.get()
    assert event.kind == "SUPERTREND" and event.numbers["decided"] == "2026-11-20T05:05:00+00:00"


def test_a_turn_of_the_pause_that_turned_back_does_not(frozen: Any, falling: Run) -> None:
    bars(NOW + timedelta(minutes=5), call=20, put=20)
    frozen.advance(300)
    assert supertrend.look(clock.now()) == 1
    assert not RiskEvent.objects.exists() and guard("SUPERTREND").inputs["direction"] == "DOWN"
    bars(NOW + timedelta(minutes=10), call=200, put=200)
    frozen.advance(300)
    supertrend.look(clock.now())
    assert RiskEvent.objects.get().kind == "SUPERTREND", "a turn after the pause counts as any other"


# Asking for it


@pytest.mark.parametrize(
    ("seconds", "why", "field"), [(0, "x", "until"), (-1, "x", "until"), (86_401, "x", "until"), (60, "  ", "reason")]
)
def test_what_is_wrong_is_named(seconds: int, why: str, field: str) -> None:
    a_run()
    with pytest.raises(Refused) as refused:
        pausing.pause(guard().pk, until=clock.now() + timedelta(seconds=seconds), by="user:alice", why=why)
    assert field in refused.value.fields and guard().paused_until is None


def test_a_day_is_not_too_long() -> None:
    a_run()
    assert paused(minutes=24 * 60).paused_until == NOW + timedelta(days=1)


def test_what_has_decided_is_not_paused() -> None:
    a_run()
    fell()
    watch.sweep()
    with pytest.raises(Conflict):
        paused()


def test_a_closed_run_is_not_paused() -> None:
    run = a_run()
    Run.objects.filter(pk=run.pk).update(state="CLOSED", flat_at=clock.now(), exit_reason="MANUAL")
    with pytest.raises(Conflict):
        paused()
    with pytest.raises(Conflict):
        pausing.pause(999_999, until=NOW + timedelta(minutes=1), by="user:alice", why="x")


def test_it_is_journaled_with_who_until_and_why() -> None:
    run = a_run()
    paused()
    pausing.resume(guard().pk, by="user:alice", why="calm again")
    first, last = Journal.objects.filter(kind__startswith="guard.", actor="user:alice").order_by("id")
    assert (first.kind, first.subject, first.run_id, first.why) == ("guard.paused", "MAX_LOSS", run.pk, "the news is known")
    assert first.numbers["until"] == "2026-11-20T05:10:00+00:00"
    assert (last.kind, last.why, last.numbers["was_until"]) == ("guard.resumed", "calm again", "2026-11-20T05:10:00+00:00")


def test_resuming_what_is_not_paused_does_nothing() -> None:
    a_run()
    pausing.resume(guard().pk, by="user:alice")
    assert not Journal.objects.filter(kind="guard.resumed").exists()


def test_the_database_wants_to_know_who_and_why() -> None:
    a_run()
    with pytest.raises(IntegrityError), transaction.atomic():
        GuardState.objects.filter(pk=guard().pk).update(paused_until=NOW)


def test_a_change_of_limits_leaves_the_pause(frozen: Any) -> None:
    run = a_run()
    paused()
    arming.change(run.pk, LimitTerms(max_loss=D(500)), by="user:alice")
    fell()
    watch.sweep()
    assert not RiskEvent.objects.exists()
    frozen.advance(601)
    fell()
    watch.sweep()
    assert RiskEvent.objects.get().threshold == -500


def test_the_next_run_of_the_same_guards_is_not_paused() -> None:
    first = a_run()
    paused()
    second = desk.a_run(list(Account.objects.all()), max_loss=D(1000), name="Again")
    watch.sweep()
    fell()
    watch.sweep()
    assert [event.run_id for event in RiskEvent.objects.all()] == [second.pk] != [first.pk]


def test_pages_say_so_and_count_no_hard_stop(frozen: Any) -> None:
    a_run()
    assert run_rows()[0].has_stop and risk_page()["unstopped"] == 0
    paused()
    (row,) = (limit for limit in run_rows()[0].limits if limit.rule == "MAX_LOSS")
    assert (row.paused_until, row.paused_by, row.paused_why) == (
        NOW + timedelta(minutes=10), "user:alice", "the news is known",
    )  # fmt: skip
    assert not run_rows()[0].has_stop and risk_page()["unstopped"] == 1
    frozen.advance(600)
    (row,) = (limit for limit in run_rows()[0].limits if limit.rule == "MAX_LOSS")
    assert row.paused_until is None and run_rows()[0].has_stop


def test_it_costs_no_query_more(django_assert_num_queries: Any) -> None:
    a_run()
    paused()
    with django_assert_num_queries(5):
        selectors.open_runs()
