"""What a trader gets wrong, on the page and over the API alike: refused with the place and the reason, nothing done."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from marketdata import calendar
from marketdata.models import Holiday
from strategies.domain.legs import LegSpec
from strategies.models import Plan, Strategy, Version
from tests.api.caller import Caller, account
from tests.page_rules import text_of
from tests.strategies import stage
from tests.strategies.test_the_pages_say_what_they_do import typed
from trading.models import Order, Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def caller():
    return Caller.of(stage.alice(), scopes=["read", "trade"])


LEG = {"underlying": "NIFTY", "kind": "CE", "slot": "CURRENT_WEEK", "action": "SELL", "strike_mode": "OTM", "strike_offset": 2}

# What is wrong, the leg's fields, the field that is named, and a word of the reason.
SAVED = [
    ("strike off grid", {"strike_mode": "STRIKE", "strike_offset": 0, "strike_value": "24025"}, "strike_value", "grid"),
    ("price off tick", {"price_type": "LIMIT", "limit_price": "44.03"}, "limit_price", "tick"),
    ("trigger off tick", {"price_type": "SL_M", "trigger_price": "44.03"}, "trigger_price", "tick"),
    ("missing limit price", {"price_type": "LIMIT"}, "limit_price", "above 0"),
    ("expired date", {"slot": "DATE", "expiry_date": "2026-11-19"}, "expiry_date", "passed"),
]


@pytest.mark.parametrize(("what", "change", "field", "why"), SAVED, ids=[row[0] for row in SAVED])
def test_a_leg_that_cannot_be_saved(alice, caller, what, change, field, why):
    one = account(1)
    posted = typed([one]) | {f"legs-0-{name}": value for name, value in change.items()}
    answer = alice.post("/strategies/new", posted)
    page = text_of(answer)
    assert answer.status_code == 422
    assert why in page.split(f'id="id_legs-0-{field}', 1)[1].split("field-error", 1)[1][:200], what
    body = {"name": "X", "product": "NRML", "accounts": [one.pk], "legs": [LEG | change]}
    refused = caller.post("strategies", body)
    assert refused.status_code == 400 and why in refused.json()["error"]["fields"][f"legs-0-{field}"]
    assert not Strategy.objects.exists() and not Version.objects.exists()


def test_lots_as_text_and_foreign_accounts(alice, caller):
    one, foreign = account(1), 4711
    assert "whole number" in text_of(alice.post("/strategies/new", typed([one]) | {"legs-0-lots": "two"}))
    assert alice.post("/strategies/new", typed([one]) | {"accounts": [foreign]}).status_code == 422
    body = {"name": "X", "product": "NRML", "accounts": [one.pk], "legs": [LEG | {"lots": "two"}]}
    refused = caller.post("strategies", body)
    assert refused.status_code == 400 and "lots" in str(refused.json()["error"]["fields"])
    refused = caller.post("strategies", body | {"accounts": [foreign], "legs": [LEG]})
    assert refused.status_code in (400, 404)
    assert not Strategy.objects.exists()


def test_an_account_that_is_not_the_program_s_is_not_told_to_exist():
    mine, other = account(1), account(2)
    caller = Caller.of(stage.alice(), scopes=["read", "trade"], accounts=[mine.pk])
    body = {"name": "X", "product": "NRML", "accounts": [other.pk], "legs": [LEG]}
    assert caller.post("strategies", body).status_code == 404
    version = stage.saved([mine, other])
    assert caller.post(f"strategies/{version.strategy_id}/preview").status_code == 404 and not Plan.objects.exists()


def calendar_of_one_date():
    near = stage.leg(1, "SELL", "ATM", "CE")
    far = LegSpec(2, "NIFTY", "CE", "DATE", "BUY", "OTM", 1, 1, expiry_date=stage.WEEK)
    return [near, far]


# What the market does not offer now; the plan is refused and says which leg.
PLANNED = [
    ("equal calendar legs", calendar_of_one_date, "LEGS_NOT_DISTINCT"),
    (
        "a slot that is not listed",
        lambda: [LegSpec(1, "NIFTY", "CE", "DATE", "SELL", "ATM", 0, 1, expiry_date=date(2026, 12, 3))],
        "SLOT_UNAVAILABLE",
    ),
    ("an unlisted strike", lambda: [stage.leg(1, "SELL", "OTM", "CE", 20)], "INSTRUMENT_UNKNOWN"),
]


@pytest.mark.parametrize(("what", "legs", "code"), PLANNED, ids=[row[0] for row in PLANNED])
def test_a_leg_that_the_market_does_not_offer(alice, caller, what, legs, code):
    version = stage.saved([account(1)], legs=legs())
    shown = alice.post(f"/strategies/{version.strategy_id}/preview", headers=HTMX)
    assert shown.status_code == 422 and code in text_of(shown) and "Leg" in text_of(shown), what
    refused = caller.post(f"strategies/{version.strategy_id}/preview")
    assert refused.status_code == 422 and code in str(refused.json()) and not Plan.objects.exists()


def _closed(_now):
    _now.set(datetime(2026, 11, 20, 10, 30, tzinfo=UTC))  # 16:00 in India


def _holiday(_now):
    Holiday.objects.create(exchange="NFO", date=stage.NOW.date(), name="Snow")
    calendar.forget()


@pytest.mark.parametrize(("act", "why"), [(_closed, "NFO is closed"), (_holiday, "holiday, Snow")])
def test_a_closed_market_and_a_holiday_send_nothing(alice, caller, _now, act, why):
    one = account(1)
    version = stage.saved([one])
    act(_now)
    stage.market()
    stage.funds_read(one)
    stage.books_read(one)
    calendar.forget()
    assert alice.post(f"/strategies/{version.strategy_id}/preview", headers=HTMX).status_code == 200
    plan = Plan.objects.get()
    body = {"plan": plan.key, "digest": plan.digest, "idempotency_key": "k"}
    shown = alice.post("/runs/start", body, headers=HTMX)
    assert shown.status_code == 422 and "SESSION_CLOSED" in text_of(shown) and why in text_of(shown)
    refused = caller.post("runs", {"plan_id": plan.key, "plan_hash": plan.digest})
    assert refused.status_code == 422 and why in refused.json()["error"]["message"]
    assert not Run.objects.exists() and not Order.objects.exists()


def test_two_clicks_two_tabs_and_a_proxy_s_repeat_are_one_run(alice, caller):
    one = account(1)
    version = stage.saved([one])
    alice.post(f"/strategies/{version.strategy_id}/preview", headers=HTMX)
    plan = Plan.objects.get()
    click = {"plan": plan.key, "digest": plan.digest, "idempotency_key": "click"}
    tab = click | {"idempotency_key": "other tab"}
    asked = {"plan_id": plan.key, "plan_hash": plan.digest}
    where = {alice.post("/runs/start", body).url for body in (click, click, tab, tab)}
    by_program = [caller.post("runs", asked, key=key).json() for key in ("p", "p", "q")]
    run = Run.objects.get()
    assert where == {f"/runs/{run.pk}"}
    assert [answer["replayed"] for answer in by_program] == [False, True, False]
    assert {answer["run"]["id"] if "run" in answer else answer["id"] for answer in by_program} == {run.pk}
    assert Order.objects.count() == 4 and run.books.count() == 1
