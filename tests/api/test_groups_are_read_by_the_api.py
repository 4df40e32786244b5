"""Groups with their accounts; whoever is limited to accounts sees the groups that are wholly theirs."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.services import people
from strategies.services import groups
from tests.api.caller import Caller, account
from tests.strategies import stage


@pytest.fixture
def family() -> tuple[int, int]:
    """Ids of two accounts: both are in Family, the first alone in Mine."""
    one, two = account(1), account(2)
    groups.save("Mine", {one.pk: Decimal("0.5")}, by="user:alice")
    groups.save("Family", {two.pk: Decimal(2), one.pk: Decimal(1)}, by="user:alice")
    return one.pk, two.pk


def test_groups_are_listed_by_name_with_factors(owner: Caller, family: tuple[int, int]) -> None:
    one, two = family
    listed = owner.get("groups").json()
    assert [(row["name"], row["accounts"]) for row in listed] == [
        (
            "Family",
            [{"account": one, "name": "Account 1", "factor": "1.000"}, {"account": two, "name": "Account 2", "factor": "2.000"}],
        ),
        ("Mine", [{"account": one, "name": "Account 1", "factor": "0.500"}]),
    ]


def test_a_token_for_one_account_sees_no_group_of_others(family: tuple[int, int]) -> None:
    lent = Caller.of(stage.alice(), scopes=["read"], accounts=[family[0]])
    assert [row["name"] for row in lent.get("groups").json()] == ["Mine"]


def test_a_person_for_one_account_sees_no_group_of_others(family: tuple[int, int]) -> None:
    bob = stage.person("bob", "TRADER")
    people.assign(stage.alice(), bob.pk, [family[0]])
    caller = Caller.of(User.objects.get(pk=bob.pk), scopes=["read"])
    assert [row["name"] for row in caller.get("groups").json()] == ["Mine"]


def test_it_wants_the_scope_read_and_is_only_read(owner: Caller) -> None:
    assert Caller.of(stage.alice(), scopes=["trade"]).get("groups").status_code == 403
    assert owner.post("groups", {"name": "New"}).status_code == 405


def test_the_number_of_queries_does_not_grow(owner: Caller) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            owner.get("groups")
        return len(queries)

    owner.get("groups")
    groups.save("First", {account(1).pk: Decimal(1)}, by="user:alice")
    few = asked()
    for n in range(2, 8):
        groups.save(f"Group {n}", {account(n).pk: Decimal(1)}, by="user:alice")
    assert asked() == few
