"""A fleet of accounts changes one topic hundreds of times a second; whoever hears `changed` reads everything anew anyway."""

from __future__ import annotations

import asyncio
import time
from typing import Any, NoReturn

import pytest
import redis
from channels.layers import get_channel_layer
from redis.client import Pipeline

from algomirror.ops import push, queue

pytestmark = pytest.mark.django_db(transaction=True)


async def _heard(until_quiet_s: float = 0.4) -> list[dict[str, Any]]:
    """Everything one listener got, while notices were pushed from this thread."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    for topic in ("orders", "run:1"):
        await layer.group_add(push.group_of(topic), channel)
    await asyncio.to_thread(_push)
    got = []
    try:
        while True:
            got.append((await asyncio.wait_for(layer.receive(channel), until_quiet_s))["body"])
    except TimeoutError:
        return got


def _push() -> None:
    for _ in range(200):
        push.push("orders", "changed")
    push.push("run:1", "changed")
    push.push("orders", "shout", text="not to be merged")
    push.push("orders", "shout", text="nor this")
    time.sleep(0.01)
    push.push("orders", "changed")


def test_the_first_and_the_last_are_told_and_the_crowd_between_is_not() -> None:
    got = asyncio.run(_heard())
    orders = [m for m in got if m["topic"] == "orders" and m["kind"] == "changed"]
    assert 2 <= len(orders) < 100
    assert [m["text"] for m in got if m["kind"] == "shout"] == ["not to be merged", "nor this"]
    assert got[-1]["topic"] == "orders" and got[-1]["kind"] == "changed", "the last change is told after everything else"
    assert [m["topic"] for m in got].count("run:1") == 1


def test_numbers_have_no_gap_where_notices_were_merged() -> None:
    got = [m["seq"] for m in asyncio.run(_heard()) if m["topic"] == "orders"]
    assert got == list(range(got[0], got[0] + len(got)))


def _at_once(*messages: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What a listener got of messages that waited together."""

    async def heard() -> list[dict[str, Any]]:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        for topic in {topic for topic, _ in messages}:
            await layer.group_add(push.group_of(topic), channel)
        await asyncio.to_thread(push._send, [(topic, {"topic": topic, **body}) for topic, body in messages])
        got = []
        try:
            while True:
                got.append(await asyncio.wait_for(layer.receive(channel), 0.4))
        except TimeoutError:
            return got

    return asyncio.run(heard())


def test_what_waits_together_leaves_in_two_calls_and_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[set[str]] = []
    execute = Pipeline.execute

    def noted(pipe: Any, **options: Any) -> Any:
        sent.append({command[0][0] for command in pipe.command_stack})
        return execute(pipe, **options)

    monkeypatch.setattr(Pipeline, "execute", noted)
    names = ["orders", "positions", "run:1", "orders"]
    got = _at_once(*((name, {"kind": "changed", "at": str(n)}) for n, name in enumerate(names)))
    assert sent == [{"INCRBY", "EXPIRE"}, {"PUBLISH"}]
    assert [(m["type"], m["body"]["topic"], m["body"]["at"]) for m in got] == [
        ("topic.message", name, str(n)) for n, name in enumerate(names)
    ]
    assert [m["body"]["seq"] for m in got] == [1, 1, 1, 2]
    assert 0 < queue.client().ttl("am:seq:orders") <= push.SEQUENCE_KEPT_S


def test_values_and_ticks_are_not_numbered_and_what_cannot_be_written_holds_up_no_other() -> None:
    got = _at_once(
        ("market", {"kind": "values", "v": {"a": "1"}}),
        ("market", {"kind": "values", "v": 2**70}),
        ("chain:NIFTY", {"kind": "ticks", "q": {"x": "1"}}),
        ("a topic with blanks", {"kind": "shout", "text": "here"}),
    )
    assert [(m["type"], m.get("body", m)["topic"]) for m in got] == [
        ("topic.message", "market"),
        ("topic.ticks", "chain:NIFTY"),
        ("topic.message", "a topic with blanks"),
    ]
    assert [m.get("body", m).get("seq") for m in got] == [None, None, 1]


def test_of_notices_that_wait_together_the_last_stands_for_all() -> None:
    change, shout = {"kind": "changed", "topic": "orders", "at": "1"}, {"kind": "shout", "text": "!"}
    last, told = {**change, "at": "2"}, {**change, "why": "not plain"}
    found = push._once_each([("orders", change), ("orders", shout), ("run:1", change), ("orders", told), ("orders", last)])
    assert found == [("orders", shout), ("run:1", change), ("orders", told), ("orders", last)]


def test_a_notice_that_was_held_and_one_that_comes_when_it_is_due_are_one() -> None:
    notices, body = push._Notices(), {"kind": "changed", "topic": "orders", "at": "1"}
    assert notices.admit("orders", body, 0.0)
    assert not notices.admit("orders", body, push.CHANGED_AGAIN_S / 2)
    assert notices.admit("orders", {**body, "at": "2"}, push.CHANGED_AGAIN_S)
    assert notices.due(push.CHANGED_AGAIN_S) == [] and notices.due_in(push.CHANGED_AGAIN_S) is None


def test_after_redis_was_away_messages_leave_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> NoReturn:
        raise redis.ConnectionError("nobody there")

    def lose() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(push, "client", away)
            push.push("orders", "shout", text="lost")
            assert push.flush(5.0)
        push.push("orders", "shout", text="told")

    monkeypatch.setitem(globals(), "_push", lose)
    assert [m["text"] for m in asyncio.run(_heard())] == ["told"]


def test_whoever_ends_waits_for_no_pause() -> None:
    push.push("orders", "changed")
    push.push("orders", "changed")
    assert push.flush(5.0)
    assert not push._current()._waiting.qsize()
