"""Payoff, breakevens, bounds, probability and greeks against figures anyone can check by hand."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strategies.domain import black76
from strategies.domain.payoff import PayoffLeg, WhatIf, payoff, silhouette
from strategies.domain.templates import BUILT_IN, shape_of
from strategies.domain.tickets import TicketLeg
from strategies.pages import payoffs
from strategies.services.resolving import resolve
from tests.strategies import stage

YEARS = 7 / 365


def leg(kind, strike, units, price, years=YEARS, vol=0.14):
    return PayoffLeg(kind, float(strike), units, float(price), years, 0.0 if kind == "FUT" else vol)


def straddle(units=-65):
    return [leg("CE", 24000, units, 150), leg("PE", 24000, units, 150)]


def test_a_short_straddle_by_hand():
    shape = payoff(straddle(), 24000.0, WhatIf())
    assert shape.max_profit == pytest.approx(65 * 300) and shape.max_loss is None
    assert shape.breakevens == pytest.approx((23700.0, 24300.0), abs=0.5)
    assert shape.pop is not None and 0.4 < shape.pop < 0.8


def test_a_condor_is_bounded_on_both_sides():
    legs = [leg("CE", 24200, -65, 50), leg("CE", 24400, 65, 15), leg("PE", 23800, -65, 50), leg("PE", 23600, 65, 15)]
    shape = payoff(legs, 24000.0, WhatIf())
    assert shape.max_profit == pytest.approx(65 * 70) and shape.max_loss == pytest.approx(65 * (70 - 200))
    assert shape.breakevens == pytest.approx((23730.0, 24270.0), abs=0.5)


def test_a_future_with_a_put_has_no_upper_bound():
    shape = payoff([leg("FUT", 0, 65, 24000), leg("PE", 23800, 65, 60)], 24000.0, WhatIf())
    assert shape.max_profit is None and shape.max_loss == pytest.approx(65 * -260)
    assert shape.net.delta == pytest.approx(65 * (1 + black76.greeks(False, 24000, 23800, YEARS, 0.14).delta))


def test_realised_rupees_lift_the_whole_curve():
    plain, lifted = (payoff(straddle(), 24000.0, WhatIf(), realised=r) for r in (0.0, 1000.0))
    assert lifted.expiry[0] - plain.expiry[0] == pytest.approx(1000) and lifted.value_now - plain.value_now == pytest.approx(1000)


def test_time_is_on_the_side_of_the_seller_and_volatility_is_not():
    now, later = payoff(straddle(), 24000.0, WhatIf()), payoff(straddle(), 24000.0, WhatIf(days=3))
    shaken = payoff(straddle(), 24000.0, WhatIf(vol_shift=0.05))
    assert later.value_now > now.value_now > shaken.value_now
    assert now.net.theta > 0 > now.net.vega
    assert payoff(straddle(), 24000.0, WhatIf(days=7)).value_now == pytest.approx(65 * 300)


def test_a_moved_index_moves_the_present():
    moved = payoff(straddle(), 24000.0, WhatIf(spot=24500.0))
    assert moved.spot == 24500.0 and moved.value_now < payoff(straddle(), 24000.0, WhatIf()).value_now


@given(
    legs=st.lists(
        st.tuples(st.sampled_from(["CE", "PE"]), st.integers(470, 490), st.integers(-3, 3).filter(bool)), min_size=1, max_size=4
    )
)
def test_the_curve_stays_within_its_bounds(legs):
    made = [leg(kind, strike * 50, units, 100) for kind, strike, units in legs]
    shape = payoff(made, 24000.0, WhatIf())
    assert shape.max_profit is None or max(shape.expiry) <= shape.max_profit + 1e-6
    assert shape.max_loss is None or min(shape.expiry) >= shape.max_loss - 1e-6
    assert shape.pop is None or -1e-9 <= shape.pop <= 1 + 1e-9


@pytest.mark.parametrize("template", BUILT_IN, ids=lambda t: t.slug)
def test_every_template_has_a_silhouette(template):
    strokes, zero = silhouette(shape_of(template.legs))
    assert strokes and 0 <= zero <= 72
    assert {stroke.is_gain for stroke in strokes} == {True, False}


def test_a_breakeven_outside_of_what_is_drawn_counts():
    """Three calls and one put sold at 26,000 for 100 each: 400 below, 400 / 3 above."""
    legs = [leg("CE", 26000, -195, 100, 2 / 365, 0.1), leg("PE", 26000, -65, 100, 2 / 365, 0.1)]
    found = payoff(legs, 26000.0, WhatIf())
    assert found.spots[0] > 25600 and [round(level, 2) for level in found.breakevens] == [25600.0, 26133.33]
    assert found.pop is not None and 0.70 < found.pop < 0.80, "below 26,133 is 0.69 of a deviation, 25,600 two of them"
    strokes, _ = silhouette(found)
    assert [stroke.is_gain for stroke in strokes] == [True, False], "the picture ends where the curve is drawn to"


@pytest.mark.parametrize("units", [65, -65])
@pytest.mark.parametrize("price", [23900, 24000, 24000.1])
def test_a_breakeven_on_a_level_that_is_drawn_turns_the_colour_once(units, price):
    """A future bought at the index's own level gains above it."""
    strokes, _ = silhouette(payoff([leg("FUT", 0, units, price)], 24000.0, WhatIf()))
    assert [stroke.is_gain for stroke in strokes] == [units < 0, units > 0]


def test_a_curve_that_touches_zero_keeps_its_colour():
    """Sold for what the straddle's top is worth: never above zero, at zero where both expire."""
    found = payoff([leg("CE", 24000, -65, 0), leg("PE", 24000, -65, 0)], 24000.0, WhatIf())
    strokes, _ = silhouette(found)
    assert [stroke.is_gain for stroke in strokes] == [False]
    above, _ = silhouette(payoff([leg("CE", 24000, 65, 0), leg("PE", 24000, 65, 0)], 24000.0, WhatIf()))
    assert [stroke.is_gain for stroke in above] == [True]


@given(st.lists(st.tuples(st.sampled_from(["CE", "PE", "FUT"]), st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=4))
def test_every_stroke_has_the_colour_of_its_curve(some):
    """Strikes, prices and the index on the same few levels, so that breakevens fall on them."""
    legs = [leg(kind, 24000 + 100 * n, 65 * (units or 1), 24000 if kind == "FUT" else 100) for kind, n, units in some]
    found = payoff(legs, 24000.0, WhatIf())
    strokes, zero = silhouette(found)
    low, high = min(0.0, *found.expiry), max(0.0, *found.expiry)
    exact = 4 + high / ((high - low) or 1.0) * 64
    assert round(exact) == zero
    for stroke in strokes:
        heights = [float(point.split(",")[1]) for point in stroke.points.split()]
        assert all(height <= exact + 0.06 if stroke.is_gain else height >= exact - 0.06 for height in heights)
    assert all(a.is_gain != b.is_gain for a, b in itertools.pairwise(strokes))


@pytest.mark.django_db
def test_a_draft_at_present_prices_has_a_curve():
    with stage.at():
        stage.market()
        (curve,) = payoffs.of_resolved(resolve(stage.condor()), WhatIf())
    assert curve.max_loss is not None and curve.max_profit is not None
    drawn = json.loads(curve.data)
    assert len(drawn["x"]) == len(drawn["expiry"]) == len(drawn["now"]) and drawn["spot"] == 24025


@pytest.mark.django_db
def test_without_a_price_there_is_no_curve():
    with stage.at() as frozen:
        stage.market()
        frozen.advance(60)
        stage.tick("NSE_INDEX:NIFTY", stage.SPOT)
        assert payoffs.of_resolved(resolve(stage.condor(), ask=False), WhatIf()) == []


@pytest.mark.django_db
def test_a_live_run_is_drawn_from_its_own_fills():
    with stage.at():
        stage.market()
        run = stage.started([stage.account(1), stage.account(2)])
        assert payoffs.of_run(run, WhatIf()) == []
        stage.filled(run)
        (curve,) = payoffs.of_run(run, WhatIf())
    assert curve.underlying == "NIFTY" and curve.max_profit is not None
    assert curve.max_profit > 0 > (curve.max_loss or 0) and curve.spot == Decimal("24025.00")


@pytest.mark.django_db
def test_several_underlyings_have_a_curve_each_and_no_level_in_common():
    with stage.at():
        stage.market()
        stage.second_index()
        legs = [*stage.condor(), replace(stage.leg(5, "BUY", "ATM", "CE"), underlying="SENSEX")]
        curves = payoffs.of_resolved(resolve(legs), WhatIf(spot=99999.0))
        assert [(curve.underlying, curve.spot) for curve in curves] == [
            ("NIFTY", Decimal("24025.00")),
            ("SENSEX", Decimal("80000.00")),
        ]
        assert curves[1].max_loss == Decimal("-6000.00") and curves[1].max_profit is None
        run = stage.started([stage.account(1)], legs=legs)
        stage.filled(run)
        assert [curve.underlying for curve in payoffs.of_run(run, WhatIf())] == ["NIFTY", "SENSEX"]


def chosen(strike, kind, action, lots=1):
    return TicketLeg("NFO", stage.option(strike, kind).split(":")[1], action, lots)


@pytest.mark.django_db
def test_a_basket_is_drawn_as_entered_now():
    with stage.at() as frozen:
        stage.market()
        short, long = chosen(24050, "CE", "SELL", lots=2), chosen(24150, "CE", "BUY", lots=2)
        (curve,) = payoffs.of_basket([short, long])
        assert curve.max_profit == (95 - 75) * 130 and curve.max_loss == (95 - 75 - 100) * 130
        assert abs(curve.value_now) < Decimal("0.01"), "what is entered now has made nothing yet"
        assert payoffs.of_basket([short, TicketLeg("NFO", "NIFTY24NOV26OLD", "BUY", 1)]) == []
        frozen.advance(60)
        assert payoffs.of_basket([short]) == [], "an old price draws nothing"


@pytest.mark.django_db
def test_the_tray_asks_for_it_and_is_told_why_there_is_none(client):
    with stage.at() as frozen:
        stage.market()
        client.force_login(stage.alice())
        legs = [{"exchange": "NFO", "symbol": stage.option(24050, "CE").split(":")[1], "side": "SELL", "lots": 1}]
        answer = client.post("/strategies/basket/payoff", {"legs": json.dumps(legs)}).content.decode()
        assert "data-payoff=" in answer and "unlimited" in answer
        for nonsense in ("", "[]", "{}", '[{"symbol": 1}]'):
            assert client.post("/strategies/basket/payoff", {"legs": nonsense}).status_code == 422
        frozen.advance(60)
        assert "no fresh price" in client.post("/strategies/basket/payoff", {"legs": json.dumps(legs)}).content.decode()
