"""The P&L of today over time: what the dashboard's figure was at each minute."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.services import people
from algomirror.kernel import clock
from tests import cast
from tests.strategies import stage
from trading.models import Fill
from trading.pages import day

CALL = f"NFO:{cast.CALL}"


@pytest.fixture
def now(db: None) -> Iterator[clock.FrozenClock]:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        yield frozen


def chart(who: Any = None) -> dict[str, Any]:
    answer: dict[str, Any] = cast.signed_in(who or cast.bob()).get("/dashboard/pnl.json").json()
    return answer


def of_yesterday() -> None:
    """All that was filled is an older day's."""
    Fill.objects.update(trading_day=clock.trading_day() - timedelta(days=1))


def test_a_day_without_trades_has_no_curve(now: clock.FrozenClock) -> None:
    assert chart() == {"t": [], "pnl": [], "lines": [], "marks": []}


def test_two_accounts_are_one_curve_that_ends_with_the_dashboard_s_figure(now: clock.FrozenClock) -> None:
    for name in ("Anil", "Bela"):
        cast.position(cast.book(cast.account(name), cast.run()), price="104.00")
    cast.minute(CALL, clock.now(), "102.00")
    now.advance(90)
    cast.quote(CALL, "100.00")
    found = chart()
    assert found["pnl"] == [None, "260.00", "520.00"], "each sold 65 at 104: a hole, then 102, then 100"
    assert Decimal(found["pnl"][-1]) == day.today().made("PAPER").total
    assert found["t"][-1] == int(clock.now().timestamp())


def test_what_was_carried_into_the_day_counts_from_the_close_before(now: clock.FrozenClock) -> None:
    cast.position(cast.book(cast.account(), cast.run()), price="104.00")
    of_yesterday()
    cast.minute(CALL, clock.now(), "98.00")
    now.advance(90)
    cast.quote(CALL, "97.00", prev_close="99.00")
    found = chart()
    assert found["pnl"] == [None, "65.00", "130.00"], "short 65 since 99, not since 104"
    assert Decimal(found["pnl"][-1]) == day.today().made("PAPER").total


def test_without_the_close_before_the_day_is_not_known(now: clock.FrozenClock) -> None:
    cast.position(cast.book(cast.account(), cast.run()), price="104.00")
    of_yesterday()
    cast.minute(CALL, clock.now(), "98.00")
    now.advance(90)
    cast.quote(CALL, "97.00")
    assert chart()["pnl"] == [None, None]


def test_after_the_last_price_the_curve_ends_there(now: clock.FrozenClock) -> None:
    cast.position(cast.book(cast.account(), cast.run()), price="104.00")
    start = clock.now()
    cast.minute(CALL, start, "102.00")
    now.advance(3600)
    found = chart()
    assert found["pnl"][-1] == "130.00" and found["t"][-1] == int((start + timedelta(minutes=1)).timestamp())


def test_who_is_limited_sees_the_curve_of_their_accounts(now: clock.FrozenClock) -> None:
    mine, other = cast.account("Anil"), cast.account("Bela")
    for account, price in ((mine, "104.00"), (other, "200.00")):
        cast.position(cast.book(account, cast.run()), price=price)
    cast.minute(CALL, clock.now(), "102.00")
    now.advance(90)
    cast.quote(CALL, "100.00")
    bob = cast.bob()
    people.assign(stage.alice(), bob.pk, [mine.pk])
    assert chart(type(bob).objects.get(pk=bob.pk))["pnl"][-1] == "260.00"


def test_paper_and_live_are_not_one_curve(now: clock.FrozenClock) -> None:
    for name, mode, price in (("Anil", "LIVE", "104.00"), ("Bela", "PAPER", "200.00")):
        cast.position(cast.book(cast.account(name, mode=mode), cast.run(name)), price=price)
    cast.minute(CALL, clock.now(), "102.00")
    now.advance(90)
    cast.quote(CALL, "100.00")
    assert chart()["pnl"] == [None, "130.00", "260.00"], "of the live account"
