from __future__ import annotations

from datetime import UTC, datetime, time
from decimal import Decimal

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Journal
from marketdata import quotes as store
from risk.domain.limits import LimitTerms
from risk.domain.terms import LegTerms, Line, Lock, RiskTerms, Trail
from risk.models import GuardState, RiskEvent, RunLimits
from risk.pages import run_rows
from risk.services import arming, fastguard, watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal, Run

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def frozen(db):
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def events():
    return list(RiskEvent.objects.order_by("id").values_list("kind", "book_id", "leg"))


def goals():
    return {goal.book_id: goal for goal in ExitGoal.objects.all()}


def test_a_leg_stop_closes_that_leg_in_every_account_it_fires_in():
    run = desk.a_run(desk.accounts(2), RiskTerms(legs={1: LegTerms(stop=Line("PERCENT", D(30)))}))
    desk.price(call="129.95")
    watch.sweep()
    assert events() == []
    desk.price(call="130.05")
    watch.sweep()
    books = list(run.books.values_list("id", flat=True))
    assert events() == [("LEG_STOP", book, 1) for book in books]
    assert {g.reason for g in goals().values()} == {"LEG_STOP"}
    assert all(g.targets == {f"{desk.CALL}:NRML": 0} for g in goals().values())
    assert set(run.books.values_list("state", flat=True)) == {"OPEN"}, "the other leg stays"
    said = Journal.objects.filter(kind="risk.tripped").first()
    assert said is not None and said.why.startswith("Leg stop of NIFTY24NOV2624100CE: 130.05 ≥ 130")


def test_a_hedge_that_leaves_takes_its_short_along():
    desk.a_run(desk.accounts(1), RiskTerms(legs={3: LegTerms(stop=Line("PREMIUM", D(10)))}), owned=desk.CONDOR)
    desk.price(high="9.95")
    watch.sweep()
    assert ExitGoal.objects.get().targets == {f"{desk.CALL}:NRML": 0, f"{desk.HIGH_CALL}:NRML": 0}


def test_after_one_leg_was_stopped_the_other_stops_at_cost():
    run = desk.a_run(desk.accounts(1), RiskTerms(legs={0: LegTerms(stop=Line("PERCENT", D(30)))}, stop_to_cost=True))
    desk.price(call="131", put="79")
    watch.sweep()
    assert [kind for kind, *_ in events()] == ["LEG_STOP"]
    book = run.books.get()
    desk.close(book, 1, "131")
    ExitGoal.objects.update(state="DONE", done_at=clock.now())
    watch.sweep()
    assert not ExitGoal.objects.exclude(state="DONE").exists(), "what is flat is not asked again"
    desk.price(put="80")
    watch.sweep()
    assert [kind for kind, *_ in events()] == ["LEG_STOP", "COST_STOP"]
    assert ExitGoal.objects.exclude(state="DONE").get().reason == "LEG_STOP"


def test_a_leg_exit_that_was_lost_is_asked_again_for_that_leg_only():
    desk.a_run(desk.accounts(1), RiskTerms(legs={1: LegTerms(stop=Line("POINTS", D(10)))}))
    desk.price(call=111)
    watch.sweep()
    ExitGoal.objects.update(state="DONE", done_at=clock.now())
    watch.sweep()
    assert ExitGoal.objects.exclude(state="DONE").get().targets == {f"{desk.CALL}:NRML": 0}
    assert len(events()) == 1


def test_a_whole_exit_widens_a_leg_exit_on_its_way():
    desk.a_run(desk.accounts(1), RiskTerms(legs={1: LegTerms(stop=Line("POINTS", D(10)))}))
    desk.price(call=111)
    watch.sweep()
    desk.price(call=180)
    watch.sweep()
    assert [kind for kind, *_ in events()] == ["LEG_STOP", "MAX_LOSS"]
    assert ExitGoal.objects.get().targets is None


def test_an_alert_on_a_leg_asks_for_nothing():
    desk.a_run(desk.accounts(1), RiskTerms(legs={1: LegTerms(stop=Line("POINTS", D(10)), action="ALERT")}))
    desk.price(call=111)
    watch.sweep()
    assert RiskEvent.objects.get().action == "ALERT" and not ExitGoal.objects.exists()


def test_the_trailing_stop_remembers_a_peak_that_only_a_tick_saw():
    run = desk.a_run(desk.accounts(2), RiskTerms(trail=Trail("AMOUNT", D(1000))))
    watch.sweep()
    guard = fastguard.FastGuard()
    guard.reload()
    desk.price(call=80)  # 2 × 65 × 20 = 2,600 of gain, for one instant
    assert guard.see(store.get([desk.CALL]), clock.now()) == []
    desk.price(call=85)
    guard.see(store.get([desk.CALL]), clock.now())
    assert guard.keep(clock.now()) == 1
    row = GuardState.objects.get(run=run, rule="TRAILING_STOP")
    assert row.inputs["peak"] == "2600" or Decimal(row.inputs["peak"]) == 2600
    assert row.level == 1600
    desk.price(call="87.65")  # 1,605.50: above
    watch.sweep()
    assert events() == []
    desk.price(call="87.70")  # 1,599
    assert guard.see(store.get([desk.CALL]), clock.now()) == [run.pk]
    assert guard.commit(run.pk, clock.now()) == 1
    event = RiskEvent.objects.get()
    assert (event.kind, event.seen_by, event.threshold) == ("TRAILING_STOP", "tick", D(1600))
    assert Decimal(event.numbers["peak"]) == 2600
    assert {g.reason for g in goals().values()} == {"TRAILING_STOP"} and len(goals()) == 2


def test_a_sweep_that_lost_the_race_for_a_note_loses_no_peak():
    run = desk.a_run(desk.accounts(1), RiskTerms(trail=Trail("AMOUNT", D(1000))))
    watch.sweep()
    guard = fastguard.FastGuard()
    guard.reload()
    desk.price(call=80)
    guard.see(store.get([desk.CALL]), clock.now())
    desk.price(call=90)
    watch.sweep()  # stores 650 first
    guard.keep(clock.now())  # too late with its number of notes
    guard.reload()
    guard.keep(clock.now())
    assert Decimal(GuardState.objects.get(run=run, rule="TRAILING_STOP").inputs["peak"]) == 1300


def test_unknown_marks_move_no_peak(frozen):
    run = desk.a_run(desk.accounts(1), RiskTerms(trail=Trail("AMOUNT", D(1000))))
    watch.sweep()
    frozen.advance(6)
    desk.price(call=50)  # the put is stale now: 3,250 of gain is not known
    quotes = store.get([desk.CALL, desk.PUT])
    from risk.services import sweep

    sweep.evaluate_run(run.pk, quotes=quotes, now=clock.now(), seen_by="sweep")
    assert Decimal(GuardState.objects.get(rule="TRAILING_STOP").inputs["peak"]) == 0


def test_the_profit_lock_keeps_what_was_reached():
    desk.a_run(desk.accounts(1), RiskTerms(lock=Lock(D(1000), D(400))))
    desk.price(call=80)
    watch.sweep()
    desk.price(call=94)  # 390
    watch.sweep()
    event = RiskEvent.objects.get()
    assert (event.kind, event.threshold) == ("PROFIT_LOCK", 400) and ExitGoal.objects.get().reason == "TRAILING_STOP"


def test_premium_and_index_levels_take_the_whole_run_out():
    first = desk.a_run(desk.accounts(1), RiskTerms(premium_stop=Line("PERCENT", D(10))), name="Premium")
    second = desk.a_run([first.books.get().account], RiskTerms(underlying_below=D(23900)), name="Index")
    desk.price(call=118, index=24000)
    guard = fastguard.FastGuard()
    guard.reload()
    assert guard.see(store.get([desk.CALL, desk.INDEX]), clock.now()) == [first.pk]
    desk.price(index="23899.95")
    assert guard.see(store.get([desk.INDEX]), clock.now()) == [second.pk]
    watch.sweep()
    assert {(e.run_id, e.kind) for e in RiskEvent.objects.all()} == {
        (first.pk, "PREMIUM_STOP"),
        (second.pk, "UNDERLYING_BELOW"),
    }
    index = RiskEvent.objects.get(kind="UNDERLYING_BELOW")
    assert index.numbers["underlying"]["price"] == "23899.95"


@pytest.mark.parametrize(
    ("terms", "product", "before", "after", "kind"),
    [
        (RiskTerms(exit_time=time(11, 0)), "NRML", (5, 29), (5, 30), "EXIT_TIME"),
        (RiskTerms(square_off=time(14, 0)), "MIS", (8, 29), (8, 30), "SQUARE_OFF"),
        (RiskTerms(), "MIS", (9, 39), (9, 40), "SQUARE_OFF"),  # 15:30 less 15 less 5 minutes
        (RiskTerms(square_off=time(15, 29)), "MIS", (9, 39), (9, 40), "SQUARE_OFF"),
    ],
)
def test_the_clock_acts_without_any_price(frozen, terms, product, before, after, kind):
    run = desk.a_run(desk.accounts(2), terms, product=product)
    frozen.set(datetime(2026, 11, 20, *before, 59, tzinfo=UTC))
    watch.sweep()
    assert events() == []
    frozen.set(datetime(2026, 11, 20, *after, 0, tzinfo=UTC))
    watch.sweep()
    watch.sweep()
    assert events() == [(kind, None, None)] and len(goals()) == run.books.count()
    assert {g.reason for g in goals().values()} == {kind}


def test_exit_time_cancels_an_entry_that_never_filled(frozen):
    desk.a_run(desk.accounts(1), RiskTerms(exit_time=time(11, 0)), filled=False)
    frozen.set(datetime(2026, 11, 20, 5, 30, tzinfo=UTC))
    watch.sweep()
    assert events() == [("EXIT_TIME", None, None)]


def test_contracts_leave_fifteen_minutes_before_their_last_close(frozen):
    from marketdata import calendar

    desk.a_run(desk.accounts(1))
    kept = desk.a_run([stage.account(7)], RiskTerms(let_expire=True), name="Kept")
    frozen.set(datetime(2026, 11, 24, 9, 44, 59, tzinfo=UTC))
    calendar.forget()
    watch.sweep()
    assert events() == []
    frozen.set(datetime(2026, 11, 24, 9, 45, tzinfo=UTC))
    watch.sweep()
    assert events() == [("EXPIRY", None, None)] and not ExitGoal.objects.filter(book__run=kept).exists()


def test_limits_of_a_live_run_change_with_their_old_and_new_numbers():
    run = desk.a_run(desk.accounts(1), RiskTerms(trail=Trail("AMOUNT", D(2000))))
    watch.sweep()
    tighter = LimitTerms(max_loss=D(5000), more=RiskTerms(trail=Trail("AMOUNT", D(1500)), exit_time=time(14, 0)))
    arming.change(run.pk, tighter, by="user:alice")
    watch.sweep()
    assert GuardState.objects.get(run=run, rule="TRAILING_STOP").level == -1500
    row = Journal.objects.get(kind="limits.changed")
    assert row.numbers["more"]["trail"]["from"]["value"] == "2000" and row.numbers["more"]["trail"]["to"]["value"] == "1500"
    assert row.numbers["more"]["exit_time"] == {"from": None, "to": "14:00:00"}
    looser = LimitTerms(max_loss=D(5000), more=RiskTerms(trail=Trail("AMOUNT", D(3000)), exit_time=time(14, 0)))
    with pytest.raises(Refused):
        arming.change(run.pk, looser, by="user:alice")
    arming.change(run.pk, looser, by="user:alice", why="news is over")
    watch.sweep()
    assert GuardState.objects.get(run=run, rule="TRAILING_STOP").level == -3000


def test_protections_that_do_not_fit_are_refused():
    run = desk.a_run(desk.accounts(1))
    for more in (
        RiskTerms(trail=Trail("AMOUNT", D(100), "PERCENT_OF_PRICE")),
        RiskTerms(lock=Lock(D(100), D(100))),
        RiskTerms(stop_to_cost=True),
        RiskTerms(underlying_below=D(25000), underlying_above=D(24000)),
    ):
        with pytest.raises(Refused):
            arming.change(run.pk, LimitTerms(max_loss=D(5000), more=more), by="user:alice")
    assert RunLimits.objects.get(run=run).terms == {}


def test_the_page_shows_where_every_line_stands():
    desk.a_run(
        desk.accounts(1),
        RiskTerms(
            trail=Trail("AMOUNT", D(1000)), legs={1: LegTerms(stop=Line("PERCENT", D(30)))}, premium_target=Line("POINTS", D(60))
        ),
    )
    desk.price(call=90)
    watch.sweep()
    rows = {limit.rule: limit for limit in run_rows()[0].limits}
    assert rows["TRAILING_STOP"].level == -350 and rows["TRAILING_STOP"].peak == 650
    assert rows["LEG_STOP"].level == 130 and rows["LEG_STOP"].value == 90 and "24100CE" in rows["LEG_STOP"].scope
    assert rows["PREMIUM_TARGET"].level == 120 and rows["PREMIUM_TARGET"].value == 170
    assert rows["EXPIRY"].due == datetime(2026, 11, 24, 9, 45, tzinfo=UTC)
    assert Run.objects.count() == 1
