"""Ours against theirs, the worth of it, and why a number is not known."""

from __future__ import annotations

from decimal import Decimal

from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.pages import furnish
from marketdata import quotes
from tests import cast, page_rules
from trading.models import Position
from trading.pages import positions as page
from trading.pages.compare import Verdict
from trading.pages.positions import Row, Wish

KEY = f"NFO:{cast.CALL}"


def only_row() -> Row:
    (panel,) = page.positions_page(Wish()).panels
    (row,) = panel.rows
    return row


def rows() -> str:
    return page_rules.text_of(cast.signed_in(cast.alice()).get("/positions/rows"))


def test_a_short_that_fell_has_made_money() -> None:
    anil = cast.account()
    held = cast.position(cast.book(anil, cast.run()), price="104.00")
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -65)])
    cast.quote(KEY, "100.00")
    row = only_row()
    assert (held.units, row.pnl.unrealised, row.average) == (-65, Decimal("260"), Decimal("104"))
    assert (row.compared.verdict, row.compared.outside) == (Verdict.AGREES, 0)
    shown = rows()
    assert "+₹260.00" in shown
    assert "pnl-up" in shown


def test_without_a_fresh_price_the_worth_is_unknown_with_the_reason_and_never_zero() -> None:
    cast.position(cast.book(cast.account(), cast.run()))
    cast.quote(KEY, "100.00", age_s=30)
    shown = rows()
    assert only_row().pnl.unrealised is None
    assert "no fresh price" in shown
    assert "₹260.00" not in shown


def test_one_missing_price_makes_the_total_unknown() -> None:
    condor = cast.book(cast.account(), cast.run())
    cast.position(condor)
    cast.position(condor, symbol=cast.PUT, leg=2)
    cast.quote(KEY, "100.00")
    found = page.positions_page(Wish())
    assert found.pnl.unrealised is None
    assert cast.PUT in found.pnl_note


def test_before_the_first_read_nothing_is_claimed_about_the_broker() -> None:
    cast.position(cast.book(cast.account(), cast.run()))
    row = only_row()
    assert (row.compared.verdict, row.compared.broker_units, row.compared.outside) == (Verdict.NOT_READ, None, None)


def test_a_position_the_broker_does_not_show_is_a_difference() -> None:
    anil = cast.account()
    cast.position(cast.book(anil, cast.run()))
    cast.read(anil, "POSITIONS", [], ago_s=-5)
    row = only_row()
    assert (row.compared.verdict, row.compared.outside) == (Verdict.DIFFERS, 65)
    assert "1 position differs from what the broker shows" in " ".join(rows().split())


def test_a_read_older_than_our_last_fill_is_no_difference_yet() -> None:
    anil = cast.account()
    cast.position(cast.book(anil, cast.run()))
    cast.read(anil, "POSITIONS", [], ago_s=5)
    assert only_row().compared.verdict is Verdict.CATCHING_UP


def test_what_others_hold_is_shown_as_outside_and_cannot_be_closed() -> None:
    anil = cast.account()
    cast.read(anil, "POSITIONS", [cast.shown(cast.PUT, 130)])
    row = only_row()
    assert (row.compared.verdict, row.compared.outside, row.is_ours) == (Verdict.OUTSIDE, 130, False)
    shown = rows()
    assert "Outside" in shown
    assert "data-dialog" not in shown


def test_two_books_in_one_instrument_are_summed_and_shown_apart() -> None:
    anil = cast.account()
    cast.position(cast.book(anil, cast.run("One")), price="104.00")
    cast.position(cast.book(anil, cast.run("Two")), price="110.00")
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -130)])
    cast.quote(KEY, "100.00")
    row = only_row()
    assert (row.compared.owned, len(row.holders), row.pnl.unrealised) == (-130, 2, Decimal("910"))
    assert "2 books" in rows()


def test_a_hedge_is_not_offered_for_closing_while_its_short_is_open() -> None:
    condor = cast.book(cast.account(), cast.run())
    cast.position(condor, leg=1)
    cast.position(condor, symbol=cast.HEDGE_CALL, leg=2, action="BUY", purpose="HEDGE", hedge_legs=[1], price="20")
    shown = rows()
    assert "hedge of leg 1" in shown
    assert shown.count("position:") == shown.count('data-fill-target="position:') * 2 == 2


def test_a_failed_read_greys_the_account_and_keeps_its_rows() -> None:
    anil = cast.account()
    cast.position(cast.book(anil, cast.run()))
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -65)], error="SERVER_ERROR: 502")
    shown = rows()
    assert "last reading failed" in shown
    assert shown.count("stale-read") == 1


def test_the_tab_watches_the_prices_of_what_is_open() -> None:
    cast.position(cast.book(cast.account(), cast.run()))
    from marketdata.models import Instrument

    Instrument.objects.create(
        exchange="NFO",
        symbol=cast.CALL,
        underlying="NIFTY",
        kind="CE",
        lot_units=65,
        tick=Decimal("0.05"),
        listed_on="2026-11-20",
    )
    shown = rows()
    assert f'data-topics="symbols:{KEY}"' in shown
    assert f'data-quote="{KEY}"' in shown
    assert "−1 lot (−65)" in shown


def test_the_number_of_queries_does_not_grow_with_positions() -> None:
    anil = cast.account()
    cast.read(anil, "POSITIONS", [])
    cast.position(cast.book(anil, cast.run()))

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            page.positions_page(Wish())
        return len(seen)

    few = queries()
    for place in range(4):
        cast.position(cast.book(anil, cast.run(f"run {place}")), symbol=f"NIFTY{place}")
    assert queries() == few <= 10


def test_what_nobody_can_look_through_is_folded_and_still_counted() -> None:
    owner = furnish(accounts=8, orders=0, positions=160, runs=8)
    found = page.positions_page(Wish())
    shown = [panel for panel in found.panels if not panel.is_folded]
    folded = [panel for panel in found.panels if panel.is_folded]
    assert folded and sum(len(panel.rows) for panel in shown) <= page.ROWS_IN_FULL
    worth = sum(p.units * (quotes.get([p.key])[p.key].deciding_price - 100) for p in Position.objects.all())
    assert found.pnl.unrealised == worth
    link = f"/positions?account={folded[0].read.tag.account_id}"
    assert link in cast.signed_in(owner).get("/positions/rows").content.decode()
    (alone,) = page.positions_page(Wish(account=folded[0].read.tag.account_id)).panels
    assert (alone.is_folded, len(alone.rows), alone.pnl) == (False, len(folded[0].rows), folded[0].pnl)
