"""It is thought out before the database is taken, and holds only if nothing has moved by then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import BrokerRead
from tests.trading import truth
from tests.trading.desk import LOT, Desk
from trading.domain import reconcile
from trading.models import Fill, Order
from trading.services import cancel, poll


@pytest.fixture
def proofs(monkeypatch: pytest.MonkeyPatch) -> list[poll.Proof]:
    """All that were thought out, in order."""
    made, prove = list[poll.Proof](), poll._prove

    def counted(*asked: Any) -> poll.Proof:
        made.append(prove(*asked))
        return made[-1]

    monkeypatch.setattr(poll, "_prove", counted)
    return made


def meanwhile(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Once, between the thought and the database."""
    ahead = poll._ahead

    def then(*asked: Any) -> poll.Proof | None:
        monkeypatch.setattr(poll, "_ahead", ahead)
        found = ahead(*asked)
        act()
        return found

    monkeypatch.setattr(poll, "_ahead", then)


def test_undisturbed_it_is_thought_out_once(desk: Desk, proofs: list[poll.Proof]) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    reads = BrokerRead.objects.get(account=desk.accounts[0], kind="ORDERS").sequence
    assert len(proofs) == reads and [p.sequence for p in proofs] == list(range(1, reads + 1))


def test_another_worker_books_the_same_fills_first(desk: Desk, proofs: list[poll.Proof], monkeypatch: pytest.MonkeyPatch) -> None:
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.step()
    desk.advance(1)
    before = len(proofs)
    meanwhile(monkeypatch, desk.poll)
    assert desk.poll()
    assert len(proofs) - before == 3, "the one that came too late was thought out anew"
    assert desk.owned(book, "CE") == LOT == Fill.objects.get(book=book).units
    assert truth.lies(desk) == []


def test_a_person_cancels_while_it_is_thought_out(desk: Desk, proofs: list[poll.Proof], monkeypatch: pytest.MonkeyPatch) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", limit="80"))
    desk.poll()
    desk.step()
    desk.advance(1)
    desk.poll()
    order = Order.objects.get(book=book)
    before = len(proofs)
    meanwhile(monkeypatch, lambda: cancel.request(order.pk, asked_by="user:alice", why="enough"))
    assert desk.poll()
    assert len(proofs) - before == 2
    order.refresh_from_db()
    assert order.state in ("PENDING_CANCEL", "CANCELED")
    assert desk.settle()
    assert truth.lies(desk) + truth.unsettled(desk) == []
    assert desk.state(book) == "FLAT"


def test_what_was_read_is_kept_where_nothing_can_be_made_of_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*asked: Any, **more: Any) -> None:
        raise LookupError("no rule for this")

    desk.open(desk.line(1, "BUY", "CE"))
    desk.poll()
    desk.step()
    monkeypatch.setattr(reconcile, "reconcile", lost)
    before = BrokerRead.objects.get(account=desk.accounts[0], kind="ORDERS").sequence
    with pytest.raises(LookupError):
        desk.poll()
    read = BrokerRead.objects.get(account=desk.accounts[0], kind="ORDERS")
    assert read.sequence == before + 1 and len(read.rows) == 1
