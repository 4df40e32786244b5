"""The whole definition over the API: read back as it was asked, kept when it is not named, refused with its field."""

from __future__ import annotations

from decimal import Decimal

import pytest

from risk.models import RunLimits
from strategies.models import Strategy, Version
from strategies.services import build
from tests.api.caller import Caller, account
from tests.strategies import stage
from trading.models import Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]
D = Decimal


@pytest.fixture
def caller():
    return Caller.of(stage.alice(), scopes=["read", "trade", "exit"])


def leg(**more):
    return {"underlying": "NIFTY", "kind": "CE", "slot": "CURRENT_WEEK", "action": "BUY", "strike_mode": "ATM", **more}


PROTECTIONS = {
    "trail": {"kind": "POINTS", "value": "20.00", "mode": "CONSTANT_DISTANCE", "activation": "0.00"},
    "lock": {"reach": "3000.00", "keep": "1500.00", "step": None, "step_keep": None},
    "legs": [
        {"leg": 1, "stop": {"kind": "PERCENT", "value": "30.00"}, "target": None, "trail": None, "action": "EXIT"},
        {"leg": 0, "stop": None, "target": {"kind": "POINTS", "value": "40.00"}, "trail": None, "action": "ALERT"},
    ],
    "exit_time": "15:00:00",
    "square_off": "15:10:00",
    "supertrend": {"timeframe": 5, "period": 10, "multiplier": "3.0", "side": "AUTO", "adverse_at_arming": False},
}


def definition(ids, **more):
    return {
        "name": "Everything",
        "tags": ["weekly"],
        "product": "NRML",
        "condition": "NON_EXPIRY",
        "accounts": ids,
        "factors": {str(ids[0]): "2"},
        "sizing": {"mode": "FIXED_LOTS", "allocation": "EQUAL", "policy": "TABLE", "shortfall": "REDUCE"},
        "max_loss": "5000",
        "max_loss_action": "EXIT",
        "protections": PROTECTIONS,
        "schedule": {"weekdays": [0, 1], "entry": "09:20", "latest": "09:25", "days_to_expiry_max": 3},
        "legs": [
            leg(action="SELL", strike_mode="OTM", strike_offset=2),
            leg(strike_mode="STRIKE", strike_value="24300", price_type="LIMIT", limit_price="44.05", hedges=[1]),
            leg(kind="PE", slot="DATE", expiry_date="2026-12-01", strike_mode="PREMIUM", strike_value="60", tolerance=15),
        ],
        **more,
    }


def test_what_was_asked_is_what_is_kept_and_answered(caller):
    ids = [account(1).pk, account(2).pk]
    made = caller.post("strategies", definition(ids))
    assert made.status_code == 201, made.json()
    version = made.json()["version"]
    draft = build.draft_of(Version.objects.get())
    assert draft.legs[1].strike_value == D(24300) and draft.legs[1].limit_price == D("44.05") and draft.legs[1].hedges == (1,)
    assert str(draft.legs[2].expiry_date) == "2026-12-01" and draft.legs[2].tolerance == 15
    assert draft.sizing.policy == "TABLE" and draft.factors == {ids[0]: D(2), ids[1]: D(1)}
    assert (version["schedule"]["entry"], version["schedule"]["days_to_expiry_max"]) == ("09:20:00", 3)
    assert version["protections"]["trail"]["value"] == "20.00" and version["protections"]["square_off"] == "15:10:00"
    assert version["legs"][1]["strike_value"] == "24300.00" and version["condition"] == "NON_EXPIRY"
    again = {name: version[name] for name in ("protections", "schedule", "sizing", "factors", "condition")}
    copy = caller.post("strategies", definition(ids, name="Again", **again))
    assert copy.status_code == 201 and copy.json()["version"]["protections"] == version["protections"]


def test_an_edit_keeps_what_it_does_not_name(caller):
    """A program that only knows legs must not take off a trailing stop somebody set on the page."""
    ids = [account(1).pk]
    strategy = caller.post("strategies", definition(ids)).json()["id"]
    before = build.draft_of(Version.objects.get())
    few = {"name": "Everything", "product": "MIS", "accounts": ids, "legs": definition(ids)["legs"], "base": 1}
    edited = caller.send("PUT", f"strategies/{strategy}", {**few, "protections": {"lock": None}})
    assert edited.status_code == 200, edited.json()
    after = build.draft_of(Version.objects.get(number=2))
    assert after.product == "MIS" and after.limits.more.lock is None
    assert after.limits.more.trail == before.limits.more.trail and after.limits.more.legs == before.limits.more.legs
    assert (after.schedule, after.sizing, after.factors, after.condition, after.tags, after.limits.max_loss) == (
        before.schedule, before.sizing, before.factors, before.condition, before.tags, before.limits.max_loss,
    )  # fmt: skip
    assert caller.send("PUT", f"strategies/{strategy}", few).status_code == 409, "somebody saved since"
    assert caller.send("PUT", f"strategies/{strategy}", {**few, "base": 9}).status_code == 404
    taken_off = caller.send("PUT", f"strategies/{strategy}", {**few, "base": 2, "schedule": None})
    assert taken_off.json()["version"]["schedule"] is None


def test_other_limits_of_a_live_run_leave_its_protections_on(caller):
    """It once took the trailing stop and every leg's stop off."""
    one = account(1)
    caller.post("strategies", definition([one.pk], name="Live", schedule=None))
    strategy = Strategy.objects.get(name="Live")
    plan = caller.post(f"strategies/{strategy.pk}/preview").json()
    stage.books_read(one)
    started = caller.post("runs", {"plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"]})
    assert started.status_code == 202, started.json()
    run = Run.objects.get()
    before = RunLimits.objects.get(run=run).terms
    changed = caller.send("PATCH", f"runs/{run.pk}/limits", {"max_loss": "4000"})
    assert changed.status_code == 202 and changed.json()["protections"]["trail"]["value"] == "20.00"
    limits = RunLimits.objects.get(run=run)
    assert limits.terms == before and limits.max_loss == 4000
    tighter = {"trail": {"kind": "POINTS", "value": "10"}}
    assert caller.send("PATCH", f"runs/{run.pk}/limits", {"protections": tighter}).status_code == 202
    limits.refresh_from_db()
    assert D(limits.terms["trail"]["value"]) == 10 and limits.terms["legs"] == before["legs"]
    off = caller.send("PATCH", f"runs/{run.pk}/limits", {"protections": {"trail": None}})
    assert off.status_code == 400 and "reason" in str(off.json()), "taking a stop off needs a reason"


BAD = [
    ({"strike_mode": "STRIKE", "strike_value": "24325"}, "legs-0-strike_value", "strike off the grid"),
    ({"strike_mode": "STRIKE"}, "legs-0-strike_value", "no strike"),
    ({"price_type": "LIMIT"}, "legs-0-limit_price", "missing limit price"),
    ({"price_type": "SL", "limit_price": "90", "trigger_price": "95"}, "legs-0-limit_price", "limit on the wrong side"),
    ({"price_type": "SL_M"}, "legs-0-trigger_price", "missing trigger"),
    ({"slot": "DATE", "expiry_date": "2026-11-19"}, "legs-0-expiry_date", "a day that has passed"),
    ({"slot": "DATE"}, "legs-0-expiry_date", "no date"),
    ({"kind": "FUT"}, "legs-0-slot", "a weekly future"),
    ({"underlying": "MOON"}, "legs-0-underlying", "unknown underlying"),
    ({"lots": "many"}, "legs", "lots as text"),
    ({"lots": 0}, "legs", "no lots"),
    ({"strike_mode": "OTM", "strike_offset": 0}, "legs-0-strike_offset", "no steps"),
    ({"hedges": [7]}, "legs-0-hedges", "covers a leg that is not there"),
]


@pytest.mark.parametrize(("change", "field", "what"), BAD, ids=[what for _, _, what in BAD])
def test_bad_legs_are_refused_with_the_field(caller, change, field, what):
    body = {"name": what, "product": "NRML", "accounts": [account(1).pk], "legs": [leg(**change)]}
    answer = caller.post("strategies", body)
    assert answer.status_code == 400 and not Strategy.objects.exists()
    assert any(name.startswith(field) for name in answer.json()["error"]["fields"]), answer.json()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"accounts": [99], "factors": {}}, "accounts"),
        ({"accounts": []}, "accounts"),
        ({"factors": {"99": "2"}}, "factors"),
        ({"factors": {"x": "2"}}, "factors"),
        ({"sizing": {"mode": "GRADE"}}, "grade"),
        ({"sizing": {"mode": "GRADE", "grade": "Z"}}, "grade"),
        ({"schedule": {"weekdays": [], "entry": "09:20", "latest": "09:25"}}, "weekdays"),
        ({"schedule": {"weekdays": [1], "entry": "09:25", "latest": "09:20"}}, "latest_entry_time"),
        ({"protections": {"trail": {"kind": "POINTS", "value": "-5"}}}, "protections"),
        ({"protections": {"trial": {}}}, "protections"),
        ({"protections": {"lock": {"reach": "100", "keep": "200"}}}, "lock_keep"),
        ({"protections": {"legs": [{"leg": 1}, {"leg": 1}]}}, "protections.legs"),
        ({"max_loss": None, "protections": {"supertrend": {}}}, "supertrend"),
        ({"max_loss": "0"}, "max_loss"),
        ({"product": "CNC"}, "product"),
        ({"legs": []}, "legs"),
        ({"legs": [leg(), leg()]}, "legs-1-strike_offset"),
        ({"condition": "FULL_MOON"}, "condition"),
        ({"maxloss": "5"}, "maxloss"),
    ],
)
def test_a_bad_definition_is_refused_with_the_field(caller, change, field):
    answer = caller.post("strategies", {**definition([account(1).pk]), "max_loss": "5000", **change})
    assert answer.status_code in (400, 404) and not Strategy.objects.exists()
    assert answer.status_code == 404 or any(name.startswith(field) for name in answer.json()["error"]["fields"]), answer.json()
