"""Strikes by price: premium, delta and straddle share, from one snapshot of the chain, within tolerance or not at all."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel.errors import Refused
from marketdata.domain.quotes import Quote, Source
from strategies.domain.black76 import implied_vol, price
from strategies.domain.strikes import nearest_delta, nearest_premium, straddle_premium

D = Decimal
AT = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
SPOT = D(24000)


def quote(mid, *, half="0.05", bid=None, ask=None):
    mid = D(str(mid))
    return Quote(
        "k", mid, AT, Source.STREAM, bid=mid - D(half) if bid is None else bid, ask=mid + D(half) if ask is None else ask
    )


def chain(**mids):
    return {D(name[1:]): quote(mid) for name, mid in mids.items()}


def test_the_nearest_mid_wins():
    assert nearest_premium(chain(k24100=52, k24200=21, k24300=9), D(20), 20, SPOT) == D(24200)


def test_a_tie_takes_the_mid_below_then_the_strike_farther_from_spot():
    assert nearest_premium(chain(k24100=21, k24200=19), D(20), 20, SPOT) == D(24200)
    assert nearest_premium(chain(k24100=19, k24200=19), D(20), 20, SPOT) == D(24200)


@pytest.mark.parametrize(("mid", "found"), [("24", True), ("24.05", False), ("16", True), ("15.95", False)])
def test_twenty_percent_is_the_edge(mid, found):
    if found:
        assert nearest_premium(chain(k24100=mid), D(20), 20, SPOT) == D(24100)
    else:
        with pytest.raises(Refused):
            nearest_premium(chain(k24100=mid), D(20), 20, SPOT)


def test_the_tolerance_is_never_below_a_rupee():
    assert nearest_premium(chain(k24100=3), D(2), 1, SPOT) == D(24100)
    with pytest.raises(Refused):
        nearest_premium(chain(k24100="3.05"), D(2), 1, SPOT)


def test_one_sided_and_wide_rows_are_no_prices():
    rows = {D(24100): quote(20, bid=D(0)), D(24200): quote(20, half="1.05"), D(24300): quote(22)}
    assert nearest_premium(rows, D(20), 20, SPOT) == D(24300)
    with pytest.raises(Refused):
        nearest_premium({D(24100): quote(20, bid=D(0))}, D(20), 20, SPOT)
    with pytest.raises(Refused):
        nearest_premium({}, D(20), 20, SPOT)


@given(
    mids=st.dictionaries(st.integers(400, 560).map(lambda n: D(n * 50)), st.integers(1, 500), min_size=1, max_size=30),
    target=st.integers(1, 500),
)
def test_the_answer_does_not_depend_on_the_order_of_the_chain(mids, target):
    rows = {strike: quote(mid) for strike, mid in mids.items()}
    turned = dict(reversed(rows.items()))

    def ask(of):
        try:
            return nearest_premium(of, D(target), 50, SPOT)
        except Refused:
            return None

    found = ask(rows)
    assert found == ask(turned)
    if found is not None:
        assert all(abs(mids[found] - target) <= abs(mid - target) for mid in mids.values())


def priced(kind, years=7 / 365, vol=0.14):
    strikes = range(23500, 24501, 50)
    return {D(k): quote(round(price(kind == "CE", 24000.0, float(k), years, vol), 2)) for k in strikes}


def test_a_delta_is_found_on_the_forward_of_the_straddle():
    calls, puts = priced("CE"), priced("PE")
    assert nearest_delta("CE", calls, puts, atm=SPOT, target=D("0.50"), years=7 / 365) == SPOT
    far_call = nearest_delta("CE", calls, puts, atm=SPOT, target=D("0.25"), years=7 / 365)
    far_put = nearest_delta("PE", calls, puts, atm=SPOT, target=D("0.25"), years=7 / 365)
    assert far_call > SPOT > far_put


def test_a_delta_far_from_every_strike_is_refused():
    near = {strike: row for strike, row in priced("CE").items() if abs(strike - SPOT) <= 50}
    with pytest.raises(Refused):
        nearest_delta("CE", near, priced("PE"), atm=SPOT, target=D("0.05"), years=7 / 365)
    with pytest.raises(Refused):
        nearest_delta("CE", near, {}, atm=SPOT, target=D("0.50"), years=7 / 365)


def test_the_straddle_is_both_mids_at_the_money():
    assert straddle_premium({SPOT: quote(100)}, {SPOT: quote(90)}, SPOT) == D(190)
    with pytest.raises(Refused):
        straddle_premium({SPOT: quote(100)}, {}, SPOT)


@given(vol=st.floats(0.05, 1.5), strike=st.integers(23000, 25000))
def test_the_implied_volatility_gives_the_price_back(vol, strike):
    premium = price(True, 24000.0, float(strike), 30 / 365, vol)
    found = implied_vol(True, premium, 24000.0, float(strike), 30 / 365)
    if premium > 0.05 and premium > max(24000.0 - strike, 0) + 0.05:
        assert found is not None and abs(price(True, 24000.0, float(strike), 30 / 365, found) - premium) < 0.01
