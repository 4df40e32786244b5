"""Owner and engine in the same instant: the guard has either decided or is paused, and each is told which."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict
from algomirror.ops.models import Journal
from marketdata import quotes as store
from risk.models import ChargeRate, GuardState, RiskEvent
from risk.services import margins, pausing, sweep, watch
from tests.risk import desk
from tests.risk.test_ten_evaluators_race import race
from tests.strategies import stage
from trading.models import ExitGoal

pytestmark = pytest.mark.django_db(transaction=True)
D = Decimal


@pytest.fixture(autouse=True)
def _now(db: None) -> Any:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def test_a_guard_has_decided_or_is_paused() -> None:
    run = desk.a_run(desk.accounts(1), max_loss=D(1000))
    watch.sweep()
    guard = GuardState.objects.get(rule="MAX_LOSS")
    desk.price(call=140)
    quotes, now = store.get([desk.CALL, desk.PUT]), clock.now()

    def act(n: int) -> str:
        if n % 2:
            return "tripped" if sweep.evaluate_run(run.pk, quotes=quotes, now=now, seen_by="sweep") else "looked"
        try:
            pausing.pause(guard.pk, until=now + timedelta(minutes=n + 1), by=f"user:{n}", why="x")
        except Conflict:
            return "refused"
        return "paused"

    said = race(act)
    guard.refresh_from_db()
    paused = Journal.objects.filter(kind="guard.paused").count()
    assert said.count("paused") == paused and said.count("tripped") == RiskEvent.objects.count() == ExitGoal.objects.count() <= 1
    if guard.state == "TRIPPED":
        assert said.count("tripped") == 1
    else:
        assert paused and guard.paused_until is not None and guard.paused_until > now


def test_every_pause_knows_the_one_it_took_the_place_of() -> None:
    """Ten owners at once: each that is not refused is journaled with what stood there before, in one unbroken row."""
    desk.a_run(desk.accounts(1), max_loss=D(1000))
    watch.sweep()
    guard, now = GuardState.objects.get(rule="MAX_LOSS"), clock.now()

    def act(n: int) -> None:
        with suppress(Conflict):
            pausing.pause(guard.pk, until=now + timedelta(minutes=n + 1), by=f"user:{n}", why="x")

    race(act)
    rows = [row.numbers for row in Journal.objects.filter(kind="guard.paused").order_by("id")]
    assert rows and [row["was_until"] for row in rows] == [None, *(row["until"] for row in rows[:-1])]
    guard.refresh_from_db()
    assert guard.paused_until is not None and guard.paused_until.isoformat() == rows[-1]["until"]


def test_a_rate_put_by_ten_is_one_row_with_an_unbroken_past() -> None:
    ChargeRate.objects.all().delete()
    day = stage.WEEK

    def act(n: int) -> None:
        share = D(n + 1) / 1000
        with suppress(Conflict):
            margins.put_rate(item="STT", exchange="NFO", is_future=False, effective_from=day, share=share, by=f"user:{n}")

    race(act)
    rows = [row.numbers for row in Journal.objects.filter(kind="charges.rate").order_by("id")]
    assert rows and [row.get("was", {}).get("share") for row in rows] == [None, *(row["share"] for row in rows[:-1])]
    assert D(rows[-1]["share"]) == ChargeRate.objects.get().share
