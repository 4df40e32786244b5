"""Margin in use over time with its alarm, and the brokers' own figure beside our table."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from accounts.gateway.directory import far_side
from algomirror.ops.models import Alarm
from risk.models import AccountLimits, MarginSample
from risk.services import daily, tracking
from strategies.models import BasketFigure
from tests.accounts import far
from tests.api.caller import Caller
from tests.page_rules import text_of, world
from tests.strategies import stage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]
D = Decimal


def test_one_sample_per_account_and_slot_and_none_of_what_is_unknown(_now):
    known, unknown = stage.account(1), stage.account(2)
    stage.funds_read(known, 700_000, used="300000")
    stage.funds_read(unknown, "")
    assert (tracking.sample(), tracking.sample()) == (1, 0)
    _now.advance(300)
    stage.funds_read(known, 500_000, used="500000")
    assert tracking.sample() == 1
    assert list(MarginSample.objects.values_list("account_id", "share")) == [(known.pk, D(30)), (known.pk, D(50))]


def test_old_funds_and_a_closed_market_leave_a_gap(_now):
    stage.funds_read(stage.account(1), 700_000, used="300000", age_s=61)
    assert tracking.sample() == 0
    _now.advance(12 * 3600)
    stage.funds_read(stage.account(2), 700_000, used="300000")
    assert tracking.sample() == 0


@pytest.mark.parametrize(("level", "rings"), [(30, 1), (31, 0), (None, 0)])
def test_it_rings_once_a_day_at_the_level_of_the_account_or_of_all(_now, level, rings):
    account = stage.account(1)
    stage.funds_read(account, 700_000, used="300000")
    if level is not None:
        daily.set_limits(None, {"margin_alarm": level}, by="user:alice")
    for _ in range(2):
        tracking.sample()
        _now.advance(300)
        stage.funds_read(account, 700_000, used="300000")
    assert Alarm.objects.filter(kind="MARGIN_HIGH").count() == rings


def test_an_account_s_own_level_comes_before_that_of_all(_now):
    account = stage.account(1)
    stage.funds_read(account, 700_000, used="300000")
    daily.set_limits(None, {"margin_alarm": 10}, by="user:alice")
    daily.set_limits(account, {"margin_alarm": 90}, by="user:alice")
    tracking.sample()
    assert not Alarm.objects.filter(kind="MARGIN_HIGH").exists()


def test_what_is_older_than_three_months_goes(_now):
    account = stage.account(1)
    tracking.sample()
    MarginSample.objects.update(at=_now.now() - timedelta(days=93))
    _now.advance(300)
    stage.funds_read(account)
    tracking.sample()
    assert MarginSample.objects.count() == 1


def test_the_tracker_draws_what_was_sampled(alice, _now):
    account, fresh = stage.account(1), stage.account(2)
    AccountLimits.objects.create(account=account, margin_alarm=40, changed_at=_now.now(), changed_by="user:alice")
    for used in ("200000", "450000", "450000"):
        stage.funds_read(account, 1_000_000 - int(used), used=used)
        tracking.sample()
        _now.advance(300)
    MarginSample.objects.filter(account=fresh).delete()
    before = world()
    page = text_of(alice.get("/margin/tracker"))
    assert "45.0" in page and "no sample yet" in page and ">high<" in page and page.count("<polyline") == 1
    assert text_of(alice.get("/margin/tracker?days=much")) and world() == before


def test_the_alarm_level_is_typed_on_the_limits_page(alice):
    account = stage.account(1)
    assert alice.post(f"/risk/limits/{account.pk}", {"margin_alarm": "85"}).status_code == 302
    assert AccountLimits.objects.get().margin_alarm == 85
    assert alice.post(f"/risk/limits/{account.pk}", {"margin_alarm": "101"}).status_code == 422


ASKED = {"amount": "1000000", "underlying": "NIFTY", "what": "SHORT_PAIR", "grade": "B"}


def test_brokers_are_asked_side_by_side_and_silence_is_not_zero(alice):
    """One answers, one refuses."""
    one, two = stage.account(1), stage.account(2)
    asked = []

    def door(account):
        def answer(request):
            asked.append(request.read())
            if account.pk == two.pk:
                return httpx.Response(500, json={"status": "error", "message": "broker is away"})
            return httpx.Response(200, json={"status": "success", "data": {"total_margin_required": 215000.5}})

        return far.saying(answer, account_id=account.pk)

    with far_side(door):
        page = text_of(alice.post("/margin/calculator/ask", {**ASKED, "asked": [one.pk, two.pk]}))
    assert "₹2,15,000.50" in page and "₹3,20,000.00" in page and "broker is away" in page
    assert len(asked) == 2 and all(b"NIFTY24NOV2624050CE" in body and b"SELL" in body for body in asked)
    (kept,) = BasketFigure.objects.all()
    assert (kept.account_id, kept.kind, kept.is_expiry, kept.rupees) == (one.pk, "SHORT_PAIR", False, D("215000.50"))
    requirements = text_of(alice.get("/margin/requirements"))
    assert (
        "broker ₹2,15,000.50 (−₹1,04,999.50), Account 1, 20 Nov 10:30:00" in requirements and requirements.count(">broker ") == 1
    )


@pytest.mark.parametrize("change", [{"asked": []}, {"asked": ["9999"]}, {"asked": ["x"]}, {"what": "MOON", "asked": ["1"]}])
def test_a_question_that_cannot_be_asked_is_refused(alice, change):
    stage.account(1)
    assert alice.post("/margin/calculator/ask", ASKED | change).status_code == 422


def test_without_a_price_nobody_is_asked_and_the_field_says_why(alice, _now):
    account = stage.account(1)
    _now.advance(60)
    with far_side(lambda account: far.saying(lambda request: httpx.Response(500), account_id=account.pk)):
        answer = alice.post("/margin/calculator/ask", {**ASKED, "asked": [account.pk]})
    assert answer.status_code == 422 and "no price or no listed contract now" in text_of(answer)


@pytest.fixture
def caller():
    return Caller.of(stage.alice(), scopes=["read", "trade"])


def test_the_api_answers_the_same(caller):
    account = stage.account(1)
    stage.funds_read(account, 700_000, used="300000")
    tracking.sample()
    (row,) = caller.get("margin/accounts").json()
    assert (row["account"], row["usable"], row["share_in_use"]) == (account.pk, "700000.00", "30.0")
    assert [sample["share_in_use"] for sample in caller.get("margin/tracker", days=5).json()] == ["30.0"]
    assert caller.get("margin/tracker", days=2).status_code == 400
    figure = {"underlying": "NIFTY", "kind": "SHORT_SINGLE", "is_expiry": False, "rupees": "260000.00"}
    assert caller.send("PUT", "margin/requirements", figure).json()["rupees"] == "260000.00"
    listed = caller.get("margin/requirements").json()
    assert figure | {"broker": None, "difference": None} in listed
    assert caller.send("PUT", "margin/requirements", {**figure, "underlying": "MOON"}).status_code == 400
    asked = {"amount": "1000000", "underlying": "NIFTY", "structure": "SHORT_CALL", "grade": "B"}
    with far_side(lambda account: far.saying(lambda request: httpx.Response(500), account_id=account.pk)):
        answer = caller.post("margin/calculate", {**asked, "accounts": [account.pk]}).json()
    assert (answer["table"]["lots"], answer["table"]["units"]) == (2, 130)
    assert answer["brokers"][0]["broker"] is None and answer["brokers"][0]["why"]
    for wrong in ({"grade": "Z"}, {"accounts": [9999]}, {"structure": "MOON"}, {"amount": "0"}, {"underlying": "MOON"}):
        refused = caller.post("margin/calculate", asked | wrong)
        assert refused.status_code in (400, 404) and (refused.status_code == 404 or refused.json()["error"]["fields"]), wrong


def test_grades_by_the_api(caller):
    made = caller.post("margin/grades", {"name": "Small", "share": "5", "basis": "CASH"}).json()
    assert made["label"] == "conservative"
    assert caller.send("PUT", f"margin/grades/{made['id']}", {"name": "Tiny", "share": "2"}).json()["name"] == "Tiny"
    assert caller.send("DELETE", f"margin/grades/{made['id']}").status_code == 200
    assert caller.send("DELETE", f"margin/grades/{made['id']}").status_code == 404
    assert caller.post("margin/grades", {"name": "Over", "share": "101"}).status_code == 400
