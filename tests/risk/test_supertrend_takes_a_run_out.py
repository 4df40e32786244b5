from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.ops.models import Alarm, Journal
from marketdata.models import Candle1m
from risk import selectors
from risk.domain.terms import RiskTerms, SupertrendTerms
from risk.models import GuardState, RiskEvent
from risk.pages import run_rows
from risk.services import supertrend, watch
from risk.signals import kernel
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal

pytestmark = pytest.mark.django_db
D = Decimal
OPEN = datetime(2026, 11, 20, 3, 45, tzinfo=UTC)  # 09:15 in India
TERMS = SupertrendTerms(timeframe=5, period=5, multiplier=D(2))


@pytest.fixture(autouse=True)
def frozen(db):
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def minutes(key, start, closes, *, open_=None):
    last = D(open_ if open_ is not None else closes[0])
    rows = []
    for n, close in enumerate(D(c) for c in closes):
        high, low = max(last, close), min(last, close)
        rows.append(
            Candle1m(
                key=key,
                minute=start + timedelta(minutes=n),
                open=last,
                high=high,
                low=low,
                close=close,
                source="TICKS",
                covered_s=60,
            )
        )
        last = close
    Candle1m.objects.bulk_create(rows)


def morning(*, until=75, call="100", put="80"):
    """Every minute since the open a little lower: the premium falls, the line is above it."""
    for key, first in ((desk.CALL, D(call)), (desk.PUT, D(put))):
        minutes(key, OPEN, [first + D(20) - D(n) / 5 for n in range(until)])


def bar(at, *, call, put=None):
    """Five more minutes of both legs."""
    if call is not None:
        minutes(desk.CALL, at, [call] * 5)
    if put is not None:
        minutes(desk.PUT, at, [put] * 5)


def a_run(terms=TERMS, **more):
    return desk.a_run(more.pop("on", None) or desk.accounts(2), RiskTerms(supertrend=terms), max_loss=D(90_000), **more)


def state():
    return GuardState.objects.get(rule="SUPERTREND")


def test_a_turn_against_a_credit_on_a_closed_bar_takes_everything_out_once(frozen):
    morning()
    run = a_run()
    assert supertrend.look(clock.now(), compute=kernel.batch) == 0, "the bar that closed at the start does not count"
    bar(stage.NOW, call="140", put="110")
    frozen.advance(299)
    assert supertrend.look(clock.now(), compute=kernel.batch) == 0, "a forming bar decides nothing"
    frozen.advance(2)
    assert supertrend.look(clock.now(), compute=kernel.batch) == 1
    assert supertrend.look(clock.now(), compute=kernel.batch) == 0
    event = RiskEvent.objects.get()
    assert (event.kind, event.seen_by, event.action, event.value) == ("SUPERTREND", "signal", "EXIT", 250)
    assert event.numbers["bar"] == "2026-11-20T05:05:00+00:00" and event.numbers["direction"] == "UP"
    assert event.numbers["side"] == "CREDIT" and event.numbers["digest"]
    assert {g.reason for g in ExitGoal.objects.all()} == {"SUPERTREND"} and ExitGoal.objects.count() == run.books.count()
    assert Journal.objects.filter(kind="risk.tripped").count() == 1


def test_no_turn_is_remembered_with_its_line_and_decides_nothing(frozen):
    morning()
    a_run()
    bar(stage.NOW, call="105", put="85")
    frozen.advance(301)
    assert supertrend.look(clock.now()) == 1
    row = state()
    assert row.state == "ARMED" and row.inputs["direction"] == "DOWN" and row.inputs["bar"].startswith("2026-11-20T05:05")
    assert not RiskEvent.objects.exists()
    shown = next(limit for limit in run_rows()[0].limits if limit.rule == "SUPERTREND")
    assert shown.value == 190 and shown.level == row.level and "DOWN" in shown.ready


def test_too_few_bars_are_not_ready_and_say_so(frozen):
    for key in (desk.CALL, desk.PUT):
        minutes(key, stage.NOW - timedelta(minutes=20), ["100"] * 20)
    a_run()
    bar(stage.NOW, call="300", put="300")
    frozen.advance(301)
    assert supertrend.look(clock.now()) == 0
    assert state().inputs["ready"] == "NOT READY: 5 of 10 bars" and state().state == "WAITING"
    shown = next(limit for limit in run_rows()[0].limits if limit.rule == "SUPERTREND")
    assert shown.ready == "NOT READY: 5 of 10 bars"


def test_a_missing_leg_waits_then_counts_as_invalid_and_the_second_rings(frozen):
    morning()
    a_run()
    bar(stage.NOW, call="140")
    frozen.advance(305)
    assert supertrend.look(clock.now()) == 0 and state().inputs == {}, "up to 20 s it is asked again"
    frozen.advance(16)
    supertrend.look(clock.now())
    assert state().inputs["invalid"] == 1 and not Alarm.objects.filter(kind="SUPERTREND_BLIND").exists()
    bar(stage.NOW + timedelta(minutes=5), call="140")
    frozen.advance(300)
    supertrend.look(clock.now())
    assert state().inputs["invalid"] == 2 and Alarm.objects.filter(kind="SUPERTREND_BLIND").exists()
    assert not RiskEvent.objects.exists()


def test_a_late_minute_within_its_patience_decides(frozen):
    morning()
    a_run()
    bar(stage.NOW, call="140")
    frozen.advance(302)
    supertrend.look(clock.now())
    bar(stage.NOW, call=None, put="110")
    frozen.advance(1)
    assert supertrend.look(clock.now()) == 1 and RiskEvent.objects.get().kind == "SUPERTREND"


def test_a_run_that_begins_on_the_adverse_side_stays_unless_it_asked_otherwise(frozen):
    for key, first in ((desk.CALL, 100), (desk.PUT, 80)):
        minutes(key, OPEN, [D(first) + D(n) / 2 for n in range(75)])  # rising since the open: UP long ago
    on = desk.accounts(1)
    a_run(on=on, name="Cross")
    level = SupertrendTerms(timeframe=5, period=5, multiplier=D(2), adverse_at_arming=True)
    asked = a_run(level, on=on, name="Level")
    for key, first in ((desk.CALL, 100), (desk.PUT, 80)):
        minutes(key, stage.NOW, [D(first) + D(n) / 2 for n in range(75, 80)])
    frozen.advance(301)
    assert supertrend.look(clock.now()) == 2
    assert [e.run_id for e in RiskEvent.objects.all()] == [asked.pk]


def test_turns_missed_while_nobody_looked_are_found_afterwards(frozen):
    morning()
    a_run()
    bar(stage.NOW, call="140", put="110")
    bar(stage.NOW + timedelta(minutes=5), call="141", put="110")
    bar(stage.NOW + timedelta(minutes=10), call="142", put="110")
    frozen.advance(901)
    supertrend.look(clock.now())
    event = RiskEvent.objects.get()
    assert event.numbers["decided"] == "2026-11-20T05:05:00+00:00" and event.value == 250


def test_a_closed_leg_leaves_the_series(frozen):
    morning()
    run = a_run(on=desk.accounts(1))
    desk.close(run.books.get(), 1, "100")
    found = supertrend.series(selectors.open_run(run.pk), TERMS, clock.now())
    assert found is not None and set(found.weights) == {desk.PUT} and found.bars[0].open == 100


def test_the_chart_is_the_guards_own_series_to_the_paisa(frozen, client):
    morning()
    run = a_run()
    bar(stage.NOW, call="105", put="85")
    frozen.advance(301)
    supertrend.look(clock.now(), compute=kernel.batch)
    client.force_login(stage.alice())
    answer = client.get(f"/runs/{run.pk}/combined.json")
    drawn = json.loads(answer.content)
    last = drawn["bars"][-1]
    assert D(last["c"]) == D(state().inputs["value"]) == 190
    assert last["line"] == state().inputs["line"] and last["up"] is False
    assert drawn["side"] == "CREDIT" and drawn["legs"] == {desk.CALL: "1", desk.PUT: "1"}
    assert client.get("/runs/999/combined.json").status_code == 404


def test_an_indicator_without_a_hard_stop_is_refused():
    from risk.domain.terms import faults

    assert "supertrend" in faults(RiskTerms(supertrend=TERMS), has_max_loss=False)
    assert faults(RiskTerms(supertrend=TERMS), has_max_loss=True) == {}


def test_the_money_stop_goes_on_beside_it(frozen):
    morning()
    desk.a_run(desk.accounts(1), RiskTerms(supertrend=TERMS), max_loss=D(1000))
    desk.price(call=120)
    watch.sweep()
    assert RiskEvent.objects.get().kind == "MAX_LOSS"


@pytest.mark.parametrize("was_decided_before", [True, False])
def test_a_turn_on_a_bar_that_was_filled_in_later_is_found(frozen, was_decided_before):
    """The feed was away over the end of the bar; its minutes came from history when the bar counted as invalid already."""
    morning()
    a_run()
    at = stage.NOW
    if was_decided_before:
        bar(at, call="104", put="84")
        frozen.advance(301)
        assert supertrend.look(clock.now()) == 1 and state().inputs["direction"] == "DOWN"
        at += timedelta(minutes=5)
    bar(at, call="140")
    frozen.set(at + timedelta(seconds=321))
    supertrend.look(clock.now())
    assert state().inputs["invalid"] == 1 and not RiskEvent.objects.exists()
    bar(at, call=None, put="110")
    bar(at + timedelta(minutes=5), call="141", put="111")
    frozen.set(at + timedelta(seconds=601))
    assert supertrend.look(clock.now()) == 1
    assert RiskEvent.objects.get().kind == "SUPERTREND" and ExitGoal.objects.exists()
