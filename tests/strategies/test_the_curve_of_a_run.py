"""P&L over time from fills and minutes: what is drawn is what the fold says, and a hole stays a hole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from algomirror.kernel import clock
from risk.models import RunLimits
from strategies.domain.curve import MOST_POINTS, Close, CurveFill, curve, instants
from tests import cast

NINE = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
LINE = (1, "X", "NRML")


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def sell(when: float, price: int, *, units: int = 10, action: str = "SELL") -> CurveFill:
    return CurveFill(at(when), LINE, "NFO:X", action, units, Decimal(price * units))  # type: ignore[arg-type]


def closes(**prices: int) -> dict[str, list[Close]]:
    return {"NFO:X": [Close(at(int(minute[1:])), Decimal(price)) for minute, price in prices.items()]}


def test_a_short_gains_as_the_price_falls_and_keeps_what_it_realised() -> None:
    fills = [sell(0, 100), sell(2.5, 90, action="BUY")]
    points = curve(fills, closes(m1=98, m2=95, m3=200), [at(1), at(2), at(3)])
    assert [value for _, value in points] == [Decimal(20), Decimal(50), Decimal(100)]


@pytest.mark.parametrize(("minute", "known"), [(4, True), (4.1, False)])
def test_a_price_older_than_three_minutes_marks_nothing(minute: float, known: bool) -> None:
    (point,) = curve([sell(0, 100)], closes(m1=98), [at(minute)])
    assert (point[1] is not None) is known


def test_before_the_first_close_there_is_a_hole_and_not_zero() -> None:
    assert curve([sell(0, 100)], closes(m1=98), [at(0.5)]) == [(at(0.5), None)]


def test_long_runs_are_thinned_and_keep_both_ends() -> None:
    ends = [at(n) for n in range(1, 5000)]
    found = instants(ends, start=at(0), end=at(5000))
    assert len(found) <= MOST_POINTS + 2
    assert (found[0], found[-2], found[-1]) == (at(0), at(4999), at(5000))
    assert instants([], start=at(1), end=at(1)) == [at(1)]


@pytest.fixture
def now(db: None) -> Iterator[clock.FrozenClock]:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        yield frozen


def test_the_chart_of_an_open_run_ends_with_the_present_pnl_and_shows_its_limits(now: clock.FrozenClock) -> None:
    run = cast.run()
    RunLimits.objects.create(run=run, max_loss=Decimal(5000), max_profit=Decimal(2000))
    cast.position(cast.book(cast.account(), run), price="104.00")
    start = clock.now()
    cast.minute(f"NFO:{cast.CALL}", start, "102.00")
    now.advance(90)
    cast.quote(f"NFO:{cast.CALL}", "100.00")
    chart = cast.signed_in(cast.bob()).get(f"/runs/{run.pk}/pnl.json").json()
    assert chart["pnl"] == [None, "130.00", "260.00"]
    assert chart["t"][-1] == int(clock.now().timestamp())
    assert {line["label"] for line in chart["lines"]} <= {"Max loss", "Max profit"}
    assert chart["marks"][0]["label"] == "First fill"


def test_the_chart_of_a_run_that_ended_ends_flat_with_what_was_realised(now: clock.FrozenClock) -> None:
    run = cast.run()
    RunLimits.objects.create(run=run, max_loss=Decimal(5000))
    book = cast.book(cast.account(), run)
    cast.position(book, price="104.00")
    now.advance(30)
    cast.fill(cast.order(book, action="BUY", purpose="EXIT"), price="100.00")
    type(run).objects.filter(pk=run.pk).update(state="CLOSED", flat_at=clock.now())
    now.advance(3600)
    chart = cast.signed_in(cast.bob()).get(f"/runs/{run.pk}/pnl.json").json()
    assert chart["pnl"] == [None, "260.00"]
    assert chart["lines"] == [{"label": "Max loss", "value": "-5000.00", "kind": "loss"}]
    assert chart["marks"][-1]["label"] == "Flat"


def test_a_run_without_fills_has_an_empty_chart_and_an_unknown_run_none(now: clock.FrozenClock) -> None:
    client = cast.signed_in(cast.bob())
    assert client.get(f"/runs/{cast.run().pk}/pnl.json").json()["t"] == []
    assert client.get("/runs/99999/pnl.json").status_code == 404
