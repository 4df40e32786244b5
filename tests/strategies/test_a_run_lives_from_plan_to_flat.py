"""The whole life of a run against simulated servers, through the real gateway, gate, senders, guards and exits."""

from __future__ import annotations

from decimal import Decimal

import pytest

from accounts.models import Account
from algomirror.kernel import clock
from marketdata import rest
from marketdata import selectors as market
from risk.models import GuardState, RiskEvent
from risk.services.kill import kill
from strategies.models import Version
from strategies.services import preview, start
from tests.strategies import stage
from tests.strategies.living import a_far_side, is_, live
from tests.trading.far_side import FarSide
from trading.models import ExitGoal, Run
from trading.services import work

pytestmark = pytest.mark.django_db


@pytest.fixture
def far(db):
    with a_far_side() as side:
        yield side


def begin(far: FarSide, **limits) -> Run:
    accounts = list(Account.objects.order_by("id"))
    version: Version = stage.saved(accounts, **{"max_loss": Decimal(5000), "max_profit": Decimal(50_000), **limits})
    plan = preview.preview(version, accounts, user=stage.alice())
    return start.start(plan.key, digest=plan.digest, idempotency_key="k", by="user:alice")


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
