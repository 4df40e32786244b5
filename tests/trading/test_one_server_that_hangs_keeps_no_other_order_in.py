"""Entries of several accounts are cancelled at once; the first server hangs, or its key cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from risk.services import kill as killing
from tests.trading.desk import Desk, a_desk
from trading.models import Book
from trading.services import cancel


@pytest.fixture
def two(db: None) -> Iterator[Desk]:
    with a_desk("live", accounts=2) as desk:
        yield desk


def _resting(desk: Desk) -> list[Book]:
    books = [desk.open(desk.line(1, "BUY", "CE", limit="60"), account=n) for n in range(2)]
    desk.run(3)
    assert [desk.orders(book)[0].state for book in books] == ["ACCEPTED", "ACCEPTED"]
    return books


def _there(desk: Desk, account: int) -> str:
    return str(desk.placed("CE", account=account)[0].status)


def _all(desk: Desk, how: str) -> None:
    if how == "cancel all":
        cancel.request_for_accounts([row.pk for row in desk.accounts], asked_by="user:alice", why="no more")
    else:
        killing.kill(scope="platform", target=None, level=how, by="user:alice")


@pytest.mark.parametrize("how", ["cancel all", "CANCEL", "HALT"])
def test_the_second_account_is_not_waiting_for_the_first(two: Desk, how: str) -> None:
    _resting(two)
    meanwhile: list[str] = []

    def the_other_worker(account_id: int, endpoint: str) -> None:
        if endpoint == "cancelorder" and not meanwhile:
            other = 1 if account_id == two.accounts[0].pk else 0
            meanwhile.append("")
            two.step(other)
            meanwhile[0] = _there(two, other)

    two.side.after_dispatch = the_other_worker
    _all(two, how)
    assert meanwhile == ["cancelled"], "its worker knew of it while the first server kept everybody waiting"
    two.side.after_dispatch = None
    two.run(10)
    assert [_there(two, n) for n in range(2)] == ["cancelled", "cancelled"]


@pytest.mark.parametrize("how", ["cancel all", "CANCEL"])
def test_an_account_that_cannot_be_asked_keeps_no_other_in(two: Desk, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _resting(two)
    known = cancel.gateway_for

    def unreadable(account: Any) -> Any:
        if account.pk == two.accounts[0].pk:
            raise ValueError("its key cannot be unsealed")
        return known(account)

    monkeypatch.setattr(cancel, "gateway_for", unreadable)
    _all(two, how)
    assert _there(two, 1) == "cancelled"
