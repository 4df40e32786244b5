from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections

from accounts.models import User
from accounts.services import people
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import push
from marketdata import consumers
from marketdata.sifting import REREAD_EVERY_S, Sieve
from tests import cast
from tests.marketdata.test_the_socket_answers_everything import Tab
from tests.patience import PATIENCE_S

pytestmark = pytest.mark.django_db(transaction=True)


class Two:
    """A viewer with one of two accounts, and a run on each."""

    def __init__(self) -> None:
        self.mine, self.other = cast.account("Mine Mira"), cast.account("Other Olga")
        self.my_run, self.other_run = cast.run("mine"), cast.run("other")
        cast.book(self.mine, self.my_run)
        cast.book(self.other, self.other_run)
        self.viewer = cast.bob()
        people.assign(cast.alice(), self.viewer.pk, [self.mine.pk])
        self.tab = Tab(User.objects.get(pk=self.viewer.pk))


@pytest.fixture
async def two(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Two]:
    monkeypatch.setattr(consumers, "CARE_EVERY_S", 0.05)
    monkeypatch.setattr(consumers, "SIGNED_IN_EVERY_S", 0.05)
    two = await sync_to_async(Two)()
    await two.tab.open()
    yield two
    await two.tab.wire.disconnect()
    await sync_to_async(connections.close_all)()


async def test_another_s_run_is_no_topic_and_their_own_is(two: Two) -> None:
    await two.tab.say(op="subscribe", topic=f"run:{two.other_run.pk}")
    refused = await two.tab.hear("error")
    assert refused["field"] == "topic"
    await two.tab.say(op="subscribe", topic=f"run:{two.my_run.pk}")
    await two.tab.say(op="ping")
    await two.tab.hear("pong")
    await sync_to_async(push.push)(f"run:{two.my_run.pk}", "values", v={"run:1:pnl": "5.00"})
    heard = await two.tab.hear("values")
    assert heard["v"] == {"run:1:pnl": "5.00"}


async def test_numbers_of_all_come_as_word_that_they_changed(two: Two) -> None:
    await two.tab.say(op="subscribe", topic="frame")
    await two.tab.say(op="ping")
    await two.tab.hear("pong")
    await sync_to_async(push.push)(
        "frame", "values", v={"frame:pnl_today": "-99999.00", f"account:{two.other.pk}:pnl_today": "-99999.00"}
    )
    async with asyncio.timeout(PATIENCE_S):
        text = await two.tab.wire.receive_from(timeout=PATIENCE_S)
    heard: dict[str, Any] = json.loads(text)
    assert (heard["kind"], heard["topic"]) == ("changed", "frame")
    assert "99999" not in text


async def test_other_accounts_mean_another_socket(two: Two) -> None:
    alice = await sync_to_async(cast.alice)()
    await sync_to_async(people.assign)(alice, two.viewer.pk, [two.other.pk])
    async with asyncio.timeout(PATIENCE_S):
        ended = await two.tab.wire.receive_output(timeout=PATIENCE_S)
    assert (ended["type"], ended["code"]) == ("websocket.close", consumers.ASSIGNED_ANEW)


def body(topic: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"topic": topic, "kind": kind, "at": "2026-11-20T05:00:00+00:00", **more}


def test_everybody_else_hears_everything() -> None:
    pushed = body("frame", "values", v={"a": 1})
    assert Sieve(None).take(pushed) is pushed


def test_word_of_change_is_rationed_per_topic() -> None:
    sieve = Sieve(frozenset({1}))
    with clock.use(FrozenClock(cast.FRIDAY)) as now:
        assert isinstance(now, FrozenClock)
        assert sieve.take(body("frame", "values", v={})) is not None
        assert sieve.take(body("frame", "values", v={})) is None
        assert sieve.take(body("risk", "values", v={})) is not None
        now.advance(REREAD_EVERY_S)
        assert sieve.take(body("frame", "values", v={})) is not None


@pytest.mark.parametrize(
    ("account", "run", "is_heard"), [(1, None, True), (2, None, False), (2, 7, False), (None, 7, False), (None, None, True)]
)
def test_an_alarm_is_shouted_to_whom_it_concerns(account: int | None, run: int | None, is_heard: bool) -> None:
    shout = body("alarms", "shout", text="x", account=account, run=run)
    assert (Sieve(frozenset({1})).take(shout) is not None) is is_heard


def test_the_feed_s_figures_come_without_names() -> None:
    told = Sieve(frozenset({1})).take(
        body("market", "values", v={"feed:rate": "5", "feed:source": "Olga", "feed:skew:2": "+1 s"})
    )
    assert told is not None
    assert told["v"] == {"feed:rate": "5"}


def test_prices_are_everybody_s() -> None:
    ticks = body("chain:NIFTY:2026-12-01:2", "values", v={"x": 1})
    assert Sieve(frozenset()).take(ticks) is ticks
