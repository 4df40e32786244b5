from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.crypto import unseal
from accounts.models import Account, BrokerRead, User
from accounts.services import account as services
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops.models import Journal
from simulator.world import World
from tests.accounts.cast import wanted
from tests.accounts.conftest import IN_USE

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(alice: User, world: World) -> Account:
    return services.add_account(alice, wanted(world))


def test_a_tested_account_is_saved_with_what_the_server_said(first: Account, world: World) -> None:
    assert first.broker == "simulator" and first.link == Account.Link.UP and first.last_good_at is not None
    assert first.is_primary and first.host_url == "http://127.0.0.1:5601"
    assert unseal(first.sealed_key) == world.accounts[0].api_key
    assert BrokerRead.objects.get(account=first, kind="FUNDS").sequence == 1
    assert Journal.objects.get(kind="account.added").account_id == first.pk


def test_only_the_first_becomes_primary(first: Account, alice: User, world: World) -> None:
    second = services.add_account(alice, wanted(world, 2))
    assert not second.is_primary and second.colour != first.colour and second.backup_rank == 1


def refused(alice: User, asked: services.Wanted) -> Refused:
    with pytest.raises(Refused) as caught:
        services.add_account(alice, asked)
    return caught.value


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "ab"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"key": "short"}, "key"),
        ({"key": ""}, "key"),
        ({"mode": "MAYBE"}, "mode"),
        ({"mode": "LIVE"}, "mode"),
        ({"orders_per_second": 0}, "orders_per_second"),
        ({"host_url": "ftp://127.0.0.1"}, "host_url"),
        ({"host_url": "http://user:pw@127.0.0.1:5601"}, "host_url"),
        ({"host_url": "http://127.0.0.1:5601/api/v1"}, "host_url"),
        ({"host_url": "http://169.254.169.254"}, "host_url"),
        ({"host_url": "http://[::ffff:169.254.169.254]"}, "host_url"),
        ({"host_url": "http://127.0.0.1:99999"}, "host_url"),
        ({"host_url": "http://"}, "host_url"),
        ({"websocket_url": "http://127.0.0.1:5701"}, "websocket_url"),
        ({"websocket_url": "ws://127.0.0.1:5701?key=1"}, "websocket_url"),
    ],
)
def test_bad_input_is_refused_by_field(alice: User, world: World, changes: dict[str, Any], field: str) -> None:
    assert field in refused(alice, wanted(world, **changes)).fields
    assert not Account.objects.exists()


def test_a_trailing_slash_does_no_harm(alice: User, world: World) -> None:
    saved = services.add_account(
        alice, wanted(world, host_url=" http://127.0.0.1:5601/ ", websocket_url="ws://127.0.0.1:5701/ws/")
    )
    assert (saved.host_url, saved.websocket_url) == ("http://127.0.0.1:5601", "ws://127.0.0.1:5701/ws")


def test_a_failing_test_refuses_the_save_and_says_what_to_do(alice: User, world: World) -> None:
    assert "nothing answers" in refused(alice, wanted(world, host_url="http://127.0.0.1:5999")).message.lower()
    assert "cannot" not in refused(alice, wanted(world, key="w" * 64)).message
    assert "Either the key is wrong or nobody is logged in" in refused(alice, wanted(world, key="w" * 64)).message
    world.faults.add("empty_funds")
    assert "session has expired" in refused(alice, wanted(world)).message
    assert not Account.objects.exists()


def test_private_addresses_can_be_forbidden(alice: User, world: World, settings: Any) -> None:
    settings.ALLOW_PRIVATE_HOSTS = False
    assert "host_url" in refused(alice, wanted(world)).fields


def test_the_same_key_or_name_is_not_taken_twice(first: Account, alice: User, world: World) -> None:
    same_key = wanted(world, 2, key=world.accounts[0].api_key)
    assert refused(alice, same_key).fields == {"key": "This key is already used by another account."}
    assert "name" in refused(alice, wanted(world, 2, name=first.name)).fields
    assert Account.objects.count() == 1


def test_nobody_but_the_owner_may(bob: User, world: World) -> None:
    assert "owner" in refused(bob, wanted(world)).message


def test_an_empty_key_means_the_present_one(first: Account, alice: User, world: World) -> None:
    calls = world.accounts[0].calls
    changed = services.edit_account(alice, first.pk, wanted(world, name="Renamed", key=""), config_version=1)
    assert (changed.name, changed.config_version) == ("Renamed", 2)
    assert unseal(changed.sealed_key) == world.accounts[0].api_key
    assert world.accounts[0].calls == calls, "a new name needs no test"
    row = Journal.objects.get(kind="account.edited")
    assert row.numbers == {"key": "same", "changes": {"name": ["Account 1", "Renamed"]}}


def test_saving_without_a_change_changes_nothing(first: Account, alice: User, world: World) -> None:
    services.edit_account(alice, first.pk, wanted(world, key=""), config_version=1)
    assert Account.objects.get().config_version == 1


def test_a_new_host_or_key_is_tested_first(first: Account, alice: User, world: World) -> None:
    with pytest.raises(Refused, match="test failed"):
        services.edit_account(alice, first.pk, wanted(world, key="n" * 40), config_version=1)
    with pytest.raises(Refused, match="test failed"):
        services.edit_account(alice, first.pk, wanted(world, key="", host_url="http://127.0.0.1:5999"), config_version=1)
    assert unseal(Account.objects.get().sealed_key) == world.accounts[0].api_key
    moved = services.edit_account(
        alice, first.pk, wanted(world, host_url="http://127.0.0.1:5602", key=world.accounts[1].api_key), config_version=1
    )
    assert unseal(moved.sealed_key) == world.accounts[1].api_key and moved.config_version == 2


def test_two_edits_of_the_same_view_do_not_overwrite_each_other(first: Account, alice: User, world: World) -> None:
    services.edit_account(alice, first.pk, wanted(world, name="By Alice", key=""), config_version=1)
    with pytest.raises(Conflict):
        services.edit_account(alice, first.pk, wanted(world, name="By tab two", key=""), config_version=1)
    assert Account.objects.get().name == "By Alice"


def test_an_account_in_use_keeps_its_world(first: Account, alice: User, world: World) -> None:
    IN_USE[first.pk] = "run 1 is open"
    world.accounts[0].analyze = False
    with pytest.raises(Refused) as caught:
        services.edit_account(alice, first.pk, wanted(world, key="", mode="LIVE"), config_version=1)
    assert caught.value.fields == {"mode": "run 1 is open"}


def _moved(alice: User, account: Account, world: World) -> None:
    server = wanted(world, host_url="http://127.0.0.1:5602", key=world.accounts[1].api_key)
    services.edit_account(alice, account.pk, server, config_version=1)


def test_what_was_read_of_another_server_is_forgotten_but_for_its_funds(first: Account, alice: User, world: World) -> None:
    BrokerRead.objects.create(account=first, kind="ORDERS", rows=[], sequence=7)
    services.edit_account(alice, first.pk, wanted(world, name="Renamed", key=""), config_version=1)
    assert BrokerRead.objects.get(kind="ORDERS").sequence == 7, "a new name is no new server"
    Account.objects.update(config_version=1)
    _moved(alice, first, world)
    assert list(BrokerRead.objects.values_list("kind", flat=True)) == ["FUNDS"]


def test_while_something_is_open_its_orders_are_recognised_by_what_was_read(first: Account, alice: User, world: World) -> None:
    BrokerRead.objects.create(account=first, kind="ORDERS", rows=[], sequence=7)
    IN_USE[first.pk] = "run 1 is open"
    _moved(alice, first, world)
    assert BrokerRead.objects.get(kind="ORDERS").sequence == 7


def test_a_run_that_begins_while_the_new_mode_is_tested_keeps_its_world(
    first: Account, alice: User, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.accounts[0].analyze = False
    tested = services._tested

    def meanwhile(asked: services.Wanted, key: str) -> Any:
        IN_USE[first.pk] = "run 1 is open"
        return tested(asked, key)

    monkeypatch.setattr(services, "_tested", meanwhile)
    with pytest.raises(Conflict, match="run 1 is open"):
        services.edit_account(alice, first.pk, wanted(world, key="", mode="LIVE"), config_version=1)
    assert Account.objects.get().mode == "PAPER"


def test_there_is_always_exactly_one_primary(first: Account, alice: User, world: World) -> None:
    second = services.add_account(alice, wanted(world, 2))
    services.make_primary(alice, second.pk)
    services.make_primary(alice, second.pk)
    assert list(Account.objects.filter(is_primary=True)) == [second]
    with pytest.raises(IntegrityError), transaction.atomic():
        Account.objects.filter(pk=first.pk).update(is_primary=True)


def test_archiving_the_primary_promotes_a_healthy_backup(first: Account, alice: User, world: World) -> None:
    second = services.add_account(alice, wanted(world, 2))
    third = services.add_account(alice, wanted(world, 3))
    Account.objects.filter(pk=second.pk).update(link=Account.Link.DOWN)
    services.archive_account(alice, first.pk)
    first.refresh_from_db()
    assert first.archived_at is not None and not first.is_primary and not first.entries_enabled
    assert list(Account.objects.filter(is_primary=True)) == [third]
    with pytest.raises(Refused):
        services.archive_account(alice, first.pk)
    with pytest.raises(Refused):
        services.make_primary(alice, first.pk)


def test_an_account_in_use_is_not_archived(first: Account, alice: User) -> None:
    IN_USE[first.pk] = "run 7 is open"
    with pytest.raises(Refused, match="run 7 is open"):
        services.archive_account(alice, first.pk)
    assert Account.objects.get().is_active


def test_nor_is_one_for_which_the_broker_reports_a_position(first: Account, alice: User, world: World) -> None:
    from tests.accounts.far import gateway
    from tests.accounts.test_gateway_over_the_simulator import lot, option, ticket

    symbol = option(world)
    gateway(world).place(ticket(symbol, units=lot(world, symbol)))
    with pytest.raises(Refused, match="1 open position"):
        services.archive_account(alice, first.pk)


def test_a_dead_server_cannot_keep_its_account_alive(first: Account, alice: User, world: World) -> None:
    world.faults.add("drop_before", count=None)
    services.archive_account(alice, first.pk)
    assert Journal.objects.get(kind="account.archived").numbers["broker_check"].startswith("not answered")


def test_pausing_entries_is_journaled_once(first: Account, alice: User) -> None:
    services.set_entries_enabled(alice, first.pk, False)
    services.set_entries_enabled(alice, first.pk, False)
    assert not Account.objects.get().entries_enabled
    row = Journal.objects.get(kind="account.entries")
    assert (row.moved_from, row.moved_to) == ("on", "off")
