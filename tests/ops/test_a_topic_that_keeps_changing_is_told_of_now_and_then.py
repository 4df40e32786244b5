"""A fleet of accounts changes one topic hundreds of times a second; whoever hears `changed` reads everything anew anyway."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from channels.layers import get_channel_layer

from algomirror.ops import push

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


def test_whoever_ends_waits_for_no_pause() -> None:
    push.push("orders", "changed")
    push.push("orders", "changed")
    assert push.flush(5.0)
    assert not push._current()._waiting.qsize()
