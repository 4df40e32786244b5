"""Reports of execution and of charges, all four as JSON, CSV and XLSX, of what the caller may see and nothing else."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account, User
from accounts.services import people
from risk.models import ChargeRate
from tests import cast
from tests.api.caller import Caller
from tests.strategies import stage
from tests.strategies.test_what_was_earned_is_summed import traded
from trading.services import expire

D = Decimal
PARTS = ("brokerage", "stt", "exercise_stt", "transaction", "sebi", "stamp", "gst")
REPORTS = ("pnl", "equity", "execution", "charges")


@pytest.fixture
def two(_market: Any) -> tuple[Account, Account]:
    """Accounts that each sold one lot at 104 (decided at 105) and bought it back: Anil at 100, Bina at 110 (at 99.50)."""
    traded("Anil")
    traded("Bina", bought="110.00")
    return Account.objects.get(name="Anil"), Account.objects.get(name="Bina")


def test_execution_says_what_fills_lost_against_their_decisions(owner: Caller, two: Any) -> None:
    rows = {row["name"]: row for row in owner.get("reports/execution", group="account").json()}
    anil = rows["Anil"]
    assert (anil["orders"], anil["fills"], anil["turnover"]) == (2, 2, "13260.00")
    # Sold 65 a rupee below the decision, bought 65 half a rupee above it: 97.50 of 13,260.
    assert (anil["slippage"], anil["slippage_percent"]) == ("-97.50", "-0.7353")
    assert D(anil["cost"]) == D(anil["charges"]) + D("97.50")
    assert rows["Bina"]["slippage"] == "-747.50"


def test_what_was_decided_without_a_price_has_no_slippage_and_no_cost(owner: Caller) -> None:
    cast.position(cast.book(cast.account("Anil"), cast.run()), price="104.00", decision_price=None)
    (row,) = owner.get("reports/execution").json()
    assert (row["slippage"], row["slippage_percent"], row["cost"]) == (None, None, None) and row["charges"] is not None


def test_charges_are_told_by_kind_and_add_up_to_the_net(owner: Caller, two: Any) -> None:
    (day,) = owner.get("reports/charges").json()
    # Two lots sold at 104: STT 0.15 % of 13,520; bought at 100 and 110: stamp 0.003 % of 13,650; four orders.
    assert (day["name"], day["orders"], day["brokerage"]) == ("2026-11-20", 4, "80.00")
    assert (day["stt"], day["stamp"], day["exercise_stt"]) == ("20.28", "0.41", "0.00")
    assert abs(sum(D(day[part]) for part in PARTS) - D(day["total"])) <= D("0.05")
    (net,) = owner.get("reports/pnl").json()
    assert day["total"] == net["charges"]


def test_the_tax_on_exercise_is_a_part_of_its_own(owner: Caller, two: Any) -> None:
    before = owner.get("reports/charges").json()[0]
    book = cast.book(two[0], cast.run("Long"))
    cast.position(book, action="BUY", price="100.00", symbol=cast.PUT)
    cast.fill(cast.order(book, action="SELL", price_type=expire.PRICE_TYPE, broker_order_id="", symbol=cast.PUT), price="200.00")
    after = owner.get("reports/charges").json()[0]
    # 0.15 % of 65 x 200.
    assert (before["exercise_stt"], after["exercise_stt"]) == ("0.00", "19.50")
    assert after["total"] == owner.get("reports/pnl").json()[0]["charges"]


def test_a_missing_rate_leaves_every_part_unknown(owner: Caller, two: Any) -> None:
    ChargeRate.objects.filter(exchange="NFO", item="GST").delete()
    (day,) = owner.get("reports/charges").json()
    assert {day[part] for part in (*PARTS, "total")} == {None} and day["orders"] == 4
    (fills,) = owner.get("reports/execution").json()
    assert (fills["charges"], fills["cost"]) == (None, None) and fills["slippage"] == "-845.00"


@pytest.mark.parametrize("group", ["day", "week", "month", "strategy", "account", "reason", "run"])
@pytest.mark.parametrize("report", ["execution", "charges"])
def test_each_group_holds_all_of_it_once(owner: Caller, two: Any, report: str, group: str) -> None:
    rows = owner.get(f"reports/{report}", group=group).json()
    assert sum(row["orders"] for row in rows) == 4
    assert all((row["run"] is not None) == (group == "run") for row in rows)


@pytest.mark.parametrize("report", REPORTS)
def test_a_file_has_the_rows_and_the_names_of_the_json(owner: Caller, two: Any, report: str) -> None:
    rows = owner.get(f"reports/{report}").json()
    answer = owner.get(f"reports/{report}", file="csv")
    assert answer.headers["Content-Type"].startswith("text/csv") and f"{report}.csv" in answer.headers["Content-Disposition"]
    lines = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))
    assert [set(line) for line in lines] == [set(row) for row in rows] and lines
    for line, row in zip(lines, rows, strict=True):
        for name, value in row.items():
            assert _same(line[name], value), (name, line[name], value)
    book = owner.get(f"reports/{report}", file="xlsx")
    assert "spreadsheetml" in book.headers["Content-Type"] and f"{report}.xlsx" in book.headers["Content-Disposition"]
    sheet = zipfile.ZipFile(io.BytesIO(book.content)).read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row>") == len(rows) + 1 and set(rows[0]) <= set(re.findall(r">([a-z_]+)</t>", sheet))


def _same(cell: str, value: Any) -> bool:
    if value is None:
        return cell == ""
    try:
        return abs(D(cell) - D(str(value))) < D("0.01")
    except ArithmeticError:
        return cell == value


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("file", ["", "csv", "xlsx"])
def test_of_other_accounts_no_report_tells(owner: Caller, two: Any, report: str, file: str) -> None:
    """The same for a token that was lent one account and for a person who was given one."""
    anil, bina = two
    bob = stage.person("bob", "TRADER")
    people.assign(stage.alice(), bob.pk, [anil.pk])
    callers = [
        Caller.of(stage.alice(), scopes=["read"], accounts=[anil.pk]),
        Caller.of(User.objects.get(pk=bob.pk), scopes=["read"]),
    ]
    asked = {"group": "account"} if report != "equity" else {}
    wanted = _text(owner.get(f"reports/{report}", account=anil.pk, **asked, **({"file": file} if file else {})))
    for caller in callers:
        told = _text(caller.get(f"reports/{report}", **asked, **({"file": file} if file else {})))
        assert told == wanted and "Bina" not in told
        other = caller.get(f"reports/{report}", account=bina.pk, **asked).json()
        assert other == []


def _text(answer: Any) -> str:
    if answer.headers["Content-Type"].endswith("sheet"):
        return zipfile.ZipFile(io.BytesIO(answer.content)).read("xl/worksheets/sheet1.xml").decode()
    return (b"".join(answer) if answer.streaming else answer.content).decode()


@pytest.mark.parametrize("report", ["execution", "charges"])
@pytest.mark.parametrize(
    ("asked", "field"),
    [({"first": "2026-11-20", "last": "2026-11-01"}, "last"), ({"first": "2020-01-01"}, "first"), ({"group": "colour"}, "group"),
     ({"mode": "GOLD"}, "mode"), ({"file": "pdf"}, "file"), ({"accounts": 1}, "accounts")],
)  # fmt: skip
def test_what_is_wrong_is_named(owner: Caller, report: str, asked: dict[str, Any], field: str) -> None:
    answer = owner.get(f"reports/{report}", **asked)
    assert answer.status_code == 400 and field in answer.json()["error"]["fields"]


def test_a_name_that_a_spreadsheet_would_run_is_text(owner: Caller) -> None:
    traded("=1+1")
    lines = b"".join(owner.get("reports/charges", group="account", file="csv")).decode().splitlines()
    assert lines[1].startswith("'=1+1,")


def test_they_want_the_scope_read() -> None:
    caller = Caller.of(stage.alice(), scopes=["trade"])
    assert [caller.get(f"reports/{report}").status_code for report in REPORTS] == [403] * 4
