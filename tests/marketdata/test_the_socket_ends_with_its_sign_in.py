from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connections
from django.test import Client

from accounts.models import LoginSession, User
from accounts.services import people, sessions
from algomirror.kernel import clock
from marketdata import consumers
from marketdata.consumers import NOT_SIGNED_IN, LiveConsumer
from tests.marketdata.cast import owner
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


class Browser:
    """Alice's, signed in through the door; `close` is the code her socket was closed with, None while it lives."""

    def __init__(self) -> None:
        self.alice, self.owner = owner("alice", "TRADER"), owner("olga")
        self.client = Client()
        self.client.post("/login", {"username": "alice", "password": "Str0ng!pass"})
        self.row = LoginSession.objects.get(user=self.alice)
        self.wire = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws")
        self.wire.scope["user"], self.wire.scope["session"] = self.alice, self.client.session

    async def close_code(self, within_s: float) -> int | None:
        try:
            said = await self.wire.receive_output(timeout=within_s)
        except TimeoutError:
            return None
        return int(said["code"])


@pytest.fixture
async def browser(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    monkeypatch.setattr(consumers, "CARE_EVERY_S", 0.05)
    monkeypatch.setattr(consumers, "SIGNED_IN_EVERY_S", 0.05)
    browser = await sync_to_async(Browser)()
    await browser.wire.connect()
    yield browser
    await browser.wire.disconnect()
    await sync_to_async(connections.close_all)()


def _ended_from_elsewhere(browser: Browser) -> None:
    assert sessions.end_one(browser.alice, browser.row.pk)


def _signed_out(browser: Browser) -> None:
    browser.client.post("/logout")


def _switched_off(browser: Browser) -> None:
    people.set_active(browser.owner, browser.alice.pk, False)


def _switched_off_in_the_database(browser: Browser) -> None:
    User.objects.filter(pk=browser.alice.pk).update(is_active=False)


def _new_password(browser: Browser) -> None:
    browser.alice.set_password("An0ther!pass")
    browser.alice.save()


@pytest.mark.parametrize("end", [_ended_from_elsewhere, _signed_out, _switched_off, _switched_off_in_the_database, _new_password])
async def test_an_open_socket_ends_when_the_sign_in_behind_it_does(browser: Browser, end: Callable[[Browser], None]) -> None:
    assert await browser.wire.receive_nothing(timeout=0.3), "it lives while she is signed in"
    await sync_to_async(end)(browser)
    assert await browser.close_code(within_s=PATIENCE_S) == NOT_SIGNED_IN


@pytest.mark.parametrize(("hours", "is_open"), [(11.9, True), (12.1, False)])
async def test_it_lives_no_longer_than_an_idle_session(browser: Browser, hours: float, is_open: bool) -> None:
    later = clock.FrozenClock(clock.now() + timedelta(hours=hours))
    with clock.use(later):
        assert await sync_to_async(sessions.is_open)(browser.row.session_key, browser.alice.pk) is is_open


async def test_another_s_session_opens_no_socket(browser: Browser) -> None:
    wire = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws")
    wire.scope["user"], wire.scope["session"] = browser.owner, browser.client.session
    await wire.connect()
    assert await wire.receive_output(timeout=PATIENCE_S) == {"type": "websocket.close", "code": NOT_SIGNED_IN}
