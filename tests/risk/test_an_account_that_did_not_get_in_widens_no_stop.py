"""A trailing stop in points counts the units of the accounts that are in. One whose entry failed has no part in it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from risk.domain.terms import Line, RiskTerms, Trail
from risk.models import GuardState, RiskEvent
from risk.services import watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import Book, Position, Run

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry_now()
        yield moving


def one_of_three(terms: RiskTerms) -> Run:
    """Two were refused by their brokers; nothing filled there, and their books are flat."""
    on = desk.accounts(3)
    run = desk.a_run(on, terms, max_loss=D(90_000))
    Position.objects.exclude(book__account=on[0]).delete()
    Book.objects.exclude(account=on[0]).update(state="FLAT", flat_at=clock.now())
    watch.sweep()
    return run


def test_twenty_points_are_twenty_points_of_what_is_held() -> None:
    one_of_three(RiskTerms(trail=Trail("POINTS", D(20))))
    assert GuardState.objects.get(rule="TRAILING_STOP").level == -20 * 65
    desk.price(call=121)
    watch.sweep()
    assert RiskEvent.objects.get().kind == "TRAILING_STOP"


def test_a_combined_premium_is_that_of_one_structure_all_the_same() -> None:
    one_of_three(RiskTerms(premium_stop=Line("POINTS", D(20))))
    assert GuardState.objects.get(rule="PREMIUM_STOP").level == 200
    desk.price(call=121)
    watch.sweep()
    assert RiskEvent.objects.get().kind == "PREMIUM_STOP"


def test_an_account_that_was_in_and_left_still_counts() -> None:
    on = desk.accounts(2)
    run = desk.a_run(on, RiskTerms(trail=Trail("POINTS", D(20))), max_loss=D(90_000))
    watch.sweep()
    book = run.books.get(account=on[0])
    for leg, price in ((1, "100"), (2, "80")):
        desk.close(book, leg, price)
    Book.objects.filter(pk=book.pk).update(state="FLAT", flat_at=clock.now())
    watch.sweep()
    assert GuardState.objects.get(rule="TRAILING_STOP").level == -20 * 130
