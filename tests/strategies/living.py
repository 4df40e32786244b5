"""Runs against simulated servers on a clock the test moves: what the clusters do, one account after another."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from accounts.crypto import seal
from accounts.models import Account
from algomirror.kernel import clock
from marketdata import rest
from marketdata import selectors as market
from marketdata.instruments import import_instruments
from marketdata.reference.load import load
from risk.services import watch
from simulator.clock import SimClock
from simulator.world import World
from strategies.services import schedules, settle
from tests.strategies import stage
from tests.trading.far_side import FarSide
from trading import selectors
from trading.models import Order, Run
from trading.services import expire, work


@contextmanager
def a_far_side(accounts: int = 2) -> Iterator[FarSide]:
    with ExitStack() as stack:
        frozen = stack.enter_context(stage.at())
        world = World(accounts=accounts, clock=SimClock(stage.NOW, frozen=True), always_open=True)
        side = FarSide(world, frozen)
        load(actor="test")
        rows = [
            stage.account(n, sealed_key=seal(world.accounts[n - 1].api_key), host_url=f"http://sim{n}.test")
            for n in range(1, accounts + 1)
        ]
        stack.enter_context(side.behind_the_door({account.pk: n for n, account in enumerate(rows, start=1)}))
        outcome = import_instruments(rows[0].pk, actor="test")
        assert outcome.complete, outcome
        yield side
        assert side.broken == []


def live(far: FarSide, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
    for _ in range(int(seconds / 0.25)):
        if until():
            return
        far.advance(0.25)
        far.world.tick()
        rest.refresh({*selectors.open_symbols(), *market.index_keys().values()})
        schedules.sweep()
        watch.sweep()
        for account in Account.objects.all():
            work.step(account.pk)
        settle.sweep()
        expire.settle()
    assert until(), {o.client_order_id: (o.state, o.reason) for o in Order.objects.all()}


def jump(far: FarSide, to: datetime) -> None:
    """Nobody was there in between: neither we nor a tick."""
    far.advance((to - clock.now()).total_seconds())
    far.world.tick()


def is_(run: Run, state: str) -> Callable[[], bool]:
    return lambda: Run.objects.get(pk=run.pk).state == state
