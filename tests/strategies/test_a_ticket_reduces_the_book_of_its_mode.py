"""What was rehearsed on paper stays in its own book. A live reduce-only ticket counts what is owned live."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from strategies.domain.tickets import Ticket, TicketLeg
from strategies.services import ticket as tickets
from tests.strategies import stage
from trading.models import Book, ExitGoal, Position

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]
EXCHANGE, _, SYMBOL = stage.option(24050, "CE").partition(":")


def owned(account: Account, mode: str, units: int) -> Book:
    book = Book.objects.create(kind="TICKET", account=account, mode=mode, opened_at=clock.now())
    Position.objects.create(
        book=book, exchange=EXCHANGE, symbol=SYMBOL, product="NRML", leg=1, units=units, open_value=Decimal(95) * units
    )
    return book


def reduce(account: Account, lots: int) -> Any:
    asked = Ticket((TicketLeg(EXCHANGE, SYMBOL, "SELL", lots),), (account.pk,), "NRML", reduce_only=True)
    plan = tickets.preview_ticket(asked, user=stage.alice())
    return tickets.send_ticket(plan.key, digest=plan.digest, by="user:alice")


@pytest.fixture
def live() -> Account:
    """It rehearsed until this morning, and a rehearsed position is still open."""
    account = stage.account(1)
    owned(account, "PAPER", 65)
    Account.objects.filter(pk=account.pk).update(mode="LIVE")
    account.refresh_from_db()
    return account


def test_half_of_what_is_owned_live_leaves_the_other_half(live: Account) -> None:
    book = owned(live, "LIVE", 130)
    reduce(live, 1)
    goal = ExitGoal.objects.get()
    assert goal.book == book and goal.targets == {f"{EXCHANGE}:{SYMBOL}:NRML": 65}


def test_a_rehearsed_position_is_nothing_to_reduce(live: Account) -> None:
    with pytest.raises(Refused) as refused:
        reduce(live, 1)
    assert "owns 0" in refused.value.fields["reduce_only"] and not ExitGoal.objects.exists()
