from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from accounts.models import Account, User
from accounts.services import account as services
from algomirror.ops.models import Journal
from simulator.world import World
from tests.accounts.cast import typed, wanted

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(alice: User) -> Client:
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def account(alice: User, world: World) -> Account:
    return services.add_account(alice, wanted(world))


GETS = ["/accounts", "/accounts/cards", "/accounts/new", "/accounts/{id}/edit"]
POSTS = [
    "/accounts/new",
    "/accounts/test",
    *(f"/accounts/{{id}}/{act}" for act in ("edit", "test", "primary", "entries", "archive")),
]


@pytest.mark.parametrize("path", GETS)
def test_every_page_answers_with_and_without_accounts(owner: Client, alice: User, world: World, path: str) -> None:
    if "{id}" not in path:
        assert owner.get(path).status_code == 200
    account = services.add_account(alice, wanted(world))
    assert owner.get(path.format(id=account.pk)).status_code == 200


@pytest.mark.parametrize("path", GETS + POSTS)
def test_strangers_are_sent_to_the_gate(account: Account, path: str) -> None:
    url = path.format(id=account.pk)
    client = Client()
    answer = client.get(url) if path in GETS else client.post(url)
    assert answer.status_code == 302 and answer.headers["Location"].startswith("/login")


@pytest.mark.parametrize("path", POSTS)
def test_who_may_look_may_not_change(account: Account, bob: User, path: str) -> None:
    client = Client()
    client.force_login(bob)
    assert client.get("/accounts").status_code == 200
    assert b"Add account" not in client.get("/accounts").content
    before = Account.objects.values().get()
    assert client.post(path.format(id=account.pk), {"enabled": "0"}).status_code == 403
    assert Account.objects.values().get() == before


@pytest.mark.parametrize("path", [p for p in POSTS if p not in GETS])
def test_a_get_changes_nothing(owner: Client, account: Account, path: str) -> None:
    if path in ("/accounts/{id}/edit", "/accounts/new"):
        pytest.skip("this is also a form")
    assert owner.get(path.format(id=account.pk)).status_code == 405


@pytest.mark.parametrize("path", POSTS)
def test_an_unsafe_request_needs_its_token(alice: User, account: Account, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    assert client.post(path.format(id=account.pk)).status_code == 403


@pytest.mark.parametrize("act", ["edit", "test"])
def test_an_account_that_is_not_there_is_not_found(owner: Client, world: World, act: str) -> None:
    assert owner.post(f"/accounts/4711/{act}", {}).status_code == 404


def test_the_owner_adds_an_account_through_the_form(owner: Client, world: World) -> None:
    answer = owner.post("/accounts/new", typed(world))
    assert (answer.status_code, answer.headers["Location"]) == (302, "/accounts")
    page = owner.get("/accounts").content.decode()
    assert "Account 1" in page and "simulator" in page and "₹1 Cr" in page


def test_a_refusal_stands_beside_its_field_and_the_key_is_not_given_back(owner: Client, world: World) -> None:
    answer = owner.post("/accounts/new", typed(world, mode="LIVE"))
    assert answer.status_code == 422
    assert b"this account expects LIVE" in answer.content
    assert world.accounts[0].api_key.encode() not in answer.content
    assert not Account.objects.exists()


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"mode": "x"}, {"orders_per_second": "many"}, {"key": ""}, {"host_url": ""}, {"brokerage_per_order": "-1"}],
)
def test_bad_input_at_the_form_is_refused(owner: Client, world: World, change: dict[str, Any]) -> None:
    assert owner.post("/accounts/new", typed(world, **change)).status_code == 422
    assert not Account.objects.exists()


def test_every_word_of_the_form_is_kept_with_the_account(owner: Client, account: Account, world: World) -> None:
    words = {"backup_rank": "7", "brokerage_per_order": "12.50", "orders_per_second": "4", "websocket_url": "ws://127.0.0.1:5999"}
    assert owner.post(f"/accounts/{account.pk}/edit", typed(world, key="", config_version=1, **words)).status_code == 302
    account.refresh_from_db()
    kept = {name: str(getattr(account, name)) for name in words}
    assert kept == words


def test_the_edit_form_keeps_the_key_when_it_is_left_empty(owner: Client, account: Account, world: World) -> None:
    shown = owner.get(f"/accounts/{account.pk}/edit").content.decode()
    assert world.accounts[0].api_key not in shown and 'name="config_version" value="1"' in shown
    answer = owner.post(f"/accounts/{account.pk}/edit", typed(world, key="", name="Renamed", config_version=1))
    assert answer.status_code == 302
    account.refresh_from_db()
    assert account.name == "Renamed"
    stale = owner.post(f"/accounts/{account.pk}/edit", typed(world, key="", name="Too late", config_version=1))
    assert stale.status_code == 409


def test_the_test_button_shows_the_steps_and_saves_nothing(owner: Client, world: World) -> None:
    answer = owner.post("/accounts/test", typed(world), headers={"HX-Request": "true"})
    text = answer.content.decode()
    assert answer.status_code == 200 and "<html" not in text
    assert "paper mode" in text and "Funds were read" in text and "0 open positions" in text
    assert "Nothing answers at the WebSocket address" in text
    assert not Account.objects.exists()
    broken = owner.post("/accounts/test", typed(world, host_url="http://127.0.0.1:5999")).content.decode()
    assert "<html" in broken and "Check the host and port" in broken and "not tried" in broken


def test_the_edit_form_tests_with_the_kept_key(owner: Client, account: Account, world: World) -> None:
    answer = owner.post("/accounts/test", typed(world, key="", account=account.pk), headers={"HX-Request": "true"})
    assert "Funds were read" in answer.content.decode()
    assert owner.post("/accounts/test", typed(world, key=""), headers={"HX-Request": "true"}).status_code == 422


def test_tests_are_not_for_hammering(owner: Client, world: World) -> None:
    # They are counted in windows of a minute by the wall clock: it stands still here.
    with time_machine.travel(datetime.now(UTC), tick=False):
        codes = [owner.post("/accounts/test", typed(world, host_url="http://127.0.0.1:5999")).status_code for _ in range(21)]
    assert codes == [200] * 20 + [429]


def test_testing_a_saved_account_moves_its_link(owner: Client, account: Account) -> None:
    Account.objects.update(link=Account.Link.DOWN, failures_in_row=9)
    assert owner.post(f"/accounts/{account.pk}/test", headers={"HX-Request": "true"}).status_code == 200
    account.refresh_from_db()
    assert account.link == Account.Link.UP


def test_the_acts_answer_with_fresh_cards(owner: Client, account: Account, alice: User, world: World) -> None:
    second = services.add_account(alice, wanted(world, 2))
    answer = owner.post(f"/accounts/{second.pk}/primary", headers={"HX-Request": "true"})
    assert answer.headers["HX-Retarget"] == "#account-cards" and "am:toast" in answer.headers["HX-Trigger"]
    assert Account.objects.get(is_primary=True) == second
    owner.post(f"/accounts/{second.pk}/entries", {"enabled": "0"})
    assert "entries paused" in owner.get("/accounts/cards").content.decode()
    assert owner.post(f"/accounts/{second.pk}/archive").status_code == 302
    assert "Archived" in owner.get("/accounts").content.decode()
    assert set(Journal.objects.values_list("kind", flat=True)) >= {"account.primary", "account.entries", "account.archived"}


def test_a_refused_act_says_why_in_place(owner: Client, account: Account) -> None:
    from tests.accounts.conftest import IN_USE

    IN_USE[account.pk] = "run 3 is open"
    answer = owner.post(f"/accounts/{account.pk}/archive", headers={"HX-Request": "true"})
    assert answer.status_code == 422 and b"run 3 is open" in answer.content and b"<html" not in answer.content


def test_a_failed_read_is_said_and_the_old_number_stays(owner: Client, account: Account, world: World) -> None:
    owner.post(f"/accounts/{account.pk}/test")
    world.faults.add("http_5xx", endpoint="funds")
    from accounts import health

    health.check_link(account.pk)
    text = owner.get("/accounts/cards").content.decode()
    assert "last attempt failed" in text and "₹1 Cr" in text and "degraded" in text


def test_the_cards_cost_the_same_for_one_and_for_three(
    owner: Client, account: Account, alice: User, world: World, django_assert_num_queries: object
) -> None:
    from accounts.selectors import archived_accounts, cards

    with django_assert_num_queries(3):  # type: ignore[operator]
        cards(), archived_accounts()
    services.add_account(alice, wanted(world, 2))
    services.add_account(alice, wanted(world, 3))
    with django_assert_num_queries(3):  # type: ignore[operator]
        cards(), archived_accounts()


@pytest.mark.parametrize("model", ["account", "user", "brokerread"])
def test_the_admin_shows_facts_and_changes_none(owner: Client, account: Account, world: World, model: str) -> None:
    listed = owner.get(reverse(f"admin:accounts_{model}_changelist"))
    assert listed.status_code == 200
    assert owner.get(reverse(f"admin:accounts_{model}_add")).status_code == 403
    pk = {"account": account.pk, "user": account.owner_id, "brokerread": account.reads.get().pk}[model]
    shown = owner.get(reverse(f"admin:accounts_{model}_change", args=[pk]))
    assert shown.status_code == 200
    assert owner.post(reverse(f"admin:accounts_{model}_delete", args=[pk]), {"post": "yes"}).status_code == 403
    secrets = (world.accounts[0].api_key, account.key_fingerprint, bytes(account.sealed_key).decode(), "md5$")
    assert not any(secret in listed.content.decode() + shown.content.decode() for secret in secrets)


def test_whose_account_it_is_and_its_registered_address_are_kept_and_taken_off(owner: Client, world: World) -> None:
    said = {"holder": "Anil Rao", "relation": "SPOUSE", "registered_address": "203.0.113.7"}
    owner.post("/accounts/new", typed(world, **said))
    account = Account.objects.get()
    assert (account.holder, account.relation, account.registered_address) == ("Anil Rao", "SPOUSE", "203.0.113.7")
    edited = owner.get(f"/accounts/{account.pk}/edit").content.decode()
    assert "203.0.113.7" in edited and "Anil Rao" in edited
    gone = {"holder": "", "relation": "SELF", "registered_address": "", "key": "", "config_version": account.config_version}
    assert owner.post(f"/accounts/{account.pk}/edit", typed(world, **gone)).status_code == 302
    account.refresh_from_db()
    assert (account.holder, account.relation, account.registered_address) == ("", "SELF", None)
    wrong = owner.post("/accounts/new", typed(world, name="Another", relation="COUSIN", registered_address="300.1.1.1"))
    assert wrong.status_code == 422 and "COUSIN" in wrong.content.decode()


def test_a_stream_that_cannot_be_heard_is_said_and_the_account_kept(owner: Client, world: World) -> None:
    page = owner.post("/accounts/new", typed(world, websocket_url="ws://127.0.0.1:9"), follow=True)
    assert Account.objects.count() == 1
    assert "its ticks cannot be heard yet. Nothing answers at the WebSocket address" in page.content.decode()
