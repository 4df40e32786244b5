"""How much each account takes: the vectors of the product, and what must hold for every input."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel.errors import Refused
from risk.domain.sizing import (
    Asked,
    Caps,
    Part,
    Profile,
    allocate,
    broker_multiplier,
    budget,
    capped,
    choose,
    equal,
    fitting,
    money,
    needed_by,
    order_count,
    remainders,
    requirement,
    split,
)

D = Decimal
TABLE = {
    ("NIFTY", "SHORT_SINGLE", False): D(250000),
    ("NIFTY", "SHORT_SINGLE", True): D(205000),
    ("NIFTY", "SHORT_PAIR", False): D(320000),
    ("NIFTY", "SHORT_PAIR", True): D(250000),
    ("NIFTY", "FUTURE", False): D(215000),
    ("NIFTY", "OPTION_BUY", False): D(20000),
}


def part(kind="CE", action="SELL", lots=1, *, ask="100", expiry=False, freeze=1800):
    return Part("NIFTY", kind, action, lots, 65, None if ask is None else D(ask), expiry, freeze)


def funds(available="1000000", collateral="0", used="0", *, included=True, gross=False, reserved=0):
    return money(
        available=None if available is None else D(available),
        collateral=None if collateral is None else D(collateral),
        used=None if used is None else D(used),
        profile=Profile(collateral_included=included, available_is_gross=gross),
        reserved=D(reserved),
    )


def test_two_lots_of_a_short_single_at_grade_b():
    limit = budget([part()], funds(), share=D(65))
    assert limit == D(650000) and fitting(limit, requirement([part()], TABLE).rupees) == 2


def test_nothing_fits_at_grade_c():
    limit = budget([part()], funds("300000"), share=D(36))
    assert limit == D(108000) and fitting(limit, requirement([part()], TABLE).rupees) == 0


def test_pairs_count_once_and_what_is_left_counts_single():
    legs = [part("CE", lots=2), part("PE", lots=1), part("FUT", "BUY")]
    assert requirement(legs, TABLE).rupees == D(320000) + D(250000) + D(215000)


def test_no_hedge_benefit_and_bought_legs_at_the_ask_with_a_markup():
    legs = [part("CE"), part("CE", "BUY", ask="50")]
    assert requirement(legs, TABLE).rupees == D(250000) + D(50) * 65 * D("1.02")


def test_each_leg_takes_the_figure_of_its_own_day():
    assert requirement([part(expiry=True), part("PE")], TABLE).rupees == D(205000) + D(250000)


@pytest.mark.parametrize(("ask", "each"), [("400", D("26520.00")), ("10", D(20000))])
def test_bought_options_cost_their_price_or_the_configured_floor(ask, each):
    assert requirement([part("CE", "BUY", ask=ask)], TABLE).rupees == each


@pytest.mark.parametrize("legs", [[part("CE", "BUY", ask=None)], [part(expiry=True), part("FUT", "BUY", expiry=True)]])
def test_a_missing_price_or_figure_is_refused(legs):
    with pytest.raises(Refused):
        requirement(legs, TABLE)


def test_funds_mean_what_the_profile_says():
    assert funds("100", "30", "10") == funds("100", "30", None)
    assert (funds("100", "30").usable, funds("100", "30").cash) == (D(100), D(70))
    assert (funds("100", "30", included=False).usable, funds("100", "30", included=False).cash) == (D(130), D(100))
    assert funds("100", "0", "40", gross=True).usable == D(60)
    assert funds("100", "0", reserved=30).usable == D(70)
    assert funds("-5").usable == D(0)


def test_what_is_not_known_stays_unknown():
    assert funds(None).usable is None and funds(None).cash is None
    assert funds("100", None).usable == D(100) and funds("100", None).cash is None
    assert funds("100", None, included=False).usable is None
    assert funds("100", "0", None, gross=True).usable is None
    assert budget([part("CE", "BUY")], funds("100", None)) is None


def test_bought_options_use_cash_and_a_cash_grade_bounds_shorts():
    mixed = funds("1000", "400")
    assert budget([part("CE", "BUY")], mixed) == D(600)
    assert budget([part()], mixed) == D(1000)
    assert budget([part()], mixed, basis="CASH") == D(600)


def asker(each, asked):
    def ask(k):
        asked.append(k)
        return D(each) * k

    return ask


def test_the_broker_is_tried_at_the_table_size_then_downward():
    asked: list[int] = []
    assert broker_multiplier(5, D(1000), asker(300, asked), upward=False) == Asked(3, D(900))
    assert asked == [5, 3]


def test_upward_only_when_the_broker_decides():
    assert broker_multiplier(2, D(1000), asker(100, []), upward=False).k == 2
    assert broker_multiplier(2, D(1000), asker(100, []), upward=True).k == 10
    assert broker_multiplier(0, D(1000), asker(100, []), upward=False).k == 0


def test_a_silent_broker_is_unknown_not_zero():
    assert broker_multiplier(3, D(1000), lambda k: None, upward=False) == Asked(None, None)
    assert choose("LOWER_OF_BOTH", 3, Asked(None, None)) is None
    assert choose("BROKER", 3, Asked(None, None)) is None
    assert choose("TABLE", 3, Asked(None, None)) == 3
    assert choose("LOWER_OF_BOTH", 3, None) == 3
    assert needed_by("LOWER_OF_BOTH", D(5), None, trusted=True) is None
    assert needed_by("LOWER_OF_BOTH", D(5), None, trusted=False) == D(5)


def test_lower_of_both_takes_the_smaller_size_and_the_larger_rupees():
    assert choose("LOWER_OF_BOTH", 3, Asked(5, D(1))) == 3 and choose("BROKER", 3, Asked(5, D(1))) == 5
    assert needed_by("LOWER_OF_BOTH", D(5), D(9), trusted=True) == D(9)


amounts = st.decimals(min_value=0, max_value=10**9, places=2)
weights = st.lists(st.decimals(min_value=0, max_value=1000, places=3), min_size=1, max_size=50).filter(any)


@given(total=st.integers(0, 5000), weights=weights)
def test_a_split_sums_exactly_and_is_within_one_of_its_share(total, weights):
    shares = split(total, weights)
    assert sum(shares) == total and all(share >= 0 for share in shares)
    assert all(abs(rest) <= 1 for rest in remainders(total, weights, shares))


@given(total=st.integers(0, 5000), weights=weights)
def test_a_split_is_deterministic_and_follows_weight(total, weights):
    shares = split(total, weights)
    assert shares == split(total, weights)
    pairs = sorted(zip(weights, shares, strict=True))
    assert all(b[1] >= a[1] - 1 for a, b in pairwise(pairs))


def test_ties_go_to_the_first_account():
    assert split(4, [D(1), D(1), D(1)]) == [2, 1, 1]


def test_modes_differ():
    factors = [D("0.5"), D("1.5"), D(1)]
    assert equal(2, factors) == [1, 3, 2]
    assert allocate("EQUAL", 2, factors) == [1, 3, 2]
    assert allocate("RATIO", 2, [D(1), D(2), D(3)]) == [1, 2, 3]
    assert allocate("PERCENT", 2, [D(50), D(25), D(25)]) == [3, 2, 1]
    assert allocate("CUSTOM", 2, [D(0), D(6), D(0)]) == [0, 6, 0]


@pytest.mark.parametrize(
    ("mode", "weights"), [("PERCENT", [D(50), D(40)]), ("CUSTOM", [D(1), D(2)]), ("CUSTOM", [D("1.5"), D("0.5")])]
)
def test_what_does_not_add_up_is_refused(mode, weights):
    with pytest.raises(Refused) as refused:
        allocate(mode, 1, weights)
    assert "factors" in refused.value.fields


@given(a=amounts, b=amounts, each=st.decimals(min_value=1, max_value=10**7, places=2), share=st.integers(1, 100))
def test_more_margin_never_means_fewer(a, b, each, share):
    low, high = sorted((a, b))
    assert fitting(low * share / 100, each) <= fitting(high * share / 100, each)
    assert fitting(low, each) * each <= low


@given(
    lots=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    cap=st.integers(0, 400),
    notional=st.integers(0, 10**7),
    orders=st.integers(0, 60),
)
def test_caps_are_never_exceeded(lots, cap, notional, orders):
    parts = [part(lots=count) for count in lots]
    prices = {at: D(100) for at in range(len(parts))}
    k, why = capped(parts, Caps(cap, D(notional), orders), prices)
    assert k >= 0 and why
    assert sum(k * count for count in lots) <= cap
    assert all(k * count <= 100 for count in lots)
    assert sum(k * count * 65 * 100 for count in lots) <= notional
    assert sum(order_count(k * count * 65, 65, 1800) for count in lots) <= orders


@pytest.mark.parametrize(("units", "orders"), [(1755, 1), (1820, 2), (6500, 4)])
def test_slices_are_whole_lots_below_the_freeze(units, orders):
    assert order_count(units, 65, 1800) == orders
    assert order_count(units, 65, None) == 1
