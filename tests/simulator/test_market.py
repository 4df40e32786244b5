"""The market: what is listed, and prices that hang together."""

from __future__ import annotations

import itertools
from datetime import date, datetime

import numpy as np
import pytest

from simulator.clock import IST, SimClock
from simulator.instruments import UNDERLYINGS, compact, monthly_expiries, option_expiries, weekly_expiries
from simulator.market import Market
from simulator.sessions import expiry_moment, is_open, previous_trading_day
from tests.simulator.desk import CALL, MORNING, PUT

NIFTY, BANKNIFTY, SENSEX = UNDERLYINGS


def market_at(at: datetime = MORNING, *, always_open: bool = True, seed: int = 7) -> Market:
    return Market(SimClock(at, frozen=True), seed, always_open=always_open)


def at(day: int, hour: int, minute: int = 0, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=IST)


# -- listing ----------------------------------------------------------------------------------------------------


def test_the_expiry_of_24_november_moves_to_monday_the_23rd() -> None:
    for index in (NIFTY, BANKNIFTY):
        assert option_expiries(index, date(2026, 11, 20))[0] == date(2026, 11, 23)


@pytest.mark.parametrize(
    ("nominal", "shifted"),
    [
        (date(2026, 3, 3), date(2026, 3, 2)),
        (date(2026, 3, 31), date(2026, 3, 30)),
        (date(2026, 4, 14), date(2026, 4, 13)),
        (date(2026, 10, 20), date(2026, 10, 19)),
        (date(2026, 11, 10), date(2026, 11, 9)),
    ],
)
def test_nifty_expiries_on_holidays_move_to_the_trading_day_before(nominal: date, shifted: date) -> None:
    assert shifted in weekly_expiries(previous_trading_day(shifted), 1)
    assert nominal not in weekly_expiries(previous_trading_day(shifted), 1)


@pytest.mark.parametrize(
    ("nominal", "shifted"),
    [(date(2026, 1, 15), date(2026, 1, 14)), (date(2026, 3, 26), date(2026, 3, 25)), (date(2026, 5, 28), date(2026, 5, 27))],
)
def test_sensex_expiries_on_holidays_move_too(nominal: date, shifted: date) -> None:
    assert option_expiries(SENSEX, shifted)[0] == shifted
    assert nominal not in option_expiries(SENSEX, shifted)


def test_on_the_shifted_day_itself_the_contract_is_still_listed() -> None:
    assert weekly_expiries(date(2026, 11, 23), 1)[0] == date(2026, 11, 23)
    assert weekly_expiries(date(2026, 11, 24), 1)[0] == date(2026, 12, 1)


def test_monthlies_are_three_and_weeklies_at_least_four() -> None:
    assert monthly_expiries(date(2026, 11, 20), 1) == [date(2026, 11, 23), date(2026, 12, 29), date(2027, 1, 26)]
    assert len(option_expiries(NIFTY, date(2026, 11, 20))) >= 4
    assert option_expiries(BANKNIFTY, date(2026, 11, 20)) == monthly_expiries(date(2026, 11, 20), 1)


def test_symbols_follow_the_grammar_with_lots_and_freeze() -> None:
    market = market_at()
    option = market.find("NFO", "NIFTY01DEC2626000CE")
    assert option is not None and (option.lot, option.listed_freeze, option.tick) == (65, 1800, 0.05)
    assert market.find("NFO", "NIFTY23NOV26FUT") is not None
    sensex = market.find("BFO", "SENSEX26NOV2685000PE")
    assert sensex is not None and (sensex.lot, sensex.listed_freeze, sensex.freeze) == (20, 1, 1000)
    assert market.find("NSE_INDEX", "INDIAVIX") is not None
    assert market.find("NSE", "RELIANCE") is not None
    assert len(market.listing.strikes("NIFTY", "NFO", date(2026, 12, 1))) == 81


@pytest.mark.parametrize(("always_open", "listed"), [(False, False), (True, True)])
def test_expired_contracts_leave_after_their_session(always_open: bool, listed: bool) -> None:
    market = market_at(at(23, 15, 39), always_open=always_open)
    assert market.find("NFO", "NIFTY23NOV2626000CE") is not None
    market.clock.advance(120)
    market.step()
    assert (market.find("NFO", "NIFTY23NOV2626000CE") is not None) is listed
    market.clock.advance(9 * 3600)
    market.step()
    assert market.find("NFO", "NIFTY23NOV2626000CE") is None


def test_a_new_day_lists_new_expiries_and_keeps_prices() -> None:
    market = market_at(at(23, 15, 0))
    spot = market.spot("NIFTY")
    market.clock.set(at(24, 0, 1))
    assert market.roll()
    assert market.spot("NIFTY") == spot
    assert f"NIFTY{compact(date(2026, 12, 29))}FUT" in {c.symbol for c in market.listing.contracts}
    quote = market.quote("NFO", CALL)
    assert quote is not None and quote.volume == 0


def test_the_day_ends_at_1540_since_august() -> None:
    assert is_open(at(20, 15, 39)) and not is_open(at(20, 15, 40))
    assert expiry_moment(date(2026, 7, 28)).hour * 100 + expiry_moment(date(2026, 7, 28)).minute == 1530
    assert not is_open(at(24, 11)) and not is_open(at(21, 11))
    assert is_open(at(8, 18, 30)) and is_open(datetime(2026, 2, 1, 12, tzinfo=IST))


# -- prices -----------------------------------------------------------------------------------------------------


def test_equal_seeds_and_ticks_give_equal_prices() -> None:
    one, two, other = market_at(), market_at(), market_at(seed=8)
    for market in (one, two, other):
        for _ in range(50):
            market.step()
    for array in ("ltp", "bid", "ask", "volume", "oi"):
        assert np.array_equal(getattr(one.prices, array), getattr(two.prices, array))
    assert not np.array_equal(one.prices.ltp, other.prices.ltp)


def test_put_call_parity_holds_within_the_spread() -> None:
    market = market_at()
    for _ in range(20):
        market.step()
    for u in UNDERLYINGS:
        for expiry in market.listing.expiries(u.name, u.fo_exchange, True):
            forward = market.forward(u.name, expiry)
            for strike in market.listing.strikes(u.name, u.fo_exchange, expiry):
                stem = f"{u.name}{compact(expiry)}{int(strike)}"
                call, put = market.quote(u.fo_exchange, f"{stem}CE"), market.quote(u.fo_exchange, f"{stem}PE")
                assert call is not None and put is not None
                gap = abs((call.ltp - put.ltp) - (forward - strike))
                assert gap <= (call.ask - call.bid) + (put.ask - put.bid)


def test_quotes_are_on_tick_and_in_order() -> None:
    market = market_at()
    market.step()
    for i, contract in enumerate(market.listing.contracts):
        quote = market.quote_at(i)
        if contract.kind == "INDEX":
            continue
        assert 0.05 <= quote.bid <= quote.ltp <= quote.ask and quote.bid < quote.ask
        assert quote.low <= quote.ltp <= quote.high
        assert round(quote.ltp / 0.05, 6) == pytest.approx(round(quote.ltp / 0.05), abs=1e-6)


def test_calls_fall_and_puts_rise_with_the_strike() -> None:
    market = market_at()
    strikes = market.listing.strikes("NIFTY", "NFO", date(2026, 12, 1))
    calls = [market.quote("NFO", f"NIFTY01DEC26{int(s)}CE") for s in strikes]
    puts = [market.quote("NFO", f"NIFTY01DEC26{int(s)}PE") for s in strikes]
    assert all(a.ltp >= b.ltp for a, b in itertools.pairwise(calls) if a and b)
    assert all(a.ltp <= b.ltp for a, b in itertools.pairwise(puts) if a and b)


def test_a_pinned_index_moves_its_surface_and_stays() -> None:
    market = market_at()
    before = market.quote("NFO", CALL)
    market.set_price("NSE_INDEX", "NIFTY", 26500.0)
    market.step()
    after = market.quote("NFO", CALL)
    assert market.spot("NIFTY") == 26500.0
    assert before is not None and after is not None and after.ltp > before.ltp + 200


def test_a_pinned_option_stays_until_released() -> None:
    market = market_at()
    market.set_price("NFO", PUT, 77.7)
    market.step()
    quote = market.quote("NFO", PUT)
    assert quote is not None and quote.ltp == 77.7 and quote.bid < 77.7 < quote.ask
    market.release("NFO", PUT)
    market.step()
    quote = market.quote("NFO", PUT)
    assert quote is not None and quote.ltp != 77.7


def test_a_path_is_followed_and_then_walked_from() -> None:
    market = market_at()
    market.set_path("NIFTY", [(10.0, 26100.0), (20.0, 25900.0)])
    seen = []
    for _ in range(4):
        market.clock.advance(5)
        market.step()
        seen.append(market.spot("NIFTY"))
    assert seen[1:] == [26100.0, 26000.0, 25900.0]
    market.step()
    assert 0 < abs(market.spot("NIFTY") - 25900.0) < 50


def test_volatility_lifts_both_sides_and_the_vix() -> None:
    market = market_at()
    before = [market.quote("NFO", CALL), market.quote("NFO", PUT)]
    market.set_iv("NIFTY", vol=0.20)
    after = [market.quote("NFO", CALL), market.quote("NFO", PUT)]
    assert all(b and a and a.ltp > b.ltp for a, b in zip(after, before, strict=False))
    vix = market.quote("NSE_INDEX", "INDIAVIX")
    assert vix is not None and vix.ltp == 20.0


def test_nothing_moves_when_the_session_is_closed() -> None:
    market = market_at(at(21, 11), always_open=False)
    assert market.step() is False
    assert market.prices.ticks == 0
