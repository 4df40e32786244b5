"""Turnover as income tax counts it, by examples reckoned by hand, and the page of a tax year."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account
from accounts.services import people
from algomirror.kernel import clock
from strategies.domain.turnover import Dealt, closed_trades, first_and_last, months_of, tax_year_of, turnover
from strategies.reports.year import year_report
from tests import cast, page_rules
from tests.strategies import stage
from trading.domain.positions import Traded, fold

D = Decimal
DAY = date(2026, 11, 20)
CALL: Any = (1, ("NFO", "CALL", "NRML"))
PUT: Any = (1, ("NFO", "PUT", "NRML"))


def dealt(order: int, action: Any, units: int, price: str, *, place: Any = CALL, day: date = DAY) -> Dealt:
    return Dealt(place, order, day, action, units, units * D(price))


def test_a_gain_and_a_loss_add_up_and_are_not_set_off() -> None:
    """Sold 65 at 200, bought at 150: +3,250. Bought 65 at 100, sold at 80: −1,300. Turnover 4,550, gross 1,950."""
    trades = closed_trades(
        [dealt(1, "SELL", 65, "200"), dealt(2, "BUY", 65, "150"), dealt(3, "BUY", 65, "100"), dealt(4, "SELL", 65, "80")]
    )
    assert [(t.order_id, t.result) for t in trades] == [(2, D(3250)), (4, D(-1300))]
    assert turnover(t.result for t in trades) == D(4550)


def test_premium_of_a_sold_option_is_not_added_once_more() -> None:
    """Sold 65 at 200 (premium 13,000), settled worthless at expiry: turnover 13,000, not 26,000."""
    trades = closed_trades([dealt(1, "SELL", 65, "200"), dealt(2, "BUY", 65, "0")])
    assert turnover(t.result for t in trades) == D(13000)


def test_pieces_of_one_order_are_one_trade() -> None:
    """Bought 65 at 100; one order sells 30 at 103 (+90) and 35 at 98 (−70): one trade of +20, turnover 20 and not 160."""
    trades = closed_trades([dealt(1, "BUY", 65, "100"), dealt(2, "SELL", 30, "103"), dealt(2, "SELL", 35, "98")])
    assert [t.result for t in trades] == [D(20)]


def test_two_orders_are_two_trades() -> None:
    trades = closed_trades([dealt(1, "BUY", 65, "100"), dealt(2, "SELL", 30, "103"), dealt(3, "SELL", 35, "98")])
    assert turnover(t.result for t in trades) == D(160)


def test_what_is_still_open_is_no_turnover() -> None:
    assert closed_trades([dealt(1, "SELL", 65, "200"), dealt(2, "SELL", 65, "210")]) == []
    assert turnover([]) == 0


def test_an_order_through_zero_closes_only_what_was_there() -> None:
    """Long 65 at 100, sell 130 at 110: 65 closed for +650, the rest is a new short; bought back at 115: −325."""
    trades = closed_trades([dealt(1, "BUY", 65, "100"), dealt(2, "SELL", 130, "110"), dealt(3, "BUY", 65, "115")])
    assert [t.result for t in trades] == [D(650), D(-325)]


def test_an_average_is_the_cost_of_what_is_closed() -> None:
    """Bought 65 at 100 and 65 at 120 (average 110), sold 65 at 115: +325."""
    trades = closed_trades([dealt(1, "BUY", 65, "100"), dealt(2, "BUY", 65, "120"), dealt(3, "SELL", 65, "115")])
    assert [t.result for t in trades] == [D(325)]


ROWS = st.lists(
    st.tuples(st.sampled_from([CALL, PUT]), st.sampled_from(["BUY", "SELL"]), st.integers(1, 300), st.integers(1, 60_000)),
    max_size=30,
)


@given(ROWS)
def test_trades_add_up_to_what_was_realised_and_turnover_is_never_less(rows: list[Any]) -> None:
    fills = [Dealt(place, n, DAY, action, units, units * D(paisa) / 100) for n, (place, action, units, paisa) in enumerate(rows)]
    results = [trade.result for trade in closed_trades(fills)]
    realised = sum(
        (fold(Traded(f.action, f.units, f.value) for f in fills if f.place == place).realised for place in (CALL, PUT)), D(0)
    )
    assert sum(results, D(0)) == realised
    assert turnover(results) >= abs(realised)
    assert turnover(-result for result in results) == turnover(results)


@given(ROWS, st.integers(1, 50))
def test_how_an_order_was_filled_makes_no_difference(rows: list[Any], cut: int) -> None:
    """Each order at one price, once whole and once in two pieces; the cost of a part is rounded to a millionth."""
    whole, pieces = [], []
    for n, (place, action, units, paisa) in enumerate(rows):
        price = D(paisa) / 100
        whole.append(Dealt(place, n, DAY, action, units, units * price))
        first = min(cut, units)
        parts = [first, units - first] if units > first else [units]
        pieces += [Dealt(place, n, DAY, action, part, part * price) for part in parts]
    gap = turnover(t.result for t in closed_trades(whole)) - turnover(t.result for t in closed_trades(pieces))
    assert abs(gap) < D("0.001")


@pytest.mark.parametrize(
    ("day", "year"),
    [(date(2026, 3, 31), 2025), (date(2026, 4, 1), 2026), (date(2027, 3, 31), 2026), (date(2027, 4, 1), 2027)],
)
def test_the_tax_year_begins_on_the_first_of_april(day: date, year: int) -> None:
    assert tax_year_of(day) == year
    first, last = first_and_last(year)
    assert first <= day <= last
    assert day.replace(day=1) in months_of(year) and len(months_of(year)) == 12


# ---- the page ----


@pytest.fixture
def now(db: None) -> Any:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        stage.market()
        yield frozen


def trade(of: Account, sold: str, bought: str) -> None:
    book = cast.book(of, cast.run())
    cast.position(book, price=sold)
    cast.fill(cast.order(book, action="BUY", purpose="EXIT"), price=bought)


def test_months_and_accounts_add_up_to_the_year(now: clock.FrozenClock) -> None:
    anil, bina = cast.account("Anil"), cast.account("Bina")
    trade(anil, "104.00", "100.00")  # +260
    now.set(datetime(2026, 10, 9, 5, 0, tzinfo=UTC))
    trade(anil, "100.00", "110.00")  # −650
    trade(bina, "100.00", "99.00")  # +65
    now.set(cast.FRIDAY)
    found = year_report(2026, "PAPER")
    months = dict(found.by_month)
    assert [month.month for month in found.months] == [4, 5, 6, 7, 8, 9, 10, 11]
    assert (months[date(2026, 10, 1)].turnover, months[date(2026, 10, 1)].gross) == (D(715), D(-585))
    assert (months[date(2026, 11, 1)].turnover, months[date(2026, 4, 1)].turnover) == (D(260), D(0))
    by_name = {tag.name: one for tag, one in found.by_account}
    assert (by_name["Anil"].turnover, by_name["Anil"].trades, by_name["Bina"].gross) == (D(910), 2, D(65))
    assert (found.total.turnover, found.total.gross) == (D(975), D(-325))
    assert sum((one.net for _, one in found.by_month if one.net is not None), D(0)) == found.total.net
    assert found.total.costs.orders == 6
    assert year_report(2026, "PAPER", bina).total.turnover == D(65)
    assert year_report(2025, "PAPER").is_empty and year_report(2026, "LIVE").is_empty


def test_a_trade_counts_in_the_year_in_which_it_was_closed(now: clock.FrozenClock) -> None:
    anil = cast.account()
    now.set(datetime(2026, 3, 31, 5, 0, tzinfo=UTC))
    position = cast.position(cast.book(anil, cast.run()), price="104.00")
    now.set(datetime(2026, 4, 1, 5, 0, tzinfo=UTC))
    cast.fill(cast.order(position.book, action="BUY", purpose="EXIT"), price="100.00")
    before, after = year_report(2025, "PAPER"), year_report(2026, "PAPER")
    assert (before.total.trades, before.total.costs.orders) == (0, 1)
    assert (after.total.turnover, after.total.costs.orders) == (D(260), 1)
    # The charge of each order stands at the rate of its own day: STT was 0.10 % until 31 March.
    assert before.total.costs.of("stt") == D("6.76")


def test_a_missing_rate_is_unknown_in_its_month_and_in_the_year_only(now: clock.FrozenClock) -> None:
    from risk.models import ChargeRate

    anil = cast.account()
    trade(anil, "104.00", "100.00")
    ChargeRate.objects.filter(exchange="NFO", item="STAMP").delete()
    found = year_report(2026, "PAPER")
    assert (found.total.costs.total, found.total.net, found.total.turnover) == (None, None, D(260))
    assert dict(found.by_month)[date(2026, 10, 1)].net == 0


def test_the_page_says_how_it_is_counted_and_that_it_is_no_advice(now: clock.FrozenClock) -> None:
    trade(cast.account(), "104.00", "100.00")
    answer = cast.signed_in(cast.bob()).get("/reports/tax-year", {"year": 2026})
    shown = page_rules.text_of(answer)
    assert answer.status_code == 200
    assert "no tax advice" in shown and "losses counted as if they were gains" in shown
    assert "Wed 1 Apr 2026 to Wed 31 Mar 2027" in shown and "November 2026" in shown and "₹260.00" in shown


def test_it_leaves_as_csv_and_as_a_workbook(now: clock.FrozenClock) -> None:
    trade(cast.account("Anil"), "104.00", "100.00")
    client = cast.signed_in(cast.bob())
    for kind, first in (("months", "2026-04"), ("accounts", "Anil"), ("cells", "Anil")):
        answer = client.get(f"/reports/tax-year/file/{kind}", {"year": 2026})
        head, row, *rest = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
        assert row.startswith(first) and "turnover" in head
        last = dict(zip(head.split(","), (rest or [row])[-1].split(","), strict=True))
        assert (D(last["turnover"]), last["stt"], last["orders"]) == (D(260), "10.14", "2")
    book = client.get("/reports/tax-year/file/xlsx", {"year": 2026})
    with zipfile.ZipFile(io.BytesIO(book.content)) as file:
        assert file.read("xl/workbook.xml").count(b"<sheet ") == 3
    assert client.get("/reports/tax-year/file/pdf").status_code == 404


@pytest.mark.parametrize(
    ("asked", "words"), [("year=soon", "Enter a whole number"), ("year=1999", "2000"), ("mode=GOLD", "valid choice")]
)
def test_a_year_that_is_none_is_refused_by_name(now: clock.FrozenClock, asked: str, words: str) -> None:
    trade(cast.account(), "104.00", "100.00")
    answer = cast.signed_in(cast.bob()).get(f"/reports/tax-year?{asked}")
    assert answer.status_code == 422 and words in page_rules.text_of(answer)
    assert "By month" not in page_rules.text_of(answer)


def test_a_limited_person_sums_their_own_accounts_only(now: clock.FrozenClock) -> None:
    mine, other = cast.account("Mine"), cast.account("Theirs")
    trade(mine, "104.00", "100.00")
    trade(other, "200.00", "100.00")
    bob = cast.bob()
    people.assign(cast.alice(), bob.pk, [mine.pk])
    client = cast.signed_in(bob)
    shown = page_rules.text_of(client.get("/reports/tax-year"))
    assert "Theirs" not in shown and "₹260.00" in shown and "6,500" not in shown
    assert client.get("/reports/tax-year", {"account": other.pk}).status_code == 404
    assert client.get("/reports/tax-year/file/months", {"account": other.pk}).status_code == 404


def test_it_asks_no_more_for_more_trades(now: clock.FrozenClock) -> None:
    anil = cast.account()

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            found = year_report(2026, "PAPER")
            assert found.by_month and found.by_account
        return len(seen)

    trade(anil, "104.00", "100.00")
    few = asked()
    for _ in range(4):
        trade(anil, "104.00", "100.00")
    assert asked() == few <= 7
