"""Canaries: secrets are planted, the whole product is walked, and everything it said is searched for them."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.test import RequestFactory
from django.urls import reverse
from django.views.debug import ExceptionReporter

from accounts import health
from accounts.crypto import fingerprint, seal
from accounts.models import Account, BrokerRead, SecondFactor, User
from accounts.services import connection, people
from algomirror.ops import queue
from tests import cast
from tests.accounts.cast import PASSWORD
from tests.security import walk
from tests.security.enrolled import enrol, secret_of, sign_in

pytestmark = pytest.mark.django_db

KEY = "canary-key-4f1d7a9e6b2c8053"
SEALED = {"accounts.Account": {"sealed_key", "key_fingerprint"}, "accounts.SecondFactor": {"sealed_secret"}}


@dataclass(frozen=True)
class Planted:
    owner: User
    world: walk.World
    secrets: list[str]


@pytest.fixture
def planted(caplog: pytest.LogCaptureFixture) -> Planted:
    """A world in which each kind of secret exists."""
    caplog.set_level(logging.DEBUG)
    world = walk.build()
    alice = world.users["OWNER"]
    alice.set_password(PASSWORD)
    alice.save()
    Account.objects.filter(pk=world.numbers["accounts"]).update(sealed_key=seal(KEY), key_fingerprint=fingerprint(KEY))
    codes = enrol(alice)
    token = people.invite(alice, "TRADER")
    client = walk.browser(None)
    sign_in(client, alice)
    return Planted(alice, world, [KEY, fingerprint(KEY), PASSWORD, secret_of(alice), token, *codes])


def found_in(text: str, secrets: list[str]) -> list[str]:
    return [secret for secret in secrets if secret in text]


def test_pages_and_api_show_none(planted: Planted) -> None:
    alice, secrets = planted.owner, planted.secrets
    client = walk.browser(alice)
    shown = []
    for route in walk.routes():
        queue.client().flushdb()
        # The link of an invitation carries its token; its page does not.
        answer = client.get(planted.world.url(route))
        body = b"".join(answer) if getattr(answer, "streaming", False) else answer.content  # type: ignore[call-overload]
        if found_in(body.decode(errors="replace"), secrets):
            shown.append(route.path)
    assert shown == []


def test_the_admin_shows_none(planted: Planted) -> None:
    alice, secrets = planted.owner, planted.secrets
    client = walk.browser(alice)
    shown = []
    for model in admin.site._registry:
        names = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        urls = [reverse(f"{names}_changelist")]
        urls += [reverse(f"{names}_change", args=[pk]) for pk in model._default_manager.values_list("pk", flat=True)[:3]]
        shown += [url for url in urls if found_in(client.get(url).content.decode(), secrets)]
    assert shown == []


def test_a_failing_account_leaves_none_in_rows_logs_and_queues(planted: Planted, caplog: pytest.LogCaptureFixture) -> None:
    alice, secrets = planted.owner, planted.secrets
    account = Account.objects.get(name="Zerodha Anil")
    health.check_links([account.pk])
    connection.try_connection(host_url=account.host_url, websocket_url=account.websocket_url, key=KEY)
    client = walk.browser(alice)
    client.post("/accounts/test", {"host_url": "http://127.0.0.1:9", "websocket_url": "ws://127.0.0.1:9", "key": KEY})
    client.post(f"/accounts/{account.pk}/test")
    client.post("/login", {"username": "alice", "password": PASSWORD, "next": "/x"})
    queue.enqueue("signals", "accounts.tasks.check_links", account.pk)
    assert BrokerRead.objects.filter(account=account).exclude(error="").exists(), "the failure was recorded"
    rows = [
        repr({name: value for name, value in row.items() if name not in SEALED.get(model._meta.label, set())})
        for model in apps.get_models()
        for row in model._default_manager.values()
    ]
    assert found_in(" ".join(rows), secrets) == []
    assert found_in(caplog.text, secrets) == []
    assert found_in(_redis(), secrets) == []


def _redis() -> str:
    """Everything Redis holds: task arguments, counters, kept values."""
    client = queue.client()
    kinds = {b"string": client.get, b"list": lambda k: client.lrange(k, 0, -1), b"set": client.smembers, b"hash": client.hgetall}
    kinds |= {b"zset": lambda k: client.zrange(k, 0, -1), b"stream": lambda k: client.xrange(k)}
    return " ".join(f"{key!r} {kinds[client.type(key)](key)!r}" for key in client.scan_iter())  # type: ignore[index,operator]


def test_sealed_columns_hold_no_plain_text(planted: Planted) -> None:
    secrets = planted.secrets
    kept = [*Account.objects.values_list("sealed_key", flat=True), *SecondFactor.objects.values_list("sealed_secret", flat=True)]
    assert found_in(" ".join(bytes(one).decode(errors="replace") for one in kept), secrets) == []


def _fails(secret_key: str, form: dict[str, str]) -> None:
    typed = {"apikey": secret_key, **form}
    raise ValueError(f"{len(typed)} fields")


@pytest.mark.parametrize("debug", [True, False])
def test_a_traceback_hides_what_is_named_like_a_secret(settings: Any, debug: bool) -> None:
    settings.DEBUG = debug
    request = RequestFactory().post("/accounts/new", {"key": KEY, "password": PASSWORD, "name": "Anil"})
    request.user = cast.alice()
    try:
        _fails(KEY, {"password": PASSWORD})
    except ValueError:
        reporter = ExceptionReporter(request, *sys.exc_info())
    told = reporter.get_traceback_html() + reporter.get_traceback_text()
    assert "fields" in told
    assert found_in(told, [KEY, settings.SECRET_KEY, *settings.FERNET_KEYS]) == []


def test_a_log_line_that_quotes_a_key_is_masked() -> None:
    from algomirror.ops.logs import masked

    lines = [f'{{"apikey": "{KEY}"}}', f"/api/v1/instruments?apikey={KEY}&x=1", f"password={KEY}", f"token: '{KEY}'"]
    assert [line for line in lines if KEY in masked(line)] == []
