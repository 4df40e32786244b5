"""The kill switch is pressed while a start is being written: it waits for the database, and the start is there then."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from risk.services import kill as killing
from strategies.services import groups
from tests.strategies import stage
from trading.models import Book, ExitGoal, Order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _now(db: None) -> Any:
    with stage.at() as frozen:
        stage.market()
        yield frozen


@pytest.mark.parametrize("scope", ["platform", "account", "group"])
@pytest.mark.parametrize("level", ["CANCEL", "FLATTEN", "HALT"])
def test_a_run_that_was_committed_meanwhile_is_taken_out_too(monkeypatch: pytest.MonkeyPatch, scope: str, level: str) -> None:
    one = stage.account(1)
    group = groups.save("Mine", {one.pk: Decimal(1)}, by="user:alice")
    restrict = killing._restrict

    def after_the_start(*args: Any, **more: Any) -> None:
        run = stage.started([one])
        stage.filled(run)
        Order.objects.filter(leg=1).update(state="INITIALIZED", filled_units=0)
        restrict(*args, **more)

    monkeypatch.setattr(killing, "_restrict", after_the_start)
    target = {"platform": None, "account": one.pk, "group": group.pk}[scope]
    done = killing.kill(scope=scope, target=target, level=level, by="user:alice", reason="now")
    book = Book.objects.get()
    if level == "FLATTEN":
        assert ExitGoal.objects.filter(book=book).exists() and done.goals
    if level == "HALT":
        assert book.state == "FROZEN"
    assert Order.objects.get(leg=1).state == "DENIED"
