from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from vollib.black.greeks import analytical
from vollib.black.implied_volatility import implied_volatility

from marketdata.domain import chain, greeks, surface
from marketdata.domain.quotes import Quote
from tests.marketdata.cast import quote

D = Decimal


def row_of(interest: dict[int, tuple[int | None, int | None]], **prices: str) -> list[chain.Row]:
    contracts = {
        D(strike): {kind: chain.Listed(f"NFO:{strike}{kind}", f"{strike}{kind}", "NFO", 65) for kind in ("CE", "PE")}
        for strike in interest
    }
    quotes: dict[str, Quote] = {}
    for strike, pair in interest.items():
        for kind, units in zip(("CE", "PE"), pair, strict=True):
            key = f"NFO:{strike}{kind}"
            quotes[key] = quote(key, prices.get(f"{kind}{strike}", "100"), open_interest=units)
    return chain.rows(contracts, quotes, atm=D(100), step=D(10), held=frozenset({"NFO:110PE"}))


def test_rows_carry_tags_bars_and_marks() -> None:
    low, atm, high = row_of({90: (10, 40), 100: (20, 20), 110: (40, 10)})
    assert [(r.call.tag, r.put.tag) for r in (low, atm, high) if r.call and r.put] == [
        ("ITM1", "OTM1"),
        ("ATM", "ATM"),
        ("OTM1", "ITM1"),
    ]
    assert atm.is_atm and not low.is_atm
    assert low.put and low.put.oi_share == 100 and low.call and low.call.oi_share == 25
    assert high.is_held and not low.is_held


def test_put_call_ratio_and_what_is_unknown() -> None:
    assert chain.put_call_ratio(row_of({90: (10, 40), 100: (20, 20)})) == D("2.00")
    assert chain.put_call_ratio(row_of({90: (0, 40)})) is None
    assert chain.put_call_ratio(row_of({90: (None, None)})) is None
    assert chain.put_call_ratio([]) is None


def test_max_pain_is_where_least_is_paid_out() -> None:
    assert chain.max_pain(row_of({90: (100, 0), 100: (100, 100), 110: (0, 100)})) == 100
    assert chain.max_pain(row_of({90: (0, 0), 100: (0, 0)})) is None
    assert chain.max_pain(row_of({90: (None, None), 100: (None, 50)})) == 100


@given(st.dictionaries(st.sampled_from(range(50, 150, 10)), st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1))
def test_max_pain_is_not_beaten_by_any_other_strike(interest: dict[int, tuple[int, int]]) -> None:
    assume(any(sum(pair) for pair in interest.values()))

    def paid(at: int) -> int:
        return sum(c * max(at - k, 0) + p * max(k - at, 0) for k, (c, p) in interest.items())

    found = chain.max_pain(row_of(dict(interest)))
    assert found is not None and paid(int(found)) == min(map(paid, interest))


vols = st.floats(0.05, 1.5)
strikes = st.floats(0.85, 1.15)
years = st.floats(0.002, 1.0)


@given(st.sampled_from(["CE", "PE"]), strikes, years, vols)
def test_implied_volatility_and_greeks_agree_with_an_independent_library(kind, moneyness: float, t: float, vol: float) -> None:  # type: ignore[no-untyped-def]
    forward, strike = 26_000.0, 26_000.0 * moneyness
    is_call, at, flag = np.array([kind == "CE"]), np.array([strike]), "c" if kind == "CE" else "p"
    premium = greeks.price(is_call, forward, at, t, np.array([vol]))
    intrinsic = max(forward - strike, 0.0) if kind == "CE" else max(strike - forward, 0.0)
    assume(premium[0] - intrinsic > 0.05)
    mine = greeks.greeks(is_call, premium, forward, at, t)
    assert mine.iv[0] == pytest.approx(implied_volatility(premium[0], forward, strike, 0.0, t, flag), abs=1e-6)
    for name in ("delta", "gamma", "vega", "theta"):
        oracle = getattr(analytical, name)(flag, forward, strike, t, 0.0, mine.iv[0])
        assert getattr(mine, name)[0] == pytest.approx(oracle, rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize(("premium", "t"), [(0.0, 0.1), (100.0, 0.0), (100.0, -1.0), (5.0, 0.1), (1e9, 0.1), (np.nan, 0.1)])
def test_a_premium_that_no_volatility_gives_has_none(premium: float, t: float) -> None:
    found = greeks.greeks(np.array([True]), np.array([premium]), 26_000.0, np.array([25_000.0]), t)
    assert all(np.isnan(getattr(found, name)[0]) for name in ("iv", "delta", "gamma", "theta", "vega"))


def market(interest: list[list[float]], bid: list[list[float]], ask: list[list[float]]) -> surface.Market:
    rows = [np.array(part, dtype=float) for part in (bid, ask, interest, interest)]
    return surface.Market(np.array([90.0, 100.0, 110.0]), *rows)


def test_one_pass_gives_the_same_cards_as_the_page() -> None:
    interest = {90: (10, 40), 100: (20, 20), 110: (40, 10)}
    plain = row_of(dict(interest))
    nan = float("nan")
    found = surface.surface(market([[10, 20, 40], [40, 20, 10]], [[nan] * 3, [nan] * 3], [[nan] * 3, [nan] * 3]), 0.1)
    assert found.put_call_ratio == float(chain.put_call_ratio(plain) or 0)
    assert found.max_pain == float(chain.max_pain(plain) or 0)
    assert found.volume == 140.0
    assert np.isnan(found.forward) and np.isnan(found.greeks.iv).all()


def test_the_synthetic_forward_comes_from_the_strike_where_both_are_worth_the_same() -> None:
    bid = [[12.0, 4.0, 1.0], [1.0, 3.0, 9.0]]
    found = surface.surface(market([[1, 1, 1], [1, 1, 1]], bid, [[b + 0.5 for b in row] for row in bid]), 0.1)
    assert found.forward == 101.0
    crossed = surface.surface(market([[1, 1, 1], [1, 1, 1]], bid, [[b - 0.5 for b in row] for row in bid]), 0.1)
    assert np.isnan(crossed.forward), "a crossed book is no quote"


def test_a_chain_without_a_single_known_figure_is_unknown_and_not_zero() -> None:
    nothing = [[float("nan")] * 3, [float("nan")] * 3]
    found = surface.surface(market(nothing, nothing, nothing), 0.1)
    assert all(np.isnan(one) for one in (found.forward, found.put_call_ratio, found.max_pain, found.volume))
