from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from vollib.black.greeks import analytical
from vollib.black.implied_volatility import implied_volatility

from marketdata.domain import chain, greeks
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
    premium = greeks.price(kind, forward, strike, t, vol)
    intrinsic = max(forward - strike, 0.0) if kind == "CE" else max(strike - forward, 0.0)
    assume(premium - intrinsic > 0.05)
    mine = greeks.greeks(kind, premium, forward, strike, t)
    flag = "c" if kind == "CE" else "p"
    assert mine is not None
    assert mine.iv == pytest.approx(implied_volatility(premium, forward, strike, 0.0, t, flag), abs=2e-4)
    for name in ("delta", "gamma", "vega", "theta"):
        oracle = getattr(analytical, name)(flag, forward, strike, t, 0.0, mine.iv)
        assert getattr(mine, name) == pytest.approx(oracle, rel=1e-6, abs=1e-9), name


@pytest.mark.parametrize(("premium", "t"), [(0.0, 0.1), (100.0, 0.0), (100.0, -1.0), (5.0, 0.1), (1e9, 0.1)])
def test_a_premium_that_no_volatility_gives_has_none(premium: float, t: float) -> None:
    assert greeks.greeks("CE", premium, 26_000.0, 25_000.0, t) is None
