"""Seeded days of one run under faults: what must fire fires once with the right number, and nothing else does."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

import pytest
from django.db import connection, transaction
from django.db.models import F

from accounts.gateway.directory import far_side
from accounts.gateway.reports import Failed
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied
from algomirror.ops import queue
from marketdata import quotes as store
from marketdata.domain.quotes import Quote, Source
from risk import selectors
from risk.domain.terms import RiskTerms, Trail
from risk.models import GuardState, RiskEvent
from risk.services import fastguard, gate, sweep, watch
from risk.services.kill import kill
from tests.patience import PATIENCE_S
from tests.risk import desk
from tests.strategies import stage
from trading.models import Book, ExitGoal, Position

pytestmark = pytest.mark.django_db
D = Decimal
LOSS, TRAIL, PROFIT = D(4000), D(3000), D(6000)


@pytest.fixture(autouse=True)
def frozen(db):
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


@dataclass
class Oracle:
    """What a person with the tape would say: trip at the first complete mark at or past a level, and never otherwise."""

    peak: Decimal = field(default_factory=Decimal)
    tripped: set[str] = field(default_factory=set)

    def sees(self, pnl: Decimal) -> None:
        self.peak = max(self.peak, pnl)
        if pnl <= -LOSS:
            self.tripped.add("MAX_LOSS")
        if pnl >= PROFIT:
            self.tripped.add("MAX_PROFIT")
        if pnl <= self.peak - TRAIL:
            self.tripped.add("TRAILING_STOP")


def a_day(seed: int, moving) -> None:
    rng = random.Random(seed)
    run = desk.a_run(
        [stage.account(1)] if seed == 0 or not Book.objects.exists() else [Book.objects.first().account],
        RiskTerms(trail=Trail("AMOUNT", TRAIL)),
        max_loss=LOSS,
        max_profit=PROFIT,
        name=f"Day {seed}",
    )
    guard = fastguard.FastGuard()
    oracle, prices = Oracle(), {"call": D(100), "put": D(80)}
    keys = {"call": desk.CALL, "put": desk.PUT}
    received = dict.fromkeys(prices, clock.now())
    for name in prices:
        put(keys[name], prices[name])
    watch.sweep()
    guard.reload()
    for _ in range(rng.randint(10, 30)):
        moving.advance(rng.choice([0.2, 0.5, 1.0, 1.0, 3.0, 6.0]))
        fault = rng.choice(["none"] * 6 + ["mute", "frozen", "zero", "down", "gap"])
        for name in prices:
            if fault in ("frozen", "down") or (fault == "mute" and name == "put"):
                continue
            if fault == "zero":
                store.put([Quote(keys[name], D(0), clock.now(), Source.STREAM)])
                continue
            step = rng.choice([-20, -8, -3, 0, 3, 8, 20]) * (3 if fault == "gap" else 1)
            prices[name] = max(prices[name] + D(step), D("0.05"))
            put(keys[name], prices[name])
            received[name] = clock.now()
        fresh = all((clock.now() - at).total_seconds() <= 5 for at in received.values())
        if fresh and not oracle.tripped:
            oracle.sees(65 * (D(180) - prices["call"] - prices["put"]))
        look(rng, guard, run)
        expect(run, oracle, seed)
    flat(run)


def put(key: str, price: Decimal) -> None:
    store.put([Quote(key, price, clock.now(), Source.STREAM)])


def look(rng: random.Random, guard: fastguard.FastGuard, run) -> None:
    """Ticks first or the sweep first, sometimes after a restart of the process that looks at ticks."""
    if rng.random() < 0.1:
        guard.keep(clock.now())
        guard.__init__()
        guard.reload()
    order = ["tick", "sweep"] if rng.random() < 0.5 else ["sweep", "tick"]
    for who in order:
        if who == "sweep":
            queue.client().delete(watch.REFRESHING)
            watch.sweep()
        else:
            for run_id in guard.see(store.get([desk.CALL, desk.PUT]), clock.now()):
                guard.commit(run_id, clock.now())


def expect(run, oracle: Oracle, seed: int) -> None:
    kinds = list(RiskEvent.objects.filter(run=run, guard__isnull=False).order_by("id").values_list("kind", flat=True))
    assert len(kinds) == len(set(kinds)), (seed, "one event a guard")
    if not oracle.tripped:
        assert kinds == [], (seed, "no false exit")
        assert not ExitGoal.objects.filter(book__run=run).exists(), seed
        return
    assert oracle.tripped <= set(kinds), (seed, "no missed exit", oracle, kinds)
    assert ExitGoal.objects.filter(book__run=run).count() == 1, seed


def flat(run) -> None:
    """The day is over: the next seed has the account to itself."""
    for book in run.books.all():
        stage.flat(book)
    Book.objects.filter(run=run).update(state="FLAT", flat_at=clock.now())
    ExitGoal.objects.filter(book__run=run).update(state="DONE", done_at=clock.now())
    type(run).objects.filter(pk=run.pk).update(state="CLOSED")


def days(seeds: range, moving) -> None:
    for seed in seeds:
        a_day(seed, moving)
        moving.set(stage.NOW)
        desk.at_entry_now()


@pytest.mark.parametrize("part", range(3))
def test_sixty_seeded_days(part, frozen):
    days(range(part * 20, part * 20 + 20), frozen)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_thousand_seeded_days(frozen):
    days(range(1000, 2000), frozen)


def test_a_restart_in_the_middle_of_an_exit_asks_nothing_twice():
    run = desk.a_run(desk.accounts(2))
    desk.price(call=150)
    watch.sweep()
    ExitGoal.objects.update(state="WORKING")
    fresh = fastguard.FastGuard()
    fresh.reload()
    assert fresh.see(store.get([desk.CALL]), clock.now()) == []
    watch.sweep()
    assert RiskEvent.objects.count() == 1 and ExitGoal.objects.count() == run.books.count()


def test_a_crash_between_the_event_and_its_goal_is_impossible_and_a_lost_goal_is_asked_again(monkeypatch):
    run = desk.a_run(desk.accounts(2))
    desk.price(call=150)

    def dies(*args, **kwargs):
        raise RuntimeError("killed here")

    monkeypatch.setattr(sweep, "ask_to_leave", dies)
    watch.sweep()
    assert not RiskEvent.objects.exists() and GuardState.objects.get(run=run, rule="MAX_LOSS").state == "WAITING", (
        "arming, event and goals are one"
    )
    monkeypatch.undo()
    watch.sweep()
    assert RiskEvent.objects.count() == 1 and ExitGoal.objects.count() == 2


def test_one_failing_guard_does_not_silence_the_next(monkeypatch):
    from risk.domain import judges
    from risk.domain.snapshot import Rule

    desk.a_run(desk.accounts(1), RiskTerms(trail=Trail("AMOUNT", D(1000))), max_loss=D(2000))

    def broken(*args):
        raise ArithmeticError("a broken rule")

    monkeypatch.setitem(judges.JUDGES, Rule.TRAILING_STOP, broken)  # type: ignore[arg-type]
    desk.price(call=150)
    run = selectors.open_runs()[0]
    sweep.evaluate_run(run.run_id, quotes=store.get(run.open_keys), now=clock.now(), seen_by="sweep")
    assert [e.kind for e in RiskEvent.objects.all()] == ["MAX_LOSS"]


def test_the_kill_switch_after_an_entry_and_a_stop_after_it_agree():
    run = desk.a_run(desk.accounts(2))
    kill(scope="platform", target=None, level="FLATTEN", by="user:alice", reason="drill")
    assert ExitGoal.objects.count() == 2
    desk.price(call=150)
    watch.sweep()
    assert ExitGoal.objects.count() == 2 and {g.reason for g in ExitGoal.objects.all()} == {"KILL_SWITCH"}
    assert [e.kind for e in RiskEvent.objects.filter(run=run)] == ["MAX_LOSS"]


def test_the_kill_switch_during_an_entry_leaves_nothing_that_could_still_open():
    """One leg has filled, one works at the broker, two wait for their hedge: unsent ones are denied, the rest gets a goal."""
    run = stage.started([stage.account(1)])
    book = run.books.get()
    filled, working, *waiting = book.orders.order_by("id")
    type(filled).objects.filter(pk=filled.pk).update(state="FILLED", filled_units=filled.units, filled_value=D(1300))
    side = {"bought_units": filled.units, "bought_value": D(1300)}
    Position.objects.create(
        book=book,
        exchange=filled.exchange,
        symbol=filled.symbol,
        product=filled.product,
        leg=filled.leg,
        units=filled.units,
        open_value=D(1300),
        **side,
    )
    type(working).objects.filter(pk=working.pk).update(state="ACCEPTED", broker_order_id="B-1", sent_at=clock.now())
    done = kill(scope="platform", target=None, level="FLATTEN", by="user:alice", reason="drill")
    book.refresh_from_db()
    goal = ExitGoal.objects.get()
    assert done.goals == [goal.pk] and goal.targets is None and book.state == "EXITING"
    states = dict(book.orders.values_list("pk", "state"))
    assert {states[one.pk] for one in waiting} == {"DENIED"}, "what was never sent never will be"
    assert states[working.pk] in ("ACCEPTED", "PENDING_CANCEL"), "only its books say that it is gone"
    for one in book.orders.exclude(state="FILLED").select_related("book__account"):
        with pytest.raises(Denied):
            gate.recheck(one)
    again = kill(scope="platform", target=None, level="FLATTEN", by="user:alice", reason="drill")
    assert again.goals == [goal.pk] and ExitGoal.objects.count() == 1


class Hanging(desk.Deaf):
    """A server that answers nothing for long; it notes what had been decided when it was asked."""

    decided: ClassVar[list[tuple[int, int]]] = []

    def quotes(self, keys: object) -> Failed:
        self.decided.append((RiskEvent.objects.count(), ExitGoal.objects.count()))
        return super().quotes(keys)


def test_one_hung_server_holds_up_no_stop(frozen):
    """Who has a complete mark leaves before anybody asks a server for the price another run lacks."""
    two = desk.accounts(2)
    blind = desk.a_run(two[:1], owned=desk.CONDOR, name="Blind")
    frozen.advance(6)
    desk.price(call=150, put=80)
    run = desk.a_run(two[1:], name="Sees", max_loss=D(2000))
    Hanging.decided.clear()
    queue.client().delete(watch.REFRESHING)
    with far_side(Hanging):  # type: ignore[arg-type]
        watch.sweep()
    assert Hanging.decided and Hanging.decided[0] == (1, 1), "decided before the server was asked"
    assert RiskEvent.objects.get().run_id == run.pk
    assert not ExitGoal.objects.filter(book__run=blind).exists()


@pytest.mark.django_db(transaction=True)
def test_a_database_that_stands_still_delays_the_exit_and_loses_nothing():
    run = desk.a_run(desk.accounts(1), max_loss=D(2000))
    watch.sweep()
    desk.price(call=150)
    held, seen = threading.Event(), []

    def somebody_writes() -> None:
        with transaction.atomic():
            Book.objects.update(version=F("version") + 1)
            held.set()
            time.sleep(0.7)
            seen.append(RiskEvent.objects.count())
        connection.close()

    other = threading.Thread(target=somebody_writes)
    other.start()
    assert held.wait(PATIENCE_S)
    guard = fastguard.FastGuard()
    guard.reload()
    for run_id in guard.see(store.get([desk.CALL, desk.PUT]), clock.now()):
        guard.commit(run_id, clock.now())
    other.join()
    assert seen == [0], "nothing was decided halfway"
    assert [e.kind for e in RiskEvent.objects.filter(run=run)] == ["MAX_LOSS"] and ExitGoal.objects.count() == 1
