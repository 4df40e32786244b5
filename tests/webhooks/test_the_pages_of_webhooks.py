from __future__ import annotations

import pytest
from django.test import Client

from accounts.models import User
from strategies.models import Version
from strategies.webhooks.models import Webhook
from tests.page_rules import inline_parts, text_of, world
from tests.strategies import stage
from tests.webhooks import sender


@pytest.fixture
def version() -> Version:
    return stage.saved([stage.account(1)])


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_webhook_is_made_and_its_secret_shown_once(version: Version) -> None:
    alice = browser(stage.alice())
    page = alice.post(
        "/webhooks/new",
        {
            "name": "TV",
            "strategy": version.strategy_id,
            "acts": ["EXIT"],
            "max_starts_a_day": 5,
            "cool_off_s": 60,
            "enabled": "on",
        },
    )
    hook = Webhook.objects.get()
    assert page.status_code == 200 and hook.public_id in text_of(page) and inline_parts(page) == []
    for path in ("/webhooks", f"/webhooks/{hook.pk}", f"/webhooks/{hook.pk}/signals", "/webhooks/new"):
        shown = alice.get(path)
        assert shown.status_code == 200 and inline_parts(shown) == []


def test_a_viewer_looks_and_changes_nothing(version: Version) -> None:
    made = sender.made(version)
    vera = browser(stage.person("vera", "VIEWER"))
    assert vera.get(f"/webhooks/{made.hook.pk}").status_code == 200
    before = world()
    for path in (
        "/webhooks/new",
        f"/webhooks/{made.hook.pk}",
        f"/webhooks/{made.hook.pk}/rotate",
        f"/webhooks/{made.hook.pk}/test",
    ):
        assert vera.post(path, {"name": "x"}).status_code == 403
    assert vera.get("/webhooks/new").status_code == 403
    assert world() == before


def test_the_console_shows_how_a_body_is_read_and_keeps_nothing(version: Version) -> None:
    made = sender.made(version, acts=("EXIT",))
    alice = browser(stage.alice())
    before = world()
    page = alice.post(f"/webhooks/{made.hook.pk}/test", {"body": '{"action": "start", "timestamp": 1}'})
    assert "may not start" in text_of(page) and "sent" in text_of(page) and world() == before


def test_an_edit_over_a_newer_state_is_refused(version: Version) -> None:
    made = sender.made(version)
    alice = browser(stage.alice())
    typed = {
        "name": "TV",
        "strategy": version.strategy_id,
        "acts": ["EXIT"],
        "max_starts_a_day": 5,
        "cool_off_s": 60,
        "version": 1,
    }
    assert alice.post(f"/webhooks/{made.hook.pk}", typed).status_code == 302
    assert alice.post(f"/webhooks/{made.hook.pk}", typed).status_code == 422
    assert Webhook.objects.get().enabled is False


def test_every_bound_of_a_webhook_is_kept_as_typed(version: Version) -> None:
    account = stage.account(2)
    bounds = {
        "accounts": [account.pk], "paper_only": "on", "sources": "10.0.0.0/8", "weekdays": ["0", "4"], "opens": "09:20",
        "closes": "15:00", "max_starts_a_day": 2, "cool_off_s": 30,
    }  # fmt: skip
    made = {"name": "TV", "strategy": version.strategy_id, "acts": ["EXIT"], "enabled": "on", **bounds}
    assert browser(stage.alice()).post("/webhooks/new", made).status_code == 200
    hook = Webhook.objects.get()
    assert [one.pk for one in hook.accounts.all()] == [account.pk]
    assert (hook.paper_only, hook.enabled, hook.sources, hook.weekdays) == (True, True, ["10.0.0.0/8"], [0, 4])
    assert (f"{hook.opens:%H:%M}", f"{hook.closes:%H:%M}", hook.max_starts_a_day, hook.cool_off_s) == ("09:20", "15:00", 2, 30)
