"""The analytics page: realised by day, charges, equity, slippage, by every measure, and as files."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from algomirror.kernel import clock
from algomirror.ops.sheets import Table, csv_lines, workbook
from strategies.analytics.page import analytics, default_wish, equity_series
from strategies.analytics.reading import Wish
from strategies.domain.returns import Filled, earned, equity, record, start_of, weeks
from tests import cast, page_rules
from trading.domain.positions import Traded, fold
from trading.models import Run

FRIDAY, THURSDAY = date(2026, 11, 20), date(2026, 11, 19)
MONEY = Decimal


@pytest.fixture(autouse=True)
def now(db: None) -> Any:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        yield frozen


def traded(name: str = "Zerodha Anil", *, sold: str = "104.00", bought: str = "100.00", run: Run | None = None) -> Run:
    """A short of one lot, opened and closed today on an account of that name."""
    from accounts.models import Account

    of = Account.objects.filter(name=name).first() or cast.account(name)
    made = run or cast.run(state="CLOSED", exit_reason="MAX_PROFIT", flat_at=clock.now() + timedelta(minutes=30))
    book = cast.book(of, made)
    cast.position(book, price=sold)
    cast.fill(cast.order(book, action="BUY", purpose="EXIT", decision_price=MONEY("99.50")), price=bought)
    return made


def test_a_closed_run_is_shown_gross_charges_and_net() -> None:
    traded()
    found = analytics(default_wish())
    assert found.total.gross == MONEY(260)
    # Two orders: brokerage 40, STT 10.14, transaction 4.7101…, SEBI, stamp and GST on top.
    assert found.total.charges is not None
    assert MONEY(60) < found.total.charges < MONEY(65)
    assert found.total.net == found.total.gross - found.total.charges
    assert found.record.won == 1
    shown = page_rules.text_of(cast.signed_in(cast.bob()).get("/analytics"))
    assert "+₹260.00" in shown
    assert "By exit reason" in shown


def test_what_closes_today_counts_today_also_when_it_was_opened_before(now: clock.FrozenClock) -> None:
    anil = cast.account()
    book = cast.book(anil, cast.run())
    now.advance(-86_400)
    cast.position(book, price="104.00")
    now.advance(86_400)
    cast.fill(cast.order(book, action="BUY", units=65), price="100.00")
    by_day = {one.key: one.gross for one in analytics(default_wish()).days}
    assert by_day == {THURSDAY: MONEY(0), FRIDAY: MONEY(260)}
    only_today = analytics(Wish(FRIDAY, FRIDAY, "PAPER"))
    assert only_today.total.gross == MONEY(260)


def test_slippage_is_the_sum_over_fills_of_both_sides() -> None:
    traded()
    # Sold at 104 decided at 105: -65. Bought at 100 decided at 99.50: -32.50.
    assert analytics(default_wish()).total.slippage == MONEY("-97.5")


def test_paper_and_live_money_are_never_summed_together() -> None:
    traded()
    live = cast.account("Live Lata", mode="LIVE")
    cast.position(cast.book(live, cast.run(mode="LIVE")), price="50.00")
    assert default_wish().mode == "LIVE"
    assert analytics(default_wish()).total.gross == 0
    assert analytics(default_wish("PAPER")).total.gross == MONEY(260)


def test_a_missing_rate_makes_charges_and_net_unknown_not_zero() -> None:
    from risk.models import ChargeRate

    traded()
    ChargeRate.objects.filter(exchange="NFO", item="STT").delete()
    found = analytics(default_wish())
    assert (found.total.charges, found.total.net, found.drawdown) == (None, None, None)
    assert found.total.gross == MONEY(260)
    assert equity_series(default_wish())["t"] == []


def test_filters_narrow_by_account_strategy_and_days() -> None:
    traded("Anil One", run=cast.run("Condor", strategy_id=7, state="CLOSED"))
    traded("Bina Two", bought="110.00", run=cast.run("Fly", strategy_id=8, state="CLOSED"))
    from accounts.models import Account

    bina = Account.objects.get(name="Bina Two")
    usual = default_wish()
    assert analytics(Wish(usual.first, usual.last, "PAPER", account=bina.pk)).total.gross == MONEY(-390)
    assert analytics(Wish(usual.first, usual.last, "PAPER", strategy=7)).total.gross == MONEY(260)
    assert analytics(Wish(usual.first, usual.last, "PAPER", strategy=0)).is_empty
    assert analytics(Wish(THURSDAY, THURSDAY, "PAPER")).is_empty


def test_the_matrix_adds_up_to_the_total() -> None:
    run = cast.run("Condor", state="CLOSED")
    traded("Anil One", run=run)
    traded("Bina Two", bought="110.00", run=run)
    found = analytics(default_wish())
    assert found.matrix_head == ["Anil One", "Bina Two"]
    assert sum(cell for _, cells in found.matrix for cell in cells if cell is not None) == found.total.net
    assert sum(one.net for one in found.accounts if one.net is not None) == found.total.net


@pytest.mark.parametrize(
    ("span", "title"), [("day", "Fri 20 Nov 2026"), ("week", "Mon 16 Nov 2026"), ("month", "Sun 1 Nov 2026")]
)
def test_days_are_summed_by_week_and_month_when_asked(span: str, title: str) -> None:
    traded()
    shown = page_rules.text_of(cast.signed_in(cast.alice()).get("/analytics", {"span": span}))
    assert f"By {span}" in shown
    assert title in shown


@pytest.mark.parametrize(
    ("asked", "field"),
    [("first=2026-11-20&last=2026-11-01", "before the first day"), ("first=2020-01-01&last=2026-11-20", "two years"),
     ("first=soon", "Enter a valid date"), ("mode=GOLD", "Select a valid choice")],
)  # fmt: skip
def test_a_wrong_filter_names_its_field_and_shows_the_usual_period(asked: str, field: str) -> None:
    traded()
    shown = page_rules.text_of(cast.signed_in(cast.alice()).get(f"/analytics?{asked}"))
    assert field in shown
    assert "+₹260.00" in shown


def test_an_empty_period_says_what_to_do() -> None:
    assert "Nothing was traded in this period" in page_rules.text_of(cast.signed_in(cast.alice()).get("/analytics"))


def test_every_table_leaves_as_csv_with_exact_numbers() -> None:
    traded()
    client = cast.signed_in(cast.alice())
    for kind, first in (
        ("days", "day"),
        ("runs", "run"),
        ("strategies", "strategy"),
        ("accounts", "account"),
        ("reasons", "exit"),
    ):
        response = client.get(f"/analytics/export/{kind}")
        lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
        assert lines[0].startswith(first)
        assert "260" in lines[1]
    assert client.get("/analytics/export/nothing").status_code == 404


def test_the_workbook_opens_and_holds_every_table() -> None:
    traded()
    content = cast.signed_in(cast.alice()).get("/analytics/export/xlsx").content
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        for name in file.namelist():
            ElementTree.fromstring(file.read(name))
        assert file.read("xl/workbook.xml").count(b"<sheet ") == 6
        days = file.read("xl/worksheets/sheet1.xml").decode()
    # 20 November 2026 as a spreadsheet counts days.
    assert '<c s="3"><v>46346</v></c>' in days
    assert '<c s="2"><v>260.000000</v></c>' in days


@pytest.mark.parametrize("text", ["=1+1", "+x", "-x", "@x", "\tx"])
def test_text_that_a_spreadsheet_would_run_stays_text(text: str) -> None:
    table = Table("t", ("name",), [[text]])
    assert list(csv_lines(table))[1].lstrip('"').startswith("'")
    with zipfile.ZipFile(io.BytesIO(workbook([table]))) as file:
        assert "<f>" not in file.read("xl/worksheets/sheet1.xml").decode()


def test_unknown_is_an_empty_cell_in_files() -> None:
    table = Table("a/b:c", ("x", "y"), [[None, MONEY("-1.50")], [3, "\x07ring"]])
    assert list(csv_lines(table))[1:] == [",-1.50\r\n", "3,\x07ring\r\n"]
    with zipfile.ZipFile(io.BytesIO(workbook([table]))) as file:
        sheet = ElementTree.fromstring(file.read("xl/worksheets/sheet1.xml"))
        assert b'name="a b c"' in file.read("xl/workbook.xml")
    assert len(sheet.findall(".//{*}row")) == 3


def test_the_equity_curve_starts_at_nothing_and_falls_below_its_best() -> None:
    points = equity({FRIDAY: MONEY(-30), THURSDAY: MONEY(100)})
    assert [(p.day, p.net, p.drawdown) for p in points] == [(THURSDAY, MONEY(100), MONEY(0)), (FRIDAY, MONEY(70), MONEY(30))]
    assert equity({FRIDAY: MONEY(-5)})[0].drawdown == MONEY(5)
    traded()
    series = cast.signed_in(cast.alice()).get("/analytics/equity.json").json()
    assert series["pnl"][0] == "0.00"
    assert len(series["t"]) == len(series["pnl"]) == len(series["drawdown"]) == 2
    assert datetime.fromtimestamp(series["t"][1], UTC).date() == FRIDAY


def test_a_record_of_results() -> None:
    found = record([MONEY(100), MONEY(-50), MONEY(0), MONEY(300)])
    assert (found.count, found.won, found.lost, found.win_rate) == (4, 2, 1, MONEY(50))
    assert (found.expectancy, found.payoff) == (MONEY("87.5"), MONEY(4))
    assert record([]).win_rate is None
    assert record([MONEY(1)]).payoff is None


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    assert (start_of(FRIDAY, "day"), start_of(FRIDAY, "week"), start_of(FRIDAY, "month")) == (
        FRIDAY,
        date(2026, 11, 16),
        date(2026, 11, 1),
    )
    rows = weeks({FRIDAY: MONEY(50), THURSDAY: MONEY(-100)}, date(2026, 11, 12), FRIDAY)
    assert [len(row) for row in rows] == [7, 7]
    squares = {square.day: square for row in rows for square in row}
    assert (squares[THURSDAY].heat, squares[FRIDAY].heat, squares[date(2026, 11, 18)].net) == (4, 2, None)


fills = st.lists(
    st.tuples(st.sampled_from(["BUY", "SELL"]), st.integers(1, 300), st.integers(5, 90_000), st.integers(0, 5)), max_size=30
)


@given(fills)
def test_days_add_up_to_what_the_fold_realised(rows: list[tuple[Any, int, int, int]]) -> None:
    rows = sorted(rows, key=lambda row: row[3])
    made = [Filled(1, ("NFO", "X", "NRML"), THURSDAY + timedelta(days=d), a, u, MONEY(p) * u / 20, None) for a, u, p, d in rows]
    whole = fold(Traded(f.action, f.units, f.value) for f in made)
    assert sum((one.gross for one in earned(made).values()), MONEY(0)) == whole.realised


def test_the_number_of_queries_does_not_depend_on_the_number_of_runs() -> None:
    for number in range(6):
        traded(f"Account {number}")
    with CaptureQueriesContext(connection) as asked:
        analytics(default_wish())
    assert len(asked) <= 14


def test_the_page_keeps_the_rules_of_pages() -> None:
    traded()
    client = cast.signed_in(cast.alice())
    before = page_rules.world()
    response = client.get("/analytics")
    assert page_rules.inline_parts(response) == []
    assert page_rules.world() == before
    assert re.search(r"heat-up-4", page_rules.text_of(response))
