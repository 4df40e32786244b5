from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest

from accounts.gateway.directory import far_side
from accounts.models import Account
from algomirror.frame.readiness import board
from algomirror.kernel import clock
from algomirror.ops.models import Check
from marketdata import terms
from marketdata.models import TermsDispute
from risk.domain.pretrade import Code, Denial, LineFacts
from risk.services import gate
from tests.risk import desk
from tests.strategies import stage

pytestmark = pytest.mark.django_db
SYMBOL = desk.CALL.split(":")[1]


@pytest.fixture(autouse=True)
def _market(db: None) -> Iterator[None]:
    with stage.at(), far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield


def disputes(underlying: str = "NIFTY", state: str = "OPEN", field: str = "lot") -> TermsDispute:
    today = clock.today()
    row: TermsDispute = TermsDispute.objects.create(
        underlying=underlying, expiry=stage.WEEK, field=field, listed="75", held="65", state=state,
        first_seen_on=today, last_seen_on=today,
    )  # fmt: skip
    return row


def entries(accounts: Sequence[Account]) -> list[Denial]:
    """What the gate says to one lot on each account."""
    line = LineFacts(
        leg=1, symbol=SYMBOL, is_listed=True, expiry=stage.WEEK, today=clock.today(), units=65, lot_units=65,
        tick=Decimal("0.05"), price_type="LIMIT", price=Decimal(100), trigger_price=Decimal(0), quote_is_fresh=True,
        has_unacknowledged=False, reference=Decimal(100), exchange="NFO",
    )  # fmt: skip
    lines = {account.pk: [line] for account in accounts}
    return gate.check_plan(accounts=accounts, mode="PAPER", lines=lines, exchanges={"NFO"}, now=clock.now())


def test_a_dispute_denies_entries_of_its_underlying_with_both_figures() -> None:
    disputes()
    (denial,) = entries(desk.accounts(1))
    assert denial.code is Code.REFERENCE_DISPUTED and denial.leg == 1 and denial.account_id
    assert f"{SYMBOL}: lot of NIFTY {stage.WEEK:%d %b %Y} is 75 in the broker's list, 65 in ours" in denial.sentence


@pytest.mark.parametrize(("underlying", "state"), [("BANKNIFTY", "OPEN"), ("NIFTY", "SETTLED"), ("NIFTY", "ACCEPTED")])
def test_other_underlyings_and_decided_disputes_deny_nothing(underlying: str, state: str) -> None:
    disputes(underlying, state)
    assert entries(desk.accounts(1)) == []


def test_once_a_person_has_decided_entries_go_out_again() -> None:
    row, accounts = disputes(), desk.accounts(1)
    assert [denial.code for denial in entries(accounts)] == [Code.REFERENCE_DISPUTED]
    terms.override(row.pk, actor="user:alice", reason="circular NSE/FAOP/70616", until=None)
    assert entries(accounts) == []


def test_the_readiness_board_is_red_while_something_is_disputed() -> None:
    board.run()
    assert Check.objects.get(name="contract terms").state == "GREEN"
    disputes()
    disputes("BANKNIFTY", field="freeze")
    board.run()
    check = Check.objects.get(name="contract terms")
    assert check.state == "RED" and "freeze of BANKNIFTY" in check.value and "and 1 more" in check.value
