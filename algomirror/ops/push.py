"""Messages to browsers: publish and forget. A browser that misses one reads again; nothing here may slow or fail a caller."""

from __future__ import annotations

import atexit
import hashlib
import logging
import os
import queue
import re
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

import redis
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import transaction

from algomirror.kernel import clock
from algomirror.ops import journal
from algomirror.ops.queue import client

log = logging.getLogger(__name__)

WAITING_MAX, TOGETHER_MAX = 5_000, 500
SEQUENCE_KEPT_S = 2 * 86_400
# Last value wins, so they may be merged or lost; only the others are numbered.
UNNUMBERED = frozenset({"values", "ticks"})
# A topic that goes on changing is told of at once and then so often: who hears it reads everything anew.
CHANGED_AGAIN_S = 0.05
PLAIN_NOTICE = frozenset({"topic", "at", "kind"})

Message = tuple[str, dict[str, Any]]  # topic, body

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
    """One thread for all pushes of this process. What waits at one moment leaves in two calls to Redis, however much it is."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._waiting: queue.Queue[Message | threading.Event] = queue.Queue(WAITING_MAX)
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
        notices = _Notices()
        while True:
            # Seconds as they pass here, also where a test's clock stands still: nothing held may wait for that one.
            messages, drained = self._next(notices.due_in(time.perf_counter()))
            now = time.perf_counter()
            leaving = [one for one in _once_each(messages) if notices.admit(*one, now)]
            leaving += notices.due(now, everything=drained is not None)
            try:
                _send(leaving)
            except Exception as error:  # noqa: BLE001
                log.warning("push failed topics=%s error=%s", sorted({topic for topic, _ in leaving}), type(error).__name__)
            if drained is not None:
                drained.set()

    def _next(self, wait_s: float | None) -> tuple[list[Message], threading.Event | None]:
        """What waits now, up to whoever wants to know that it has left; nothing where nothing came in time."""
        messages: list[Message] = []
        try:
            item = self._waiting.get(timeout=wait_s)
            while not isinstance(item, threading.Event):
                messages.append(item)
                if len(messages) == TOGETHER_MAX:
                    return messages, None
                item = self._waiting.get_nowait()
        except queue.Empty:
            return messages, None
        return messages, item


def _is_plain_notice(body: Mapping[str, Any]) -> bool:
    return body["kind"] == "changed" and body.keys() <= PLAIN_NOTICE


def _once_each(messages: Sequence[Message]) -> list[Message]:
    """Of the notices that say the same only the last, after everything that came before it."""
    last = {topic: n for n, (topic, body) in enumerate(messages) if _is_plain_notice(body)}
    return [(topic, body) for n, (topic, body) in enumerate(messages) if not _is_plain_notice(body) or last[topic] == n]


class _Notices:
    """Notices that a topic changed. One that comes too soon after the last waits, and stands for all that follow it."""

    def __init__(self) -> None:
        self._told_at: dict[str, float] = {}
        self._held: dict[str, dict[str, Any]] = {}

    def admit(self, topic: str, body: dict[str, Any], now: float) -> bool:
        """Whether this message leaves now; if not, it will be among those due."""
        if not _is_plain_notice(body):
            return True
        if now - self._told_at.get(topic, -CHANGED_AGAIN_S) < CHANGED_AGAIN_S:
            self._held[topic] = body
            return False
        self._told_at[topic] = now
        self._held.pop(topic, None)
        return True

    def due_in(self, now: float) -> float | None:
        """Seconds until the next one is due; None when none waits."""
        return max(min(self._told_at[topic] for topic in self._held) + CHANGED_AGAIN_S - now, 0.0) if self._held else None

    def due(self, now: float, *, everything: bool = False) -> list[Message]:
        """Those that have waited long enough, or all; they count as told."""
        ripe = [topic for topic in self._held if everything or now - self._told_at[topic] >= CHANGED_AGAIN_S]
        self._told_at = {topic: at for topic, at in self._told_at.items() if now - at < CHANGED_AGAIN_S or topic in self._held}
        self._told_at |= dict.fromkeys(ripe, now)
        return [(topic, self._held.pop(topic)) for topic in ripe]


def _send(messages: Sequence[Message]) -> None:
    """In their order. What the channel layer does for one message at a time, in an event loop, costs several times this."""
    if not messages:
        return
    _number([(topic, body) for topic, body in messages if body["kind"] not in UNNUMBERED])
    pipe, layer = client().pipeline(transaction=False), get_channel_layer()
    for topic, body in messages:
        message = {**body, "type": "topic.ticks"} if body["kind"] == "ticks" else {"type": "topic.message", "body": body}
        try:
            pipe.publish(_channel(topic), layer.serialize(message))
        except Exception as error:  # noqa: BLE001
            log.warning("push failed topic=%s error=%s", topic, type(error).__name__)
    pipe.execute()


def _number(messages: Sequence[Message]) -> None:
    if not messages:
        return
    pipe = client().pipeline(transaction=False)
    for topic, _ in messages:
        pipe.incr(f"am:seq:{topic}")
    for topic in {topic for topic, _ in messages}:
        pipe.expire(f"am:seq:{topic}", SEQUENCE_KEPT_S)
    for (_, body), number in zip(messages, pipe.execute(raise_on_error=False), strict=False):
        body["seq"] = 0 if isinstance(number, redis.ResponseError) else int(number)


def _channel(topic: str) -> str:
    """As channels_redis names the channel of a group."""
    layer: Any = settings.CHANNEL_LAYERS["default"]
    return f"{layer['CONFIG']['prefix']}__group__{group_of(topic)}"


def _current() -> _Sender:
    """This process's sender; a forked child starts its own."""
    global _sender
    if _sender is None or _sender.pid != os.getpid():
        with _start:
            if _sender is None or _sender.pid != os.getpid():
                _sender = _Sender()
    return _sender


atexit.register(flush, 0.5)
