from __future__ import annotations

import pytest

from accounts.models import Account, User
from accounts.services import account as services
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Journal
from simulator.world import World
from tests import cast as people
from tests.accounts.cast import wanted

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(alice: User, world: World) -> list[Account]:
    """A primary and two backups in order."""
    return [services.add_account(alice, wanted(world, number)) for number in (1, 2, 3)]


def order() -> list[str]:
    return list(Account.objects.filter(is_primary=False).order_by("backup_rank", "id").values_list("name", flat=True))


def test_a_backup_rises_and_falls_by_one_place(alice: User, three: list[Account]) -> None:
    assert order() == ["Account 2", "Account 3"]
    services.move_backup(alice, three[2].pk, up=True)
    assert order() == ["Account 3", "Account 2"]
    services.move_backup(alice, three[2].pk, up=False)
    assert order() == ["Account 2", "Account 3"]
    assert Journal.objects.filter(kind="account.backup_order").count() == 2


def test_at_the_end_nothing_moves_and_equal_ranks_are_told_apart(alice: User, three: list[Account]) -> None:
    Account.objects.update(backup_rank=5)
    services.move_backup(alice, three[1].pk, up=True)
    assert order() == ["Account 2", "Account 3"]
    services.move_backup(alice, three[2].pk, up=True)
    assert order() == ["Account 3", "Account 2"]


def test_the_primary_has_no_place_and_only_the_owner_moves(alice: User, bob: User, three: list[Account]) -> None:
    with pytest.raises(Refused, match="primary"):
        services.move_backup(alice, three[0].pk, up=True)
    with pytest.raises(Refused, match="owner"):
        services.move_backup(bob, three[1].pk, up=True)


def test_the_arrows_stand_where_they_lead_somewhere(alice: User, three: list[Account]) -> None:
    client = people.signed_in(alice)
    page = client.get("/accounts").content.decode()
    assert (page.count("Earlier backup: Account 3"), page.count("Earlier backup: Account 2")) == (1, 0)
    assert (page.count("Later backup: Account 2"), page.count("Later backup: Account 3")) == (1, 0)
    assert client.post(f"/accounts/{three[2].pk}/move", {"direction": "up"}).status_code == 302
    assert order() == ["Account 3", "Account 2"]
