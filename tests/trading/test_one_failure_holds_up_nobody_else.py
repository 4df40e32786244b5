from __future__ import annotations

from decimal import Decimal

import pytest

from tests.trading.desk import LOT, Desk, a_desk
from trading.models import ExitGoal, Position


def test_a_book_that_cannot_be_driven_does_not_stop_the_others_of_its_account(paper: Desk) -> None:
    good = paper.open(paper.line(1, "BUY", "CE"))
    bad = paper.open(paper.line(1, "BUY", "PE"))
    paper.run_until(lambda: paper.owned(good, "CE") == paper.owned(bad, "PE") == LOT)
    # A position nobody ever ordered, as a wrong adoption would leave it: its terms are unknown.
    Position.objects.create(book=bad, exchange="NFO", symbol="NOWHERE", product="NRML", units=LOT, open_value=Decimal(1))
    paper.exit(bad)
    paper.exit(good)
    try:
        paper.run(10)
    finally:
        Position.objects.filter(symbol="NOWHERE").delete()
    assert paper.state(good) == "FLAT" and paper.net("CE") == 0
    assert ExitGoal.objects.get(book=bad).state != "DONE"
    assert "DRIVE_FAILED" in paper.alarms()


@pytest.mark.parametrize("fault", ["timeout_before_accept", "token_expired", "drop_before"])
def test_one_dead_server_does_not_touch_the_other_accounts(db: None, fault: str) -> None:
    with a_desk("live", accounts=3) as desk:
        books = [desk.open(desk.line(1, "BUY", "CE"), account=n) for n in range(3)]
        for n in range(3):
            desk.run_until(lambda n=n: desk.owned(books[n], "CE") == LOT)
        desk.fault(fault, account=2, endpoint="*", count=None)
        for book in books:
            desk.exit(book)
        for _ in range(20):
            desk.step(0)
            desk.step(2)
            desk.advance(0.5)
        assert [desk.state(books[n]) for n in (0, 2)] == ["FLAT", "FLAT"]
        desk.step(1)
        assert desk.owned(books[1], "CE") == LOT
        desk.calm()
        assert desk.settle()
        assert desk.state(books[1]) == "FLAT" and desk.net("CE", account=1) == 0
