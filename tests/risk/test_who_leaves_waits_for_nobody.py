from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.gateway.directory import far_side
from accounts.models import Account
from algomirror.kernel import clock
from marketdata import quotes as store
from risk.domain.limits import LimitTerms
from risk.domain.terms import LegTerms, Line, RiskTerms, Trail
from risk.models import GuardState, RiskEvent
from risk.prints import prints
from risk.services import arming, fastguard, sweep, watch
from risk.services.keeper import Keeper
from tests.risk import desk
from tests.strategies import stage
from trading.models import Book, ExitGoal, Run
from trading.services import versions

D = Decimal
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen(db):
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def an_armed_run(terms: RiskTerms | None = None, *, name: str = "Strangle", **limits) -> Run:
    run = desk.a_run(list(Account.objects.all()) or desk.accounts(1), terms, name=name, **limits)
    watch.sweep()
    return run


def a_guard() -> fastguard.FastGuard:
    guard = fastguard.FastGuard()
    guard.reload()
    return guard


def see_and_suspect(guard: fastguard.FastGuard, keeper: Keeper) -> list[int]:
    found = guard.see(store.get([desk.CALL, desk.PUT]), clock.now())
    keeper.suspect(found)
    return found


def loosened(run: Run) -> None:
    arming.change(run.pk, LimitTerms(max_loss=D(90_000), more=RiskTerms()), by="user:alice", why="wider")


def traded(run: Run) -> None:
    versions.bump(run.books.get().pk)


def traded_out(run: Run) -> None:
    desk.close(run.books.get(), 1, "100")


def flat(run: Run) -> None:
    Book.objects.filter(run=run).update(state="FLAT")


def tripped(run: Run) -> None:
    GuardState.objects.filter(run=run, rule="MAX_LOSS").update(state="TRIPPED")


def remembered(run: Run) -> None:
    GuardState.objects.filter(run=run, rule="MAX_LOSS").update(noted=7)


def entering(run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state="ENTERING")


@pytest.mark.parametrize("change", [loosened, traded, traded_out, flat, tripped, remembered, entering])
def test_whatever_changes_a_run_changes_its_print(change):
    run, other = an_armed_run(), an_armed_run(name="Other")
    before = prints()
    assert prints([run.pk]) == {run.pk: before[run.pk]} and prints([]) == {}
    change(run)
    after = prints()
    assert after[run.pk] != before[run.pk] and after[other.pk] == before[other.pk]


def test_a_closed_run_has_no_print():
    run = an_armed_run()
    Run.objects.filter(pk=run.pk).update(state="CLOSED")
    assert prints() == {} and prints([run.pk]) == {}


def test_a_decision_on_a_tick_reads_nothing_again_of_a_run_that_did_not_change():
    run = an_armed_run()
    guard = a_guard()
    desk.price(call=180)
    assert guard.see(store.get([desk.CALL]), clock.now()) == [run.pk]
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert guard.decide(run.pk, clock.now()) == 1
    reads = [one["sql"] for one in asked if one["sql"].lstrip().startswith("SELECT")]
    assert not any("risk_runlimits" in sql and "r.state" not in sql for sql in reads)
    assert not any('FROM "risk_guardstate"' in sql for sql in reads), reads
    event = RiskEvent.objects.get()
    assert (event.kind, event.seen_by, event.value) == ("MAX_LOSS", "tick", D(-5200))
    assert ExitGoal.objects.count() == 1


def test_a_decision_follows_terms_that_changed_since_the_tick_was_suspected():
    run = an_armed_run()
    guard = a_guard()
    desk.price(call=180)
    assert guard.see(store.get([desk.CALL]), clock.now()) == [run.pk]
    loosened(run)
    assert guard.decide(run.pk, clock.now()) == 0 and not RiskEvent.objects.exists()


def test_a_decision_counts_what_traded_since_the_tick_was_suspected():
    run = an_armed_run()
    guard = a_guard()
    desk.price(call=180)
    guard.see(store.get([desk.CALL]), clock.now())
    desk.close(run.books.get(), 1, "100")  # bought back before it rose: nothing is lost
    assert guard.decide(run.pk, clock.now()) == 0 and not RiskEvent.objects.exists()


def test_the_clock_is_left_to_the_sweep(frozen):
    """The calendar may have been edited since the run was read; a held due time must not take anybody out."""
    run = an_armed_run(product="MIS")
    guard = a_guard()
    frozen.advance(5 * 3600)
    desk.price(call=180, put=80)
    assert guard.see(store.get([desk.CALL, desk.PUT]), clock.now()) == [run.pk]
    guard.decide(run.pk, clock.now())
    assert list(RiskEvent.objects.values_list("kind", flat=True)) == ["MAX_LOSS"]


def test_a_trip_is_committed_before_anything_is_only_remembered(monkeypatch):
    """The other guards of the run have figures and a peak to note: one transaction for all of them, after the goal."""
    run = an_armed_run(
        RiskTerms(trail=Trail("AMOUNT", D(90_000)), legs={0: LegTerms(stop=Line("PERCENT", D(400)))}), max_profit=D(60_000)
    )
    goals_at_keep: list[int] = []
    kept = sweep.keep
    monkeypatch.setattr(sweep, "keep", lambda notes, now: (goals_at_keep.append(ExitGoal.objects.count()), kept(notes, now)))
    GuardState.objects.update(evaluated_at=None)
    desk.price(call=180)
    made = sweep.evaluate_run(run.pk, quotes=store.get([desk.CALL, desk.PUT]), now=clock.now(), seen_by="sweep")
    assert [one.kind for one in made] == ["MAX_LOSS"] and goals_at_keep == [1]
    assert GuardState.objects.get(run=run, rule="MAX_PROFIT").value == D(-5200)


def test_memories_that_cannot_be_kept_do_not_undo_the_exit(monkeypatch):
    run = an_armed_run(RiskTerms(trail=Trail("AMOUNT", D(90_000))))

    def broken(notes, now):
        raise RuntimeError("the database stands still")

    monkeypatch.setattr(sweep, "keep", broken)
    GuardState.objects.update(evaluated_at=None)
    desk.price(call=180)
    quotes = store.get([desk.CALL, desk.PUT])
    assert len(sweep.evaluate_run(run.pk, quotes=quotes, now=clock.now(), seen_by="sweep")) == 1
    assert ExitGoal.objects.count() == 1


class Stumbling(fastguard.FastGuard):
    """Cannot decide on one of its runs."""

    stumbles_over = 0

    def decide(self, run_id, now):
        if run_id == self.stumbles_over:
            raise RuntimeError("one bad row")
        return super().decide(run_id, now)


def test_a_run_that_cannot_be_decided_holds_up_no_other():
    one = an_armed_run()
    two = an_armed_run(name="Other")
    guard = Stumbling()
    guard.reload()
    guard.stumbles_over = one.pk
    keeper = Keeper(guard)
    desk.price(call=180)
    assert see_and_suspect(guard, keeper) == [one.pk, two.pk]
    assert not keeper.commit_suspects(), "it says that not everything was decided"
    assert [event.run_id for event in RiskEvent.objects.all()] == [two.pk]


def test_a_decided_run_is_suspected_again_only_after_it_was_read_again():
    run = an_armed_run(max_loss_action="ALERT", max_profit=D(60_000))
    guard = a_guard()
    keeper = Keeper(guard)
    desk.price(call=180)
    assert see_and_suspect(guard, keeper) == [run.pk] and keeper.commit_suspects()
    assert see_and_suspect(guard, keeper) == [run.pk], "its old line is still touched"
    assert not keeper.commit_suspects()
    keeper.catch_up()
    assert see_and_suspect(guard, keeper) == [], "what alarmed once is not watched any more"
    assert RiskEvent.objects.count() == 1


def test_a_run_that_nobody_reads_again_is_looked_at_again_in_a_quarter_of_a_second(frozen):
    run = an_armed_run()
    guard = Stumbling()
    guard.reload()
    guard.stumbles_over = run.pk
    keeper = Keeper(guard)
    desk.price(call=180)
    see_and_suspect(guard, keeper)
    keeper.commit_suspects()
    guard.stumbles_over = 0
    frozen.advance(0.3)
    see_and_suspect(guard, keeper)
    assert keeper.commit_suspects() and RiskEvent.objects.count() == 1


class Cut(fastguard.FastGuard):
    """Loses its connection before the first decision, as when the database server is restarted."""

    is_cut = False

    def decide(self, run_id, now):
        if not self.is_cut:
            self.is_cut = True
            connection.ensure_connection()
            connection.connection.close()
        return super().decide(run_id, now)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_broke_is_replaced_for_the_next_decision(frozen):
    run = an_armed_run()
    guard = Cut()
    guard.reload()
    keeper = Keeper(guard)
    keeper.ensure_running()
    try:
        desk.price(call=180)
        for _ in range(200):
            see_and_suspect(guard, keeper)
            if RiskEvent.objects.exists():
                break
            frozen.advance(0.1)
            desk.price(call=180)
            keeper._threads[0].join(0.05)
    finally:
        keeper.stop()
    assert guard.is_cut and RiskEvent.objects.get().run_id == run.pk and ExitGoal.objects.count() == 1
