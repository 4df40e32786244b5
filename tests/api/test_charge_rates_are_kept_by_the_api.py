"""The owner's programs keep the dated rates of charges; every change is journaled with what it was."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from algomirror.ops.models import Journal
from risk.models import ChargeRate
from risk.services import margins
from tests.api.caller import Caller, account
from tests.strategies import stage

D = Decimal
RATE = {"item": "STT", "exchange": "NFO", "is_future": False, "effective_from": "2026-12-01", "share": "0.002"}


def put(caller: Caller, **change: Any) -> Any:
    return caller.send("PUT", "reference/charges", RATE | change)


def rate_on(day: date) -> Decimal | None:
    rates = margins.RateBook().on("NFO", False, day)
    return None if rates is None else rates.stt


def test_a_rate_counts_from_its_day_on_and_not_before(owner: Caller) -> None:
    assert put(owner).json()["changed"] == 1
    assert (rate_on(date(2026, 11, 30)), rate_on(date(2026, 12, 1))) == (D("0.0015"), D("0.002"))
    row = Journal.objects.get(kind="charges.rate")
    assert row.actor.startswith("user:alice token:") and row.subject == "STT NFO"
    assert row.numbers["share"] == "0.002" and row.numbers["start"] == "2026-12-01" and "was" not in row.numbers


def test_the_same_day_names_the_row_and_the_journal_keeps_what_it_was(owner: Caller) -> None:
    put(owner)
    assert put(owner).json()["changed"] == 0, "it is so already"
    assert put(owner, share="0.00250").json()["changed"] == 1
    assert ChargeRate.objects.filter(effective_from="2026-12-01").count() == 1 and rate_on(date(2026, 12, 1)) == D("0.0025")
    assert [row.numbers.get("was", {}).get("share") for row in Journal.objects.filter(kind="charges.rate").order_by("id")] == [
        None,
        "0.002",
    ]


def test_all_rates_are_read_with_what_counts_today(owner: Caller) -> None:
    put(owner)
    rows = [row for row in owner.get("reference/charges").json() if (row["item"], row["exchange"]) == ("STT", "NFO")]
    options = [(row["effective_from"], row["share"], row["in_force"]) for row in rows if not row["is_future"]]
    assert options[0] == ("2026-12-01", "0.002000000", False) and options[1][1:] == ("0.001500000", True)
    assert [in_force for *_, in_force in options].count(True) == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"item": "TIP"}, "item"),
        ({"item": "EXERCISE_STT", "is_future": True}, "item"),
        ({"exchange": "MCX"}, "exchange"),
        ({"effective_from": "tomorrow"}, "effective_from"),
        ({"share": "-0.1"}, "share"),
        ({"share": "1"}, "share"),
        ({"share": "NaN"}, "share"),
        ({"share": "0.00000000001"}, "share"),
        ({"is_future": "perhaps"}, "is_future"),
        ({"rate": "0.1"}, "rate"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_saved(owner: Caller, change: dict[str, Any], field: str) -> None:
    before = ChargeRate.objects.count()
    answer = put(owner, **change)
    assert answer.status_code == 400 and field in answer.json()["error"]["fields"], answer.content
    assert ChargeRate.objects.count() == before and not Journal.objects.filter(kind="charges.rate").exists()


@pytest.mark.parametrize(
    "what", [None, [], "x", 7, {}, {"item": None, "exchange": [], "share": {}, "effective_from": 0, "is_future": None}]
)
def test_nonsense_is_400(owner: Caller, what: Any) -> None:
    assert owner.send("PUT", "reference/charges", what).status_code == 400


def test_a_zero_rate_is_a_rate(owner: Caller) -> None:
    assert put(owner, share="0").json()["changed"] == 1 and rate_on(date(2026, 12, 1)) == 0


def test_only_the_owner_for_all_accounts_may_write() -> None:
    trader = Caller.of(stage.person("bob", "TRADER"), scopes=["read", "trade", "exit"])
    assert trader.get("reference/charges").status_code == 200
    lent = Caller.of(stage.alice(), scopes=["read", "admin"], accounts=[account(1).pk])
    for caller in (trader, lent, Caller.of(stage.alice(), scopes=["read", "trade"])):
        assert put(caller).status_code == 403
    assert not ChargeRate.objects.filter(effective_from="2026-12-01").exists()


def test_a_repeat_of_the_command_answers_as_the_first(owner: Caller) -> None:
    first, again = (owner.send("PUT", "reference/charges", RATE, key="rate-1").json() for _ in range(2))
    assert (first["changed"], first["replayed"], again["changed"], again["replayed"]) == (1, False, 1, True)


def test_the_admin_goes_the_same_way() -> None:
    row = ChargeRate.objects.get(item="STT", exchange="NFO", is_future=False, effective_from="2026-04-01")
    row.exchange = "BFO"
    row.effective_from = date(2026, 12, 5)
    assert margins.save_rate(row, by="user:alice")
    assert Journal.objects.get(kind="charges.rate").numbers["was"]["exchange"] == "NFO"
    assert not margins.save_rate(row, by="user:alice"), "nothing was changed"
