from __future__ import annotations

import io
import logging

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.test import Client

from accounts import health
from accounts.models import Account, BrokerRead, User
from accounts.services import account as services
from accounts.services.account import Wanted
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Alarm, Journal
from simulator.world import World
from tests.accounts.cast import PASSWORD, typed, wanted

pytestmark = pytest.mark.django_db


def test_a_key_is_in_no_row_page_or_log_of_its_whole_life(
    alice: User, world: World, caplog: pytest.LogCaptureFixture, client: Client
) -> None:
    caplog.set_level(logging.DEBUG)
    key, other = world.accounts[0].api_key, world.accounts[1].api_key
    client.force_login(alice)
    pages = [client.post("/accounts/new", typed(world, mode="LIVE")).content]
    with pytest.raises(Refused):
        services.add_account(alice, wanted(world, host_url="http://127.0.0.1:5999"))
    account = services.add_account(alice, wanted(world))
    world.faults.add("token_expired", count=1)
    health.check_link(account.pk)
    services.edit_account(alice, account.pk, wanted(world, host_url="http://127.0.0.1:5602", key=other), config_version=1)
    pages += [client.get(p).content for p in ("/accounts", "/accounts/new", f"/accounts/{account.pk}/edit")]
    pages.append(client.post(f"/accounts/{account.pk}/test").content)
    rows = [repr(list(model.objects.values())) for model in (Journal, Alarm, BrokerRead, Account)]
    everything = " ".join([*rows, caplog.text, *(p.decode() for p in pages)])
    assert key not in everything and other not in everything
    assert "account.added" in everything and "simulator" in everything


def test_a_form_in_a_traceback_does_not_show_its_key(world: World) -> None:
    assert world.accounts[0].api_key not in repr(wanted(world))
    assert isinstance(wanted(world), Wanted)


def test_a_new_key_can_be_made_and_used() -> None:
    out = io.StringIO()
    call_command("new_key", stdout=out)
    Fernet(out.getvalue().strip())


def test_the_owner_can_be_made_once_without_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setenv("FIRST_PASSWORD", PASSWORD)
    call_command("create_owner", "--username=alice", "--email=a@example.test", "--password-env=FIRST_PASSWORD", stdout=out)
    assert User.objects.get().check_password(PASSWORD) and PASSWORD not in out.getvalue()
    with pytest.raises(CommandError, match="closed"):
        call_command("create_owner", "--username=bob", "--email=b@example.test", "--print-once", stdout=out)


def test_a_made_password_is_printed_this_once_and_works() -> None:
    out = io.StringIO()
    call_command("create_owner", "--username=alice", "--email=a@example.test", "--print-once", stdout=out)
    assert User.objects.get().check_password(out.getvalue().rsplit("Password: ", 1)[1].strip())


def test_a_weak_or_missing_password_is_refused() -> None:
    with pytest.raises(CommandError, match="password"):
        call_command("create_owner", "--username=alice", "--email=a@example.test", "--password-env=NOT_SET_ANYWHERE")
    assert not User.objects.exists()
