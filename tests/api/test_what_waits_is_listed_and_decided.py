"""What the books do not explain is listed for programs as on the page, and decided by what the list says."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Account, User
from accounts.services import people
from algomirror.kernel import clock
from algomirror.ops import queue
from strategies.services import groups
from tests import cast
from tests.api.caller import Caller
from tests.strategies import stage
from trading.models import Book

ITEMS = "reconciliation/items"
PUT = stage.option(24050, "PE").partition(":")[2]


@pytest.fixture
def anil(_market: Any) -> Account:
    """Outside 65 puts, an order in doubt with a candidate, a frozen book, and an order of the broker that nobody sent."""
    of = cast.account("Anil")
    cast.read(of, "POSITIONS", [cast.shown(PUT, 65)])
    doubtful = cast.order(cast.book(of, cast.run()), state="UNKNOWN")
    cast.outside_order(of, symbol=cast.CALL, action="SELL", units=65, price=doubtful.price)
    cast.book(of, cast.run("Frozen one"), state="FROZEN", freeze_kind="PERSON", frozen_why="two explanations fit")
    return of


def test_everything_that_waits_is_listed(owner: Caller, anil: Account) -> None:
    body = owner.get(ITEMS).json()
    (place,) = body["places"]
    assert (place["account"], place["symbol"], place["ours"], place["broker"]) == (anil.pk, PUT, 0, 65)
    assert (place["verdict"], place["asks"], place["left"]) == ("outside only", True, "")
    (doubt,) = body["orders"]
    assert doubt["order"]["state"] == "UNKNOWN" and doubt["may_be_settled"] is True
    assert [one["action"] for one in doubt["candidates"]] == ["SELL"]
    (book,) = body["books"]
    assert (book["kind"], book["why"], book["thaws_by_itself"]) == ("PERSON", "two explanations fit", False)
    assert len(body["unowned"]) == 1 and body["waiting"] == 2 and body["is_cut"] is False


def test_what_is_listed_is_what_resolve_takes(owner: Caller, anil: Account) -> None:
    place = owner.get(ITEMS).json()["places"][0]
    names = ("account", "exchange", "symbol", "product", "ours", "broker")
    asked = {"action": "ADOPT", "price": "80.00", **{name: place[name] for name in names}}
    answer = owner.post("reconciliation/resolve", asked)
    assert answer.status_code == 202, answer.content
    assert owner.get(ITEMS).json()["places"] == []


def test_one_account_alone(owner: Caller, anil: Account) -> None:
    bina = cast.account("Bina")
    assert len(owner.get(ITEMS, account=anil.pk).json()["orders"]) == 1
    alone = owner.get(ITEMS, account=bina.pk).json()
    assert (alone["places"], alone["orders"], alone["books"], alone["unowned"], alone["waiting"]) == ([], [], [], [], 0)
    assert owner.get(ITEMS, account=999_999).status_code == 404
    for asked in ({"account": "x"}, {"account": 0}, {"acount": 1}):
        assert owner.get(ITEMS, **asked).status_code == 400


def limited(to: Account) -> list[Caller]:
    """A token lent for the account, and a person who was given it."""
    bob = stage.person("bob", "TRADER")
    people.assign(stage.alice(), bob.pk, [to.pk])
    person = Caller.of(User.objects.get(pk=bob.pk), scopes=["read", "trade", "exit"])
    return [Caller.of(stage.alice(), scopes=["read", "trade", "exit"], accounts=[to.pk]), person]


def test_of_other_accounts_nothing_is_told(anil: Account) -> None:
    for caller in limited(cast.account("Bina")):
        body = caller.get(ITEMS).json()
        assert [body[name] for name in ("places", "orders", "books", "unowned")] == [[]] * 4 and body["waiting"] == 0
        assert caller.get(ITEMS, account=anil.pk).status_code == 404
        assert caller.post("reconciliation/run", {"account": anil.pk}).status_code == 404


def test_books_are_asked_for_once(owner: Caller, anil: Account) -> None:
    queue.client().flushdb()
    cast.account("Bina")
    cast.account("Gone", archived_at=clock.now())
    first = owner.post("reconciliation/run", {})
    assert first.status_code == 202 and first.json()["asked"] == 2
    assert owner.post("reconciliation/run", {"account": anil.pk}).json()["asked"] == 0, "it was asked for already"


def test_of_a_limited_caller_only_their_books_are_read(anil: Account) -> None:
    for caller in limited(cast.account("Bina")):
        queue.client().flushdb()
        assert caller.post("reconciliation/run", {}).json()["asked"] == 1


def test_scopes_of_reading_and_asking(anil: Account) -> None:
    assert Caller.of(stage.alice(), scopes=["read", "trade"]).post("reconciliation/run", {}).status_code == 403
    assert Caller.of(stage.alice(), scopes=["exit"]).get(ITEMS).status_code == 403


# A group stands for its accounts


@pytest.fixture
def family(_market: Any) -> tuple[int, list[Book]]:
    """A group of two of three accounts, each with a position and a working entry; a third is archived and empty."""
    found = []
    for name in ("Anil", "Bina", "Chand"):
        book = cast.book(cast.account(name))
        cast.position(book)
        cast.order(book, symbol=cast.PUT)
        found.append(book)
    empty = cast.account("Empty")
    group = groups.save("Family", {pk: Decimal(1) for pk in (*(b.account_id for b in found[:2]), empty.pk)}, by="user:alice")
    Account.objects.filter(pk=empty.pk).update(archived_at=clock.now())
    return group.pk, found


def test_a_group_is_cancelled_and_closed_and_nobody_else(owner: Caller, family: tuple[int, list[Book]]) -> None:
    group, books = family
    assert owner.post("orders/cancel-all", {"group": group}).json()["asked"] == 2
    goals = owner.post("positions/close-all", {"group": group}).json()["goals"]
    assert {goal["book"] for goal in goals} == {books[0].pk, books[1].pk}


def test_a_group_and_something_else_is_not_understood(owner: Caller, family: tuple[int, list[Book]]) -> None:
    group, books = family
    for body in ({"group": group, "everywhere": True}, {"group": group, "account": books[0].account_id}, {"group": 0}, {}):
        for path in ("orders/cancel-all", "positions/close-all"):
            assert owner.post(path, body).status_code == 400, (path, body)
    assert owner.post("orders/cancel-all", {"group": 999_999}).status_code == 404


def test_a_group_with_an_account_of_others_is_404(family: tuple[int, list[Book]]) -> None:
    group, books = family
    for caller in limited(books[0].account):
        for path in ("orders/cancel-all", "positions/close-all"):
            assert caller.post(path, {"group": group}).status_code == 404
