"""What each account holds of each instrument, and which run holds it there."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from algomirror.kernel import clock
from risk.models import TradingState
from risk.pages_accounts import account_positions
from tests import cast, page_rules


@pytest.fixture(autouse=True)
def now(db: None) -> Iterator[clock.FrozenClock]:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        yield frozen


def two_accounts() -> tuple[int, int]:
    run = cast.run()
    anil, bina = cast.account("Anil One"), cast.account("Bina Two")
    for of, lots in ((anil, 1), (bina, 2)):
        cast.position(cast.book(of, run), price="104.00", units=65 * lots)
    cast.position(cast.book(bina), symbol=cast.PUT, action="BUY", price="80.00")
    for key, price in ((cast.CALL, "100.00"), (cast.PUT, "81.00")):
        cast.quote(f"NFO:{key}", price)
    return anil.pk, bina.pk


def text(path: str = "/account-positions", *, who: str = "alice") -> str:
    return page_rules.text_of(cast.signed_in(cast.alice() if who == "alice" else cast.bob()).get(path))


def test_the_matrix_has_a_cell_for_each_account_and_instrument_and_adds_up() -> None:
    two_accounts()
    page = account_positions()
    assert page.instruments == [(cast.PUT, "NRML"), (cast.CALL, "NRML")]
    found = [[None if cell is None else (cell.units, cell.pnl) for cell in row.cells] for row in page.rows]
    assert found == [[None, (-65, Decimal(260))], [(65, Decimal(65)), (-130, Decimal(520))]]
    assert [(cell.units, cell.pnl) for cell in page.totals if cell] == [(65, Decimal(65)), (-195, Decimal(780))]


def test_two_products_of_one_symbol_are_two_columns() -> None:
    book = cast.book(cast.account(), cast.run())
    for product in ("MIS", "NRML"):
        cast.position(book, product=product)
    assert account_positions().instruments == [(cast.CALL, "MIS"), (cast.CALL, "NRML")]


def test_books_that_cancel_out_are_still_shown() -> None:
    anil = cast.account()
    cast.position(cast.book(anil, cast.run("Short")))
    cast.position(cast.book(anil, cast.run("Long")), action="BUY")
    page = account_positions()
    assert [cell.units for cell in page.totals if cell] == [0]
    assert len(page.rows[0].runs) == 2


def test_a_total_with_an_unknown_part_is_unknown() -> None:
    two_accounts()
    cast.position(cast.book(cast.account("Chitra Three"), cast.run("Old")), symbol=cast.HEDGE_CALL)
    page = account_positions()
    totals = dict(zip(page.instruments, page.totals, strict=True))
    unmarked = totals[cast.HEDGE_CALL, "NRML"]
    assert unmarked is not None and unmarked.pnl is None
    assert page.pnl.unrealised is None


def test_each_run_is_listed_in_its_account_with_its_legs_and_ways_out() -> None:
    _, bina = two_accounts()
    shown = text()
    assert f"/accounts/{bina}/exit" in shown
    assert f"/risk/kill?scope=account:{bina}&amp;level=FLATTEN" in shown
    assert "Close the ticket book" in shown
    assert "no guard watches it" in shown


def test_who_may_only_look_finds_no_way_to_act() -> None:
    two_accounts()
    shown = text(who="bob")
    assert cast.CALL in shown
    assert "Exit this run here" not in shown
    assert "level=FLATTEN" not in shown


def test_one_account_alone_and_its_trading_state() -> None:
    anil, _ = two_accounts()
    TradingState.objects.create(account_id=anil, state="REDUCING", since=clock.now(), by="user:alice", why="for the night")
    shown = text(f"/account-positions/rows?account={anil}")
    assert "Anil One" in shown
    assert cast.PUT not in shown
    assert "REDUCING" in shown or "reducing" in shown


def test_nothing_open_says_so() -> None:
    cast.account()
    assert "Nothing is open" in text()


def test_the_number_of_queries_does_not_depend_on_the_number_of_accounts() -> None:
    for number in range(5):
        cast.position(cast.book(cast.account(f"Account {number}"), cast.run(f"Run {number}")))
    with CaptureQueriesContext(connection) as asked:
        account_positions()
    assert len(asked) <= 16
