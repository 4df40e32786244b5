"""The P&L cells of positions move without a new reading of the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from algomirror.kernel import clock
from algomirror.ops import push
from risk.services.worth import Worth
from tests import cast, page_rules
from tests.patience import wait_for


@pytest.fixture(autouse=True)
def now(db: None) -> Iterator[clock.FrozenClock]:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        yield frozen


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What leaves for browsers, taken at the border of the process."""
    left: list[Any] = []
    monkeypatch.setattr(push, "push", lambda topic, kind, **payload: left.append((topic, kind, payload["v"])))
    return left


def test_a_moved_price_is_pushed_under_the_key_of_the_cell_on_the_page(pushed: list[Any]) -> None:
    held = cast.position(cast.book(cast.account(), cast.run()), price="104.00")
    cast.quote(held.key, "100.00")
    Worth().publish()
    assert pushed == [("positions", "values", {f"pos:{held.pk}:pnl": "260.00"})]
    shown = page_rules.text_of(cast.signed_in(cast.alice()).get("/positions"))
    assert f'data-value="pos:{held.pk}:pnl"' in shown


def test_a_quiet_market_sends_nothing_and_a_stale_price_is_unknown(pushed: list[Any], now: clock.FrozenClock) -> None:
    held = cast.position(cast.book(cast.account()), price="104.00")
    cast.quote(held.key, "100.00")
    worth = Worth()
    assert [worth.publish(), worth.publish()] == [1, 0]
    now.advance(30)
    worth.publish()
    assert pushed[-1][2] == {f"pos:{held.pk}:pnl": None}


def test_two_products_of_one_symbol_have_a_cell_each(pushed: list[Any]) -> None:
    book = cast.book(cast.account(), cast.run())
    rows = [cast.position(book, price=price, product=product) for product, price in (("MIS", "104.00"), ("NRML", "99.00"))]
    cast.quote(rows[0].key, "100.00")
    assert Worth().values() == {f"pos:{rows[0].pk}:pnl": "260.00", f"pos:{rows[1].pk}:pnl": "-65.00"}


def test_the_ticks_keeper_says_it_every_turn(pushed: list[Any], transactional_db: None) -> None:
    from risk.services.fastguard import FastGuard
    from risk.services.keeper import Keeper

    held = cast.position(cast.book(cast.account(), cast.run()), price="104.00")
    cast.quote(held.key, "100.00")
    keeper = Keeper(FastGuard())
    keeper.ensure_running()
    try:
        wait_for(lambda: any(f"pos:{held.pk}:pnl" in v for _, _, v in pushed), "its worth to be pushed")
    finally:
        keeper.stop()
    assert {f"pos:{held.pk}:pnl": "260.00"} in [v for _, _, v in pushed]
