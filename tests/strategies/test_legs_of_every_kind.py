"""Futures, fixed dates, exact strikes, searched strikes and order types: from the form to the plan, or refused with the field."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from algomirror.kernel.errors import Denied, Refused
from marketdata.models import Underlying
from strategies.domain.legs import LegSpec, structure, with_hedges
from strategies.models import Plan
from strategies.services import build, preview, start
from tests.strategies import stage
from trading.models import Run

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def _now():
    with stage.at() as frozen:
        stage.market()
        for day in (stage.WEEK, stage.MONTH):
            stage.tick(f"NFO:NIFTY{day:%d%b%y}FUT".upper(), 24050)
        yield frozen


def leg(n=1, action="BUY", kind="CE", slot="CURRENT_WEEK", mode="ATM", offset=0, **more):
    return LegSpec(n, "NIFTY", kind, slot, action, mode, offset, more.pop("lots", 1), **more)


def plan_of(*legs: LegSpec) -> Plan:
    accounts = [stage.account(1)]
    version = stage.saved(accounts, legs=with_hedges(list(legs), {}))
    return preview.preview(version, accounts, user=stage.alice())


def test_a_future_with_a_put():
    plan = plan_of(leg(kind="FUT", slot="CURRENT_MONTH"), leg(2, kind="PE", slot="CURRENT_MONTH", mode="OTM", offset=2))
    rows = {row["leg"]: row for row in plan.lines}
    assert (rows[1]["symbol"], rows[1]["strike"], rows[1]["kind"]) == ("NIFTY24NOV26FUT", None, "FUT")
    assert rows[2]["symbol"] == stage.option(23950, "PE").removeprefix("NFO:")


def test_a_fixed_date_means_that_date_or_nothing():
    assert plan_of(leg(slot="DATE", expiry_date=stage.NEXT)).lines[0]["expiry"] == stage.NEXT.isoformat()
    with pytest.raises(Denied) as refused:
        plan_of_new(leg(slot="DATE", expiry_date=date(2026, 12, 3)))
    assert refused.value.code == "SLOT_UNAVAILABLE"


def plan_of_new(*legs: LegSpec) -> Plan:
    accounts = [stage.account(7)]
    version = stage.saved(accounts, legs=list(legs), name="Other")
    return preview.preview(version, accounts, user=stage.alice())


def test_an_exact_strike():
    assert plan_of(leg(mode="STRIKE", strike_value=D(24300))).lines[0]["strike"] == "24300.00"


def test_an_unlisted_strike_is_denied_and_nothing_is_put_in_its_place():
    with pytest.raises(Denied) as refused:
        plan_of(leg(mode="STRIKE", strike_value=D(29000)))
    assert refused.value.code == "INSTRUMENT_UNKNOWN"


def test_the_nearest_premium_comes_from_the_snapshot_of_the_plan():
    # 100 at spot, 20 less for every 100 points: 65 at 24200, 55 at 24250, a tie that the lower mid wins.
    plan = plan_of(leg(mode="PREMIUM", strike_value=D(60)))
    assert plan.lines[0]["strike"] == "24250.00" and D(plan.lines[0]["decision_price"]) == D(55)
    assert "premium near 60" in plan.snapshot["chosen"][0]["rule"]


def test_no_premium_within_tolerance_is_denied():
    with pytest.raises(Denied) as refused:
        plan_of(leg(mode="PREMIUM", strike_value=D(900), tolerance=5))
    assert refused.value.code == "PREMIUM_NOT_FOUND"


def test_a_share_of_the_straddle():
    # The straddle at 24050 is 95 + 105 = 200: a quarter of it is 50.
    strike = D(plan_of(leg(mode="STRADDLE", strike_value=D(25))).lines[0]["strike"])
    assert abs(stage.premium(stage._option(stage.WEEK, strike, "CE")) - 50) <= 10


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"price_type": "LIMIT", "limit_price": D("91.05")}, ("LIMIT", "91.05", "0")),
        ({"price_type": "SL", "limit_price": D("120"), "trigger_price": D("115")}, ("SL", "120", "115")),
        ({"price_type": "SL_M", "trigger_price": D("115")}, ("SL-M", "0", "115")),
    ],
)
def test_a_legs_own_order_type_is_what_is_planned(fields, expected):
    row = plan_of(leg(**fields)).lines[0]
    assert (row["price_type"], *(str(D(row[name]).normalize()) for name in ("price", "trigger_price"))) == (
        expected[0],
        *(str(D(text).normalize()) for text in expected[1:]),
    )
    assert row["protected"] is False


def test_a_price_off_tick_is_denied_with_its_leg():
    """The list's tick changed after it was saved."""
    accounts = [stage.account(1)]
    version = stage.saved(accounts, legs=[leg(price_type="LIMIT", limit_price=D("91.05"))])
    version.legs.update(limit_price=D("91.03"))
    with pytest.raises(Denied) as refused:
        preview.preview(version, accounts, user=stage.alice())
    assert refused.value.code == "PRICE_OFF_TICK" and "Leg 1" in refused.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"price_type": "LIMIT", "limit_price": D("133.05")},
        {"price_type": "LIMIT", "limit_price": D("10")},
        {"price_type": "SL_M", "trigger_price": D("900")},
        {"price_type": "SL", "trigger_price": D("100"), "limit_price": D("140.05")},
    ],
)
def test_a_price_the_exchange_would_not_take_is_denied_with_its_leg(fields):
    with pytest.raises(Denied) as refused:
        plan_of(leg(**fields))
    assert refused.value.code == "PRICE_OUT_OF_RANGE" and "Leg 1" in refused.value.message


def test_a_market_that_ran_away_since_the_preview_denies_the_send():
    accounts = [stage.account(1)]
    version = stage.saved(accounts, legs=[leg(price_type="LIMIT", limit_price=D("133.00"))])
    plan = preview.preview(version, accounts, user=stage.alice())
    stage.tick(stage.option(24050, "CE"), 90)
    with pytest.raises(Denied) as refused:
        start.start(plan.key, digest=plan.digest, idempotency_key="k", by="user:alice")
    assert refused.value.code == "PRICE_OUT_OF_RANGE" and not Run.objects.exists()


def test_bse_bounds_the_gap_of_a_stop_when_it_is_saved():
    stage.market()
    Underlying.objects.update_or_create(
        symbol="SENSEX",
        defaults={
            "index_exchange": "BSE_INDEX",
            "derivative_exchange": "BFO",
            "strike_step": D(100),
            "has_weeklies": True,
            "enabled": True,
        },
    )
    stop = replace(leg(price_type="SL", trigger_price=D(100), limit_price=D("120.05")), underlying="SENSEX")
    with pytest.raises(Refused) as refused:
        stage.saved([stage.account(1)], legs=[stop])
    assert "20.00" in refused.value.fields["legs-0-limit_price"]
    assert stage.saved([stage.account(2)], legs=[replace(stop, limit_price=D(120))])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (leg(kind="FUT"), "slot"),
        (leg(kind="FUT", slot="CURRENT_MONTH", mode="OTM", offset=2), "strike_mode"),
        (leg(slot="DATE"), "expiry_date"),
        (leg(slot="DATE", expiry_date=date(2026, 11, 19)), "expiry_date"),
        (leg(expiry_date=stage.WEEK), "expiry_date"),
        (leg(mode="STRIKE"), "strike_value"),
        (leg(mode="STRIKE", strike_value=D(24025)), "strike_value"),
        (leg(mode="DELTA", strike_value=D(2)), "strike_value"),
        (leg(mode="OTM"), "strike_offset"),
        (leg(mode="PREMIUM", strike_value=D(20), tolerance=51), "tolerance"),
        (leg(price_type="LIMIT"), "limit_price"),
        (leg(price_type="SL", limit_price=D(10), trigger_price=D(11)), "limit_price"),
        (leg(price_type="SL_M"), "trigger_price"),
        (leg(price_type="LIMIT", limit_price=D("91.03")), "limit_price"),
        (leg(limit_price=D(10)), "limit_price"),
    ],
)
def test_what_a_leg_may_not_say_is_refused_by_its_field(wrong, field):
    with pytest.raises(Refused) as refused:
        stage.saved([stage.account(1)], legs=[wrong])
    assert f"legs-0-{field}" in refused.value.fields


def test_what_was_saved_is_what_is_read_back():
    legs = [
        leg(1, "SELL", mode="PREMIUM", strike_value=D("20.00"), tolerance=15),
        leg(2, kind="PE", slot="DATE", expiry_date=stage.NEXT, mode="DELTA", strike_value=D("0.25")),
        leg(3, kind="FUT", slot="NEXT_MONTH", price_type="SL", limit_price=D("24100.00"), trigger_price=D("24090.00")),
    ]
    assert build.specs(stage.saved([stage.account(1)], legs=legs)) == legs


def test_equal_calendar_legs_are_denied():
    with pytest.raises(Denied) as refused:
        plan_of(leg(1, "SELL"), leg(2, "BUY", slot="DATE", expiry_date=stage.WEEK, mode="OTM", offset=1))
    assert refused.value.code == "LEGS_NOT_DISTINCT"


@pytest.mark.parametrize(("condition", "denied"), [("ANY", False), ("NON_EXPIRY", False), ("EXPIRY", True)])
def test_the_market_condition_is_obeyed(condition, denied):
    accounts = [stage.account(1)]
    version = stage.saved(accounts)
    version.market_condition = condition
    if denied:
        with pytest.raises(Denied) as refused:
            preview.preview(version, accounts, user=stage.alice())
        assert refused.value.code == "CONDITION_MISMATCH"
    else:
        assert preview.preview(version, accounts, user=stage.alice()).lines


def test_structures_keep_the_ratio_of_their_legs():
    legs = [replace(leg(1), lots=4), replace(leg(2), lots=2)]
    assert structure(legs) == (2, {1: 2, 2: 1})
