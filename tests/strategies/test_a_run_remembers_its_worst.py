"""Drawdown and slippage of a run: from complete marks and from its fills."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk.models import RunExtremes
from risk.services import extremes, watch
from risk.services.extremes import _widen
from strategies.pages import runs
from tests.page_rules import text_of
from tests.strategies import stage
from trading.models import Order, Position

D = Decimal


@pytest.fixture
def now(db):
    with stage.at() as frozen:
        stage.market()
        yield frozen


@given(st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=30))
def test_the_drawdown_is_the_deepest_fall_from_the_best(path):
    row = RunExtremes(highest=D(0), lowest=D(0), drawdown=D(0))
    for value in path:
        _widen(row, D(value))
    best, deepest = 0, 0
    for value in path:
        best = max(best, value)
        deepest = max(deepest, best - value)
    assert (row.highest, row.lowest, row.drawdown) == (max([0, *path]), min([0, *path]), deepest)


def test_the_sweep_notes_it_and_only_what_widens_is_written(now, django_assert_num_queries):
    run = stage.started([stage.account(1)])
    watch.sweep()
    assert not RunExtremes.objects.exists(), "nothing is filled yet"
    stage.filled(run)
    call = stage.option(24150, "CE")
    for price in ("70", "80", "75"):
        now.advance(1)
        stage.tick(call, price)
        watch.sweep()
    short = Position.objects.get(symbol=call.removeprefix("NFO:"))
    entry = short.open_value / 65
    worst = (entry - D("80")) * 65
    row = RunExtremes.objects.get(run=run)
    assert row.lowest <= worst + 1 and row.drawdown == row.highest - row.lowest > 0
    with django_assert_num_queries(1):
        assert extremes.note({run.pk: D(0)}) == 0


def test_a_past_run_shows_its_drawdown_and_slippage(now, client):
    run = stage.started([stage.account(1)])
    stage.filled(run)
    # A short sold 0.50 cheaper than it was decided at: 0.50 × 65 lost.
    order = Order.objects.filter(action="SELL").first()
    Order.objects.filter(pk=order.pk).update(filled_value=order.filled_value - D("32.50"))
    RunExtremes.objects.create(run=run, highest=D(500), lowest=D(-200), drawdown=D(700))
    Position.objects.update(realised=D(-100), units=0)
    type(run).objects.filter(pk=run.pk).update(state="CLOSED", exit_reason="MANUAL")
    (row,) = runs.runs_page()["past"]
    assert (row.drawdown, row.slippage) == (D(900), D("-32.50")), "500 at best, −400 at the end"
    client.force_login(stage.alice())
    assert "−₹32.50" in text_of(client.get("/runs")) and "₹900.00" in text_of(client.get(f"/runs/{run.pk}"))
