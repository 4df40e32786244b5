"""The owner's programs keep calendar and contract terms, with the rules of the pages; everybody else only reads."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from algomirror.kernel import clock
from algomirror.ops.models import Journal
from marketdata import calendar, terms
from marketdata.models import ContractSpec, Holiday, TermsDispute, TradingHours
from tests.api.caller import Caller
from tests.strategies import stage

HOLIDAY = {"exchanges": ["NFO", "BFO"], "date": "2026-11-25", "name": "Announced late"}
SPECIAL = {"exchanges": ["NFO"], "date": "2026-11-29", "name": "Budget", "opens": "09:15", "closes": "15:30"}
HOURS = {"exchanges": ["NFO"], "weekdays": [0, 1], "opens": "09:15", "closes": "16:00", "effective_from": "2026-12-07"}
CUTOFF = {"exchanges": ["NFO", "BFO"], "broker": "Dhan", "at": "15:10", "effective_from": "2026-12-07"}
TERMS = {
    "underlying": "NIFTY", "expiring_from": "2027-01-05", "lot_units": 50, "freeze_units": 1500, "tick": "0.05",
    "source": "NSE/FAOP/70999",
}  # fmt: skip


def noon(day: str) -> Any:
    return clock.start_of(date.fromisoformat(day)) + (clock.start_of(date(2026, 1, 2)) - clock.start_of(date(2026, 1, 1))) / 2


def put(caller: Caller, what: str, body: dict[str, Any]) -> Any:
    return caller.send("PUT", f"reference/{what}", body)


def test_a_holiday_counts_at_once_and_its_retirement_too(owner: Caller) -> None:
    assert calendar.is_open("NFO", noon("2026-11-25"))
    assert len(put(owner, "calendar/holidays", HOLIDAY).json()["saved"]) == 2
    assert not calendar.is_open("NFO", noon("2026-11-25")) and calendar.is_open("NSE", noon("2026-11-25"))
    listed = owner.get("market/calendar", first="2026-11-25", last="2026-11-25").json()["holidays"]
    assert [(row["exchange"], row["name"]) for row in listed] == [("BFO", "Announced late"), ("NFO", "Announced late")]
    row = next(row["id"] for row in listed if row["exchange"] == "NFO")
    assert owner.post("reference/calendar/retire", {"kind": "HOLIDAY", "row": row}).status_code == 200
    assert calendar.is_open("NFO", noon("2026-11-25"))
    after = owner.get("market/calendar", first="2026-11-25", last="2026-11-25").json()["holidays"]
    assert [row["exchange"] for row in after] == ["BFO"], "a retired one is not listed as if it counted"
    assert Journal.objects.filter(kind__startswith="reference.", actor__startswith="user:alice token:").count() == 3


def test_a_special_session_and_new_hours_are_put(owner: Caller) -> None:
    assert put(owner, "calendar/special-sessions", SPECIAL).json()["saved"][0]["confirmed"] == "yes"
    assert calendar.is_open("NFO", noon("2026-11-29")), "a Sunday"
    assert len(put(owner, "calendar/hours", HOURS).json()["saved"]) == 2
    close = calendar.session_close("NFO", date(2026, 12, 7))
    assert close is not None and close.astimezone(clock.IST).hour == 16
    monday_before = calendar.session_close("NFO", date(2026, 11, 30))
    assert monday_before is not None and monday_before.astimezone(clock.IST).hour == 15


def test_a_cut_off_is_put_listed_and_ended(owner: Caller) -> None:
    assert len(put(owner, "calendar/cutoffs", CUTOFF).json()["saved"]) == 2
    mine = put(owner, "calendar/cutoffs", CUTOFF | {"broker": "", "account": stage.account(9).name, "at": "15:00"})
    assert [row["closes"] for row in mine.json()["saved"]] == ["15:00:00"] * 2
    listed = owner.get("market/calendar").json()["mis_cutoffs"]
    assert {(row["exchange"], row["broker"], row["account"], row["at"]) for row in listed} == {
        (exchange, broker, account, at)
        for exchange in ("NFO", "BFO")
        for broker, account, at in (("dhan", None, "15:10:00"), ("", "Account 9", "15:00:00"))
    }
    ended = {"kind": "CUTOFF", "row": listed[0]["id"], "last_day": "2027-01-29"}
    assert owner.post("reference/calendar/retire", ended).status_code == 200
    assert owner.get("market/calendar").json()["mis_cutoffs"][0]["effective_to"] == "2027-01-29"


@pytest.mark.parametrize(
    ("what", "body", "change", "field"),
    [
        ("calendar/holidays", HOLIDAY, {"exchanges": []}, "exchanges"),
        ("calendar/holidays", HOLIDAY, {"exchanges": ["MCX"]}, "exchanges"),
        ("calendar/holidays", HOLIDAY, {"kind": "LUNCH"}, "kind"),
        ("calendar/special-sessions", SPECIAL, {"closes": "09:00"}, "closes"),
        ("calendar/hours", HOURS, {"weekdays": [7]}, "weekdays"),
        ("calendar/hours", HOURS, {"effective_to": "2026-12-01"}, "effective_to"),
        ("calendar/cutoffs", CUTOFF, {"at": "noon"}, "at"),
        ("calendar/cutoffs", CUTOFF, {"account": "Nobody"}, "account"),
        ("calendar/cutoffs", CUTOFF, {"effective_to": "2026-12-01"}, "effective_to"),
        ("terms", TERMS, {"underlying": "NOBODY"}, "underlying"),
        ("terms", TERMS, {"lot_units": 0}, "lot_units"),
        ("terms", TERMS, {"expiring_to": "2026-12-01"}, "expiring_to"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_saved(
    owner: Caller, what: str, body: dict[str, Any], change: dict[str, Any], field: str
) -> None:
    before = (Holiday.objects.count(), TradingHours.objects.count(), ContractSpec.objects.count())
    answer = put(owner, what, body | change)
    assert answer.status_code in (400, 422) and field in str(answer.json()["error"]), answer.content
    assert (Holiday.objects.count(), TradingHours.objects.count(), ContractSpec.objects.count()) == before


def test_terms_are_put_once_and_changed_by_the_same_start(owner: Caller) -> None:
    assert put(owner, "terms", TERMS).json()["changed"] == 1
    assert put(owner, "terms", TERMS).json()["changed"] == 0
    assert put(owner, "terms", TERMS | {"lot_units": 75, "confirmed": True}).json()["changed"] == 1
    spec = ContractSpec.objects.get(underlying__symbol="NIFTY", expiring_from="2027-01-05")
    assert (spec.lot_units, spec.freeze_units, spec.confirmed) == (75, 1500, True)


def test_disputes_are_listed_and_decided(owner: Caller) -> None:
    today = clock.today()
    put(owner, "terms", TERMS | {"expiring_from": "2026-01-01"})
    row = TermsDispute.objects.create(
        underlying="NIFTY", expiry=stage.WEEK, field="lot", listed="75", held="65", first_seen_on=today, last_seen_on=today
    )
    (listed,) = owner.get("reference/disputes").json()
    assert (listed["listed"], listed["held"], listed["state"]) == ("75", "65", "OPEN")
    path = f"reference/disputes/{row.pk}"
    assert owner.post(f"{path}/override", {"reason": ""}).status_code == 400
    assert owner.post(f"{path}/override", {"reason": "circular"}).json()["state"] == "OVERRIDDEN"
    assert terms.disputed() == {}
    restored = owner.post(f"{path}/restore", {})
    assert restored.json().get("state") == "OPEN", restored.content
    accepted = owner.post(f"{path}/accept", {"onwards": False})
    assert accepted.json().get("state") == "ACCEPTED", accepted.content
    assert owner.post(f"{path}/accept", {}).status_code == 409
    assert owner.post("reference/disputes/999/accept", {}).status_code == 404


def test_a_trader_only_reads() -> None:
    trader = Caller.of(stage.person("bob", "TRADER"), scopes=["read", "trade", "exit"])
    assert trader.get("reference/disputes").status_code == 200
    assert put(trader, "calendar/holidays", HOLIDAY).status_code == 403
    assert not Holiday.objects.filter(name="Announced late").exists()
