"""The whole life of a run against simulated servers, through the real gateway, gate, senders, guards and exits."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal

import pytest

from accounts.crypto import seal
from accounts.models import Account
from algomirror.kernel import clock
from marketdata import rest
from marketdata import selectors as market
from marketdata.instruments import import_instruments
from marketdata.reference.load import load
from risk.models import GuardState, RiskEvent
from risk.services import watch
from risk.services.kill import kill
from simulator.clock import SimClock
from simulator.world import World
from strategies.models import Version
from strategies.services import preview, settle, start
from tests.strategies import stage
from tests.trading.far_side import FarSide
from trading import selectors
from trading.models import ExitGoal, Order, Run
from trading.services import work

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(db):
    with ExitStack() as stack:
        frozen = stack.enter_context(stage.at())
        world = World(accounts=2, clock=SimClock(stage.NOW, frozen=True), always_open=True)
        side = FarSide(world, frozen)
        load(actor="test")
        accounts = [
            stage.account(n, sealed_key=seal(world.accounts[n - 1].api_key), host_url=f"http://sim{n}.test") for n in (1, 2)
        ]
        stack.enter_context(side.behind_the_door({account.pk: n for n, account in enumerate(accounts, start=1)}))
        outcome = import_instruments(accounts[0].pk, actor="test")
        assert outcome.complete, outcome
        yield side
        assert side.broken == []


def live(far: FarSide, seconds: float, until=lambda: False) -> None:
    """What the clusters do, one account after another, on a clock that the test moves."""
    for _ in range(int(seconds / 0.25)):
        if until():
            return
        far.advance(0.25)
        far.world.tick()
        rest.refresh(selectors.open_symbols())
        watch.sweep()
        for account in Account.objects.all():
            work.step(account.pk)
        settle.sweep()
    assert until(), {o.client_order_id: (o.state, o.reason) for o in Order.objects.all()}


def begin(far: FarSide, **limits) -> Run:
    accounts = list(Account.objects.order_by("id"))
    version: Version = stage.saved(accounts, **{"max_loss": Decimal(5000), "max_profit": Decimal(50_000), **limits})
    plan = preview.preview(version, accounts, user=stage.alice())
    return start.start(plan.key, digest=plan.digest, idempotency_key="k", by="user:alice")


def is_(run: Run, state: str):
    return lambda: Run.objects.get(pk=run.pk).state == state


def test_it_enters_hedges_first_and_the_max_loss_brings_every_account_to_flat(far):
    run = begin(far)
    live(far, 30, until=is_(run, "OPEN"))
    first_sent = [s.body["action"] for s in far.sent]
    assert first_sent[:2] == ["BUY", "BUY"] and len(far.sent) == 8
    assert all(p.units for b in run.books.all() for p in b.positions.all())
    live(far, 2, until=lambda: GuardState.objects.filter(run=run, state="ARMED").exclude(rule="EXPIRY").count() == 2)

    short = run.books.first().positions.get(leg=1)
    average = float(short.open_value / abs(short.units))
    far.world.set_price(short.exchange, short.symbol, average + 120)
    live(far, 60, until=is_(run, "CLOSED"))

    run.refresh_from_db()
    event = RiskEvent.objects.get()
    assert (event.kind, run.exit_reason) == ("MAX_LOSS", "MAX_LOSS") and event.value <= Decimal(-5000)
    assert set(run.books.values_list("state", flat=True)) == {"FLAT"}
    assert all(p.units == 0 for b in run.books.all() for p in b.positions.all())
    assert ExitGoal.objects.exclude(state="DONE").count() == 0
    for account in Account.objects.all():
        assert all(not any(position.quantity for position in broker.positions.values()) for broker in far.brokers(account.pk))


def test_the_same_strategy_protects_itself_again_the_next_time(far):
    first = begin(far)
    live(far, 30, until=is_(first, "OPEN"))
    kill(scope="run", target=first.pk, level="FLATTEN", by="user:alice")
    live(far, 60, until=is_(first, "CLOSED"))
    first.refresh_from_db()
    assert first.exit_reason == "KILL_SWITCH"
    accounts = list(Account.objects.order_by("id"))
    for account in accounts:
        work.step(account.pk)
    rest.refresh(market.index_keys().values())
    plan = preview.preview(Version.objects.get(), accounts, user=stage.alice())
    second = start.start(plan.key, digest=plan.digest, idempotency_key="k2", by="user:alice")
    live(far, 30, until=is_(second, "OPEN"))
    live(far, 2, until=lambda: GuardState.objects.filter(run=second, state="ARMED").exclude(rule="EXPIRY").count() == 2)
    assert clock.now() > stage.NOW
