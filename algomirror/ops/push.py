"""Messages to browsers: publish and forget. A browser that misses one reads again; nothing here may slow or fail a caller."""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import logging
import os
import queue
import re
import threading
from collections.abc import Mapping
from typing import Any

import redis
from channels.layers import get_channel_layer
from django.db import transaction

from algomirror.kernel import clock
from algomirror.ops import journal
from algomirror.ops.queue import client

log = logging.getLogger(__name__)

WAITING_MAX = 5_000
SEQUENCE_KEPT_S = 2 * 86_400
# Last value wins, so they may be merged or lost; only the others are numbered.
UNNUMBERED = frozenset({"values"})
# A topic that goes on changing is told of at once and then so often: who hears it reads everything anew.
CHANGED_AGAIN_S = 0.05
PLAIN_NOTICE = frozenset({"topic", "at", "kind"})

_PLAIN = re.compile(r"^[A-Za-z0-9:_-]{1,80}$")

_sender: _Sender | None = None
_start = threading.Lock()


def group_of(topic: str) -> str:
    """The channel-layer group of a topic: `run:12` -> `topic.run.12`. Group names allow few letters and under 100 of them."""
    if _PLAIN.match(topic):
        return "topic." + topic.replace(":", ".")
    return "topic.h." + hashlib.sha256(topic.encode()).hexdigest()[:40]


def push(topic: str, kind: str, **payload: Any) -> None:
    """Tell everybody who watches `topic`, after the caller's transaction commits. Never raises, never waits.

    `changed` and `notice` carry a sequence per topic without gaps, so that a browser knows when it missed one.
    """
    body = {"topic": topic, "at": clock.now().isoformat(), "kind": kind, **journal.plain(payload)}
    transaction.on_commit(lambda: _current().put(topic, body))


def push_ticks(topic: str, texts: Mapping[str, str]) -> None:
    """Prices at once and as the JSON they are sent as: no transaction holds them, and no process on the way reads them."""
    _current().put(topic, {"topic": topic, "at": clock.now().isoformat(), "kind": "ticks", "q": dict(texts)})


def flush(timeout_s: float = 1.0) -> bool:
    """Wait until everything pushed so far has left; for short-lived processes and tests."""
    return _sender is None or _sender.pid != os.getpid() or _sender.drain(timeout_s)


class _Sender:
    """One thread with one event loop, and so one connection, for all pushes of this process."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._waiting: queue.Queue[tuple[str, dict[str, Any]] | threading.Event] = queue.Queue(WAITING_MAX)
        threading.Thread(target=self._run, name="push", daemon=True).start()

    def put(self, topic: str, body: dict[str, Any]) -> None:
        try:
            self._waiting.put_nowait((topic, body))
        except queue.Full:
            log.warning("push dropped topic=%s kind=%s", topic, body["kind"])

    def drain(self, timeout_s: float) -> bool:
        reached = threading.Event()
        try:
            self._waiting.put(reached, timeout=timeout_s)
        except queue.Full:
            return False
        return reached.wait(timeout_s)

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        notices = _Notices()
        while True:
            item = self._next(notices.due_in(loop.time()))
            now, drained = loop.time(), item if isinstance(item, threading.Event) else None
            leaving = notices.due(now, everything=drained is not None)
            if isinstance(item, tuple) and notices.admit(*item, now):
                leaving.append(item)
            for topic, body in leaving:
                try:
                    loop.run_until_complete(_send(topic, body))
                except Exception as error:  # noqa: BLE001
                    log.warning("push failed topic=%s error=%s", topic, type(error).__name__)
            if drained is not None:
                drained.set()

    def _next(self, wait_s: float | None) -> tuple[str, dict[str, Any]] | threading.Event | None:
        try:
            return self._waiting.get(timeout=wait_s)
        except queue.Empty:
            return None


class _Notices:
    """Notices that a topic changed. One that comes too soon after the last waits, and stands for all that follow it."""

    def __init__(self) -> None:
        self._told_at: dict[str, float] = {}
        self._held: dict[str, dict[str, Any]] = {}

    def admit(self, topic: str, body: dict[str, Any], now: float) -> bool:
        """Whether this message leaves now; if not, it will be among those due."""
        if not body.keys() <= PLAIN_NOTICE or body["kind"] != "changed":
            return True
        if now - self._told_at.get(topic, -CHANGED_AGAIN_S) < CHANGED_AGAIN_S:
            self._held[topic] = body
            return False
        self._told_at[topic] = now
        return True

    def due_in(self, now: float) -> float | None:
        """Seconds until the next one is due; None when none waits."""
        return max(min(self._told_at[topic] for topic in self._held) + CHANGED_AGAIN_S - now, 0.0) if self._held else None

    def due(self, now: float, *, everything: bool = False) -> list[tuple[str, dict[str, Any]]]:
        """Those that have waited long enough, or all; they count as told."""
        ripe = [topic for topic in self._held if everything or now - self._told_at[topic] >= CHANGED_AGAIN_S]
        self._told_at = {topic: at for topic, at in self._told_at.items() if now - at < CHANGED_AGAIN_S or topic in self._held}
        self._told_at |= dict.fromkeys(ripe, now)
        return [(topic, self._held.pop(topic)) for topic in ripe]


async def _send(topic: str, body: dict[str, Any]) -> None:
    if body["kind"] == "ticks":
        await get_channel_layer().group_send(group_of(topic), {**body, "type": "topic.ticks"})
        return
    if body["kind"] not in UNNUMBERED:
        body["seq"] = _next(topic)
    await get_channel_layer().group_send(group_of(topic), {"type": "topic.message", "body": body})


def _next(topic: str) -> int:
    pipe = client().pipeline(transaction=False)
    pipe.incr(f"am:seq:{topic}")
    pipe.expire(f"am:seq:{topic}", SEQUENCE_KEPT_S)
    try:
        return int(pipe.execute()[0])
    except redis.ResponseError:
        return 0


def _current() -> _Sender:
    """This process's sender; a forked child starts its own."""
    global _sender
    if _sender is None or _sender.pid != os.getpid():
        with _start:
            if _sender is None or _sender.pid != os.getpid():
                _sender = _Sender()
    return _sender


atexit.register(flush, 0.5)
