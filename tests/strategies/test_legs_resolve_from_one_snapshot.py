from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel.errors import Refused
from marketdata.domain.quotes import Quote, Source
from strategies.domain.legs import LegSpec, problems, propose_hedges, warnings, with_hedges
from strategies.domain.plans import decode, digest_of, encode, planned
from strategies.domain.resolve import Contract, Market, choose, lines, net_premium
from strategies.domain.runs import BookFacts, next_state

NOW = datetime(2026, 1, 9, 5, 0, tzinfo=UTC)
WEEK, NEXT = date(2026, 1, 13), date(2026, 1, 20)
STRIKES = tuple(Decimal(s) for s in range(20000, 28001, 50))


def market(spot: str | None = "24024.90", slots=None) -> dict[str, Market]:
    slots = slots or {"CURRENT_WEEK": WEEK, "NEXT_WEEK": NEXT}
    return {"NIFTY": Market(None if spot is None else Decimal(spot), Decimal(50), slots, dict.fromkeys(slots.values(), STRIKES))}


def leg(n=1, action="SELL", kind="CE", mode="ATM", offset=0, lots=1, slot="CURRENT_WEEK", hedges=()) -> LegSpec:
    return LegSpec(n, "NIFTY", kind, slot, action, mode, offset, lots, hedges)


def strike(one: LegSpec, spot="24000") -> Decimal:
    choices, denials = choose([one], market(spot))
    assert not denials
    return choices[0].strike


@pytest.mark.parametrize(("spot", "atm"), [("24024.90", 24000), ("24025", 24050), ("24075", 24100)])
def test_atm_rounds_half_up(spot, atm):
    assert strike(leg(), spot) == atm


@pytest.mark.parametrize(
    ("kind", "mode", "offset", "expected"),
    [("CE", "OTM", 3, 24150), ("CE", "ITM", 2, 23900), ("PE", "OTM", 3, 23850), ("PE", "ITM", 2, 24100)],
)
def test_in_and_out_of_the_money(kind, mode, offset, expected):
    assert strike(leg(kind=kind, mode=mode, offset=offset)) == expected


def test_a_slot_that_does_not_exist_is_refused_and_not_replaced():
    choices, denials = choose([leg(slot="NEXT_MONTH")], market())
    assert choices == [] and [d.code for d in denials] == ["SLOT_UNAVAILABLE"]


def test_two_slots_of_one_date_are_not_distinct():
    legs = [leg(1), leg(2, action="BUY", kind="PE", slot="CURRENT_MONTH")]
    _, denials = choose(legs, market(slots={"CURRENT_WEEK": WEEK, "CURRENT_MONTH": WEEK}))
    assert [d.code for d in denials] == ["LEGS_NOT_DISTINCT"]


def test_without_a_fresh_spot_nothing_resolves():
    assert [d.code for d in choose([leg()], market(None))[1]] == ["QUOTE_STALE"]


def test_an_unlisted_strike_is_refused():
    few = {"NIFTY": Market(Decimal(24000), Decimal(50), {"CURRENT_WEEK": WEEK}, {WEEK: (Decimal(24000),)})}
    assert [d.code for d in choose([leg(mode="OTM", offset=2)], few)[1]] == ["INSTRUMENT_UNKNOWN"]


def contract(strike_=24000, kind="CE", freeze: int | None = 1800) -> Contract:
    return Contract("NFO", f"NIFTY13JAN26{strike_}{kind}", WEEK, Decimal(strike_), kind, 65, Decimal("0.05"), freeze)


def quote(of: Contract, last, bid=None, ask=None) -> Quote:
    return Quote(of.key, Decimal(last), NOW, Source.STREAM, bid=bid and Decimal(bid), ask=ask and Decimal(ask))


@pytest.mark.parametrize(
    ("action", "bid", "ask", "price"),
    [
        ("BUY", "7.00", "8.00", "8.40"),  # under 10: 5 %
        ("BUY", "49.90", "50.00", "51.50"),  # under 100: 3 %
        ("SELL", "50.00", "50.10", "48.50"),
        ("BUY", "199.00", "200.00", "204.00"),  # under 500: 2 %
        ("SELL", "500.00", "501.00", "495.00"),  # from 500: 1 %
        ("BUY", "100.00", "101.01", "103.05"),  # rounded up to tick
        ("SELL", "101.01", "102.00", "98.95"),  # rounded down to tick
    ],
)
def test_a_protected_limit_moves_the_touch_by_its_slab(action, bid, ask, price):
    one = contract()
    found, denials = lines(choose([leg(action=action)], market("24000"))[0], {1: one}, {one.key: quote(one, ask, bid, ask)})
    assert not denials and found[0].price == Decimal(price) and found[0].protected and found[0].price_type == "LIMIT"


def test_slices_are_whole_lots_under_the_freeze():
    one = contract()
    choices, _ = choose([leg(lots=60)], market("24000"))
    found, _ = lines(choices, {1: one}, {one.key: quote(one, "100")})
    assert found[0].units == 3900 and found[0].slices == (1755, 1755, 390)


def test_hedges_come_first_and_shorts_know_what_they_wait_for():
    legs = with_hedges(
        [leg(1, mode="OTM", offset=2), leg(2, "BUY", mode="OTM", offset=4), leg(3, kind="PE", mode="OTM", offset=2)], {}
    )
    choices, _ = choose(legs, market("24000"))
    contracts = {c.leg.number: contract(int(c.strike), c.leg.kind) for c in choices}
    found, _ = lines(choices, contracts, {c.key: quote(c, "100") for c in contracts.values()})
    assert [(line.leg, line.purpose, line.hedge_legs) for line in found] == [
        (2, "HEDGE", (1,)),
        (1, "ENTRY", (2,)),
        (3, "ENTRY", ()),
    ]


def test_net_premium_is_what_is_received():
    one = contract()
    choices, _ = choose([leg(lots=2)], market("24000"))
    found, _ = lines(choices, {1: one}, {one.key: quote(one, "100")})
    assert net_premium(found) == Decimal(13000)


def test_a_leg_without_a_fresh_price_or_contract_is_denied():
    choices, _ = choose([leg()], market("24000"))
    assert [d.code for d in lines(choices, {1: contract()}, {})[1]] == ["QUOTE_STALE"]
    assert [d.code for d in lines(choices, {}, {})[1]] == ["INSTRUMENT_UNKNOWN"]


def test_a_condor_is_hedged_by_type_and_a_ratio_is_left_alone():
    condor = [
        leg(1, mode="OTM", offset=2), leg(2, "BUY", mode="OTM", offset=4),
        leg(3, kind="PE", mode="OTM", offset=2), leg(4, "BUY", kind="PE", mode="OTM", offset=4),
    ]  # fmt: skip
    assert propose_hedges(condor) == {2: (1,), 4: (3,)}
    ratio = [leg(1, "BUY"), leg(2, lots=2, mode="OTM", offset=2)]
    assert propose_hedges(ratio) == {}
    calendar = [leg(1), leg(2, "BUY", slot="NEXT_WEEK")]
    assert propose_hedges(calendar) == {}


def test_the_trader_may_unlink_or_link_himself():
    legs = [leg(1), leg(2, "BUY", mode="OTM", offset=2)]
    assert [one.hedges for one in with_hedges(legs, {2: ()})] == [(), ()]
    assert [one.hedges for one in with_hedges([leg(1), leg(2, "BUY", slot="NEXT_WEEK")], {2: (1,)})] == [(), (1,)]


@pytest.mark.parametrize(
    ("legs", "field"),
    [
        ([], "legs"),
        ([leg(lots=0)], "legs-0-lots"),
        ([leg(lots=101)], "legs-0-lots"),
        ([leg(mode="OTM", offset=0)], "legs-0-strike_offset"),
        ([leg(mode="OTM", offset=21)], "legs-0-strike_offset"),
        ([leg(mode="ATM", offset=1)], "legs-0-strike_offset"),
        ([leg(1), leg(2)], "legs-1-strike_offset"),
        ([leg(1), leg(2, "BUY", mode="OTM", offset=1, hedges=(7,))], "legs-1-hedges"),
        ([leg(1, kind="PE"), leg(2, "BUY", hedges=(1,))], "legs-1-hedges"),
        ([leg(1, lots=2), leg(2, "BUY", mode="OTM", offset=1, hedges=(1,))], "legs-1-hedges"),
        ([leg(n, mode="OTM", offset=n) for n in range(1, 14)], "legs"),
    ],
)
def test_what_cannot_be_saved_is_named(legs, field):
    assert field in problems(legs)


def test_warnings_say_what_is_missing():
    assert warnings([leg(1)], has_max_loss=False) == [
        "No hard stop: without a max loss nothing leaves this run by itself.",
        "Uncovered short leg 1.",
    ]
    assert warnings(with_hedges([leg(1), leg(2, "BUY", mode="OTM", offset=1)], {}), has_max_loss=True) == []


@given(st.integers(1, 100), st.integers(1, 200), st.one_of(st.none(), st.integers(1, 20000)))
def test_slices_sum_exactly_and_fit_or_the_line_is_refused(lots, lot, freeze):
    from trading.domain.plan import slices

    try:
        parts = slices(lots * lot, lot, freeze)
    except Refused:
        assert freeze is not None and freeze < lot
        return
    assert sum(parts) == lots * lot
    assert all(part % lot == 0 and (freeze is None or part <= freeze) for part in parts)


def test_a_planned_line_survives_its_spelling_and_any_change_shows_in_the_digest():
    one = contract()
    line = lines(choose([leg()], market("24000"))[0], {1: one}, {one.key: quote(one, "100.05")})[0][0]
    plan = planned(line, account_id=1, account_name="A", product="NRML")
    row = encode(plan)
    assert decode(row) == plan

    def spelled(rows):
        return digest_of(key="k", kind="STRATEGY", version=1, snapshot={}, lines=rows, skipped=[], terms={})

    for name, value in row.items():
        changed = {**row, name: "x" if isinstance(value, str) else [9] if isinstance(value, list) else 7}
        assert spelled([changed]) != spelled([row])


OPEN = BookFacts("OPEN", False, False, False, False)


@pytest.mark.parametrize(
    ("books", "state"),
    [
        ([replace(OPEN, has_entries_pending=True), OPEN], "ENTERING"),
        ([OPEN, OPEN], "OPEN"),
        ([replace(OPEN, has_open_goal=True), OPEN], "OPEN"),
        ([replace(OPEN, has_open_goal=True), replace(OPEN, has_open_goal=True)], "EXITING"),
        ([replace(OPEN, is_over=True), replace(OPEN, has_open_goal=True)], "EXITING"),
        ([replace(OPEN, has_open_goal=True, has_stuck_goal=True), OPEN], "STUCK"),
        ([replace(OPEN, state="FROZEN"), OPEN], "STUCK"),
        ([replace(OPEN, is_over=True)] * 2, "CLOSED"),
        ([replace(OPEN, is_over=True), OPEN], "OPEN"),
    ],
)
def test_a_run_is_what_its_books_prove(books, state):
    assert next_state("OPEN", books) == state
    assert next_state("STUCK", books) == state
    assert next_state("CLOSED", books) == "CLOSED"
