"""Losing exits in a row are runs: one that lost on many accounts has lost once for all accounts together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from risk.models import EntryLock
from risk.services import daily, watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import Book

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        daily.set_limits(None, {"losing_exits": 2, "cool_down_minutes": 30}, by="user:alice")
        yield moving


def ended(name: str, on: list[Any], *prices: str) -> None:
    """A run that is over, its calls bought back at these prices, one an account, sold at 100 each."""
    run = desk.a_run(on, name=name)
    for book, price in zip(run.books.order_by("id"), prices, strict=True):
        desk.close(book, 1, price)
        desk.close(book, 2, "80")
    Book.objects.filter(run=run).update(state="FLAT", flat_at=clock.now())
    watch.sweep()


def test_one_run_that_lost_on_three_accounts_begins_no_cool_down(frozen: Any) -> None:
    on = desk.accounts(3)
    ended("First", on, "130", "130", "130")
    assert not EntryLock.objects.exists()
    frozen.advance(60)
    ended("Second", on, "130", "130", "130")
    assert EntryLock.objects.get().kind == "COOL_DOWN" and EntryLock.objects.get().account_id is None


def test_a_run_that_gained_on_the_whole_ends_the_row(frozen: Any) -> None:
    on = desk.accounts(2)
    ended("First", on, "130", "130")
    frozen.advance(60)
    ended("Mixed", on, "105", "50")
    frozen.advance(60)
    ended("Third", on, "130", "130")
    assert not EntryLock.objects.exists()


def test_a_run_is_counted_when_its_last_account_is_out(frozen: Any) -> None:
    on = desk.accounts(2)
    ended("First", on, "130", "130")
    frozen.advance(60)
    ended("Second", on, "130", "50")
    Book.objects.filter(run__name="Second", account=on[1]).update(state="OPEN", flat_at=None)
    watch.sweep()
    assert not EntryLock.objects.exists()
