from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from accounts.tokens import services
from accounts.tokens.models import ApiToken
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Journal
from tests.api.caller import BASE, Caller, account
from tests.page_rules import inline_parts, text_of
from tests.strategies import stage


def test_no_token_and_no_session_is_401() -> None:
    answer = Client().get(BASE + "me")
    assert answer.status_code == 401 and answer.json()["error"]["code"] == "NOT_AUTHENTICATED"
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_unknown_token_is_401_and_no_page() -> None:
    assert Caller("am_00000000_nothing").get("me").status_code == 401
    assert Caller("ä" * 30).get("me").status_code in (400, 401)


def test_a_revoked_and_an_expired_token_are_401(owner: Caller, _market: object) -> None:
    token = ApiToken.objects.get()
    assert owner.get("me").status_code == 200
    token.expires_at = token.created_at - timedelta(seconds=1)
    token.save()
    assert owner.get("me").status_code == 401
    ApiToken.objects.update(expires_at=None)
    services.revoke(token.pk, by=stage.alice())
    assert owner.get("me").status_code == 401


def test_a_token_of_a_switched_off_person_is_401() -> None:
    tara = stage.person("tara", "TRADER")
    caller = Caller.of(tara, scopes=["read"])
    User.objects.filter(pk=tara.pk).update(is_active=False)
    assert caller.get("me").status_code == 401


@pytest.mark.parametrize(
    ("scopes", "path", "status"),
    [
        (["read"], "risk/kill", 403),
        (["read", "trade"], "risk/kill", 403),
        (["read", "exit"], "risk/kill", 202),
        (["read", "exit"], "ticket/preview", 403),
        (["read", "exit"], "risk/release", 403),
    ],
)
def test_a_scope_opens_its_doors_only(scopes: list[str], path: str, status: int) -> None:
    caller = Caller.of(stage.alice(), scopes=scopes)
    assert caller.post(path, {"scope": "platform", "level": "REDUCE"}).status_code == status


def test_a_token_without_read_cannot_look() -> None:
    assert Caller.of(stage.alice(), scopes=["exit"]).get("orders").status_code == 403


def test_a_role_is_the_upper_bound_also_when_it_shrinks() -> None:
    tara = stage.person("tara", "TRADER")
    caller = Caller.of(tara, scopes=["read", "trade", "exit"])
    User.objects.filter(pk=tara.pk).update(role="VIEWER")
    assert caller.get("me").json()["scopes"] == ["read"]
    assert caller.post("risk/kill", {"scope": "platform", "level": "REDUCE"}).status_code == 403


def test_scopes_beyond_the_role_are_not_issued() -> None:
    with pytest.raises(Refused):
        services.issue(stage.person("vera", "VIEWER"), name="x", scopes=["trade"])


def test_a_limited_token_sees_and_touches_its_accounts_only() -> None:
    one, two = account(1), account(2)
    run = stage.started([one, two])
    stage.filled(run)
    caller = Caller.of(stage.alice(), scopes=["read", "trade", "exit", "admin"], accounts=[one.pk])
    assert [row["id"] for row in caller.get("accounts").json()] == [one.pk]
    assert {row["account"] for row in caller.get("orders").json()["results"]} == {one.pk}
    assert {row["account"] for row in caller.get("positions").json()["results"]} == {one.pk}
    assert {row["account"] for row in caller.get(f"runs/{run.pk}").json()["books"]} == {one.pk}
    assert caller.get(f"accounts/{two.pk}").status_code == 404
    assert caller.get(f"accounts/{two.pk}/funds").status_code == 404
    assert caller.get("dashboard").status_code == 403
    for path, body in (
        ("risk/kill", {"scope": "platform", "level": "FLATTEN"}),
        ("risk/kill", {"scope": "account", "target": two.pk, "level": "FLATTEN"}),
        ("risk/kill", {"scope": "run", "target": run.pk, "level": "FLATTEN"}),
        (f"runs/{run.pk}/exit", {}),
        (f"runs/{run.pk}/exit", {"account": two.pk}),
        (f"accounts/{two.pk}/flatten", {}),
        ("orders/cancel-all", {"account": two.pk}),
    ):
        assert caller.post(path, body).status_code in (403, 404), path
    assert len(caller.post(f"runs/{run.pk}/exit", {"account": one.pk}).json()["goals"]) == 1


def test_a_limit_outlives_the_accounts_it_names() -> None:
    one = account(1)
    account(2)
    caller = Caller.of(stage.alice(), scopes=["read"], accounts=[one.pk])
    ApiToken.objects.get().accounts.clear()
    assert caller.get("accounts").json() == []


def test_a_session_needs_its_csrf_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(stage.alice())
    assert client.get(BASE + "me").json()["username"] == "alice"
    answer = client.post(
        BASE + "risk/kill",
        '{"scope": "platform", "level": "REDUCE"}',
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )
    assert answer.status_code == 403


def test_the_token_is_shown_once_and_kept_as_a_hash() -> None:
    client = Client()
    client.force_login(stage.alice())
    made = client.post("/settings/tokens", {"name": "excel", "scopes": ["read"], "days": "30"})
    secret = next(word for word in text_of(made).replace("<", " ").replace(">", " ").split() if word.startswith("am_"))
    assert Caller(secret).get("me").status_code == 200
    page = client.get("/settings/tokens")
    assert secret not in text_of(page) and inline_parts(page) == []
    row = ApiToken.objects.get()
    assert secret not in str(vars(row)) and secret not in str(list(Journal.objects.values()))


def test_a_person_revokes_own_tokens_and_the_owner_everybodys() -> None:
    tara, vera = stage.person("tara", "TRADER"), stage.person("vera", "VIEWER")
    Caller.of(tara, scopes=["read"])
    token = ApiToken.objects.get()
    client = Client()
    client.force_login(vera)
    client.post(f"/settings/tokens/{token.pk}/revoke")
    assert ApiToken.objects.get().revoked_at is None
    client.force_login(stage.alice())
    client.post(f"/settings/tokens/{token.pk}/revoke")
    assert ApiToken.objects.get().revoked_at is not None
