from __future__ import annotations

import json

import pytest

from accounts.models import Account
from accounts.tokens import services as tokens
from accounts.tokens.models import ApiToken
from algomirror.ops.api.models import Command
from algomirror.ops.models import Journal
from strategies.webhooks.models import Webhook
from strategies.webhooks.services import secrets_of
from tests.api.caller import Caller, account
from tests.strategies import stage

pytestmark = pytest.mark.django_db


def test_an_account_is_changed_by_what_is_named(owner: Caller) -> None:
    one = account(1, name="Before", registered_address="203.0.113.7")
    asked = {"config_version": one.config_version, "name": "After", "holder": "Anil", "relation": "SPOUSE"}
    answer = owner.send("PATCH", f"accounts/{one.pk}", asked)
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert (told["name"], told["holder"], told["relation"], told["registered_address"]) == (
        "After",
        "Anil",
        "SPOUSE",
        "203.0.113.7",
    )
    assert "key" not in told and told["config_version"] == one.config_version + 1
    again = owner.send("PATCH", f"accounts/{one.pk}", asked | {"name": "Third"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "CONFLICT")
    empty = owner.send("PATCH", f"accounts/{one.pk}", {"config_version": told["config_version"], "registered_address": None})
    assert empty.json()["registered_address"] is None


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x"}, "config_version"),
        ({"config_version": 1, "registered_address": "300.1.1.1"}, "registered_address"),
        ({"config_version": 1, "relation": "COUSIN"}, "relation"),
        ({"config_version": 1, "host_url": "ftp://x"}, "host_url"),
        ({"config_version": 1, "key": "short"}, "key"),
        ({"config_version": 1, "colour": 5}, "colour"),
    ],
)
def test_what_is_wrong_with_an_account_is_named(owner: Caller, body: dict[str, object], field: str) -> None:
    one = account(1)
    answer = owner.send("PATCH", f"accounts/{one.pk}", body)
    assert answer.status_code in (400, 422) and field in answer.json()["error"]["fields"], answer.content
    assert Account.objects.get(pk=one.pk).config_version == one.config_version


def test_a_new_key_is_tested_and_kept_nowhere_in_the_open(owner: Caller) -> None:
    one = account(1)
    answer = owner.send("PATCH", f"accounts/{one.pk}", {"config_version": 1, "key": "a-key-that-nobody-knows"})
    assert answer.status_code == 400, answer.content
    assert Account.objects.get(pk=one.pk).key_fingerprint == one.key_fingerprint, "its server does not answer"
    kept = json.dumps([list(Command.objects.values()), list(Journal.objects.values())], default=str) + answer.content.decode()
    assert "a-key-that-nobody-knows" not in kept


def test_a_token_is_made_once_and_its_secret_said_once(owner: Caller) -> None:
    one = account(1)
    asked = {"name": "bot", "scopes": ["read", "exit"], "accounts": [one.pk], "days": 5}
    first = owner.post("tokens", asked, key="make-one")
    assert first.status_code == 201, first.content
    secret = first.json()["secret"]
    again = owner.post("tokens", asked, key="make-one")
    assert again.json()["replayed"] and "secret" not in again.json()
    assert ApiToken.objects.filter(name="bot").count() == 1
    assert secret not in json.dumps(list(Command.objects.values()), default=str)
    made = Caller(secret)
    assert made.get("me").json()["accounts"] == [one.pk]
    listed = made.get("tokens").json()["results"]
    assert [row["name"] for row in listed] == ["bot"], "a program without admin knows only its own"
    assert len(owner.get("tokens").json()["results"]) == 2


def test_a_token_makes_none_that_may_more() -> None:
    one, two = account(1), account(2)
    weak = Caller.of(stage.alice(), scopes=("read", "admin"), accounts=[one.pk])
    assert weak.post("tokens", {"name": "x", "scopes": ["trade"]}).status_code == 403
    assert weak.post("tokens", {"name": "x", "scopes": ["read"], "accounts": [two.pk]}).status_code == 404
    assert weak.post("tokens", {"name": "x", "scopes": ["read"]}).json()["token"]["accounts"] == [one.pk]
    assert Caller.of(stage.alice(), scopes=("read",)).post("tokens", {"name": "x", "scopes": ["read"]}).status_code == 403


def test_a_token_is_narrowed_and_never_widened(owner: Caller) -> None:
    one, two = account(1), account(2)
    made = tokens.issue(stage.alice(), name="bot", scopes=("read", "exit"), account_ids=[one.pk, two.pk]).token
    where = f"tokens/{made.pk}"
    told = owner.send("PATCH", where, {"name": "less", "scopes": ["read"], "accounts": [one.pk]}).json()
    assert (told["name"], told["scopes"], told["accounts"]) == ("less", ["read"], [one.pk])
    for more, field in (({"scopes": ["read", "trade"]}, "scopes"), ({"accounts": [two.pk]}, "accounts")):
        answer = owner.send("PATCH", where, more)
        assert answer.status_code == 400 and field in answer.json()["error"]["fields"]
    assert owner.post(f"{where}/revoke").json()["revoked_at"] is not None
    assert owner.send("PATCH", where, {"name": "late"}).status_code == 409
    assert Journal.objects.filter(kind="token.changed").count() == 1


def test_another_person_s_token_does_not_exist(owner: Caller) -> None:
    theirs = tokens.issue(stage.person("tara", "TRADER"), name="bot", scopes=("read",)).token
    assert owner.get(f"tokens/{theirs.pk}").status_code == 404
    assert owner.send("PATCH", f"tokens/{theirs.pk}", {"name": "mine"}).status_code == 404
    assert owner.post(f"tokens/{theirs.pk}/revoke").status_code == 404


def test_a_webhook_is_made_changed_and_its_secret_renewed(owner: Caller) -> None:
    one = account(1)
    version = stage.saved([one])
    asked = {
        "name": "tv",
        "strategy": version.strategy_id,
        "acts": ["EXIT", "EXIT_LEG"],
        "sources": ["10.0.0.0/8"],
        "opens": "09:20",
    }
    made = owner.post("webhooks", asked)
    assert made.status_code == 201, made.content
    told, hook = made.json(), Webhook.objects.get()
    assert secrets_of(hook) == [told["secret"]]
    assert (told["acts"], told["sources"], told["paper_only"]) == (["EXIT", "EXIT_LEG"], ["10.0.0.0/8"], True)
    where = f"webhooks/{told['id']}"
    changed = owner.send("PATCH", where, {"version": 1, "enabled": False, "weekdays": [0, 4]}).json()
    assert (changed["enabled"], changed["weekdays"], changed["name"], changed["version"]) == (False, [0, 4], "tv", 2)
    assert owner.send("PATCH", where, {"version": 1, "enabled": True}).status_code == 409
    renewed = owner.post(f"{where}/rotate")
    assert renewed.status_code == 202
    assert secrets_of(Webhook.objects.get()) == [renewed.json()["secret"], told["secret"]]
    shown = owner.get(where).json()
    assert "secret" not in shown and "sealed_secret" not in shown and shown["url"] == f"/hooks/{hook.public_id}"
    assert owner.get(f"{where}/signals").json()["results"] == []
    assert told["secret"] not in json.dumps(list(Command.objects.values()), default=str)


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"acts": []}, "acts"),
        ({"acts": ["BUY"]}, "acts"),
        ({"sources": ["nowhere"]}, "sources"),
        ({"strategy": 999}, "strategy"),
        ({"accounts": [999]}, "accounts"),
        ({"opens": "12:00", "closes": "11:00"}, "closes"),
        ({"weekdays": [7]}, "weekdays"),
    ],
)
def test_what_is_wrong_with_a_webhook_is_named(owner: Caller, more: dict[str, object], field: str) -> None:
    version = stage.saved([account(1)])
    asked = {"name": "tv", "strategy": version.strategy_id, "acts": ["EXIT"], **more}
    answer = owner.post("webhooks", asked)
    assert answer.status_code in (400, 422) and field in answer.json()["error"]["fields"], answer.content
    assert not Webhook.objects.exists()


def test_a_limited_token_knows_only_webhooks_of_its_accounts(owner: Caller) -> None:
    one, two = account(1), account(2)
    owner.post("webhooks", {"name": "one", "strategy": stage.saved([one], name="A").strategy_id, "acts": ["EXIT"]})
    both = owner.post("webhooks", {"name": "both", "strategy": stage.saved([one, two], name="B").strategy_id, "acts": ["EXIT"]})
    limited = Caller.of(stage.alice(), scopes=("read", "trade"), accounts=[one.pk])
    assert [row["name"] for row in limited.get("webhooks").json()["results"]] == ["one"]
    for method, path, body in (
        ("GET", "", None), ("GET", "/signals", None), ("PATCH", "", {"version": 1}), ("POST", "/rotate", None)
    ):  # fmt: skip
        assert limited.send(method, f"webhooks/{both.json()['id']}{path}", body).status_code == 404
    asked = {"name": "x", "strategy": both.json()["strategy"], "acts": ["EXIT"]}
    assert limited.post("webhooks", asked).status_code == 404
