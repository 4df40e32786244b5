"""The one socket of a browser tab."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
import redis
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from accounts import assigned
from accounts.services import sessions
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops import sight
from algomirror.ops.push import group_of
from marketdata import topics, viewing
from marketdata.outbox import Outbox, Overflow, message
from marketdata.sifting import Sieve
from marketdata.topics import Subscription

log = logging.getLogger(__name__)

NOT_SIGNED_IN = 4401
TOO_SLOW = 4408
# Their accounts are others now: the page connects and reads again.
ASSIGNED_ANEW = 4409
MOST_TOPICS = 50
MOST_BYTES = 8_192
SEND_EVERY_S = 0.01
CARE_EVERY_S = 1.0
HEARTBEAT_S = 30.0
SIGNED_IN_EVERY_S = 5.0
# A spot that hovers between two strikes must not make the chain jump.
OLD_CENTRE_KEPT_S = 5.0


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        user = self.scope.get("user")
        await self.accept()
        self._subscriptions: dict[str, Subscription] = {}
        self._outbox = Outbox()
        self._filled = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._drifting: dict[str, float] = {}
        if user is None or not user.is_authenticated:
            await self.close(NOT_SIGNED_IN)
            return
        self._user_id: int = user.pk
        self._session_key = getattr(self.scope.get("session"), "session_key", None) or ""
        if not await self._is_signed_in():
            await self.close(NOT_SIGNED_IN)
            return
        self._sieve = Sieve(await self._assigned())
        self._tasks = [asyncio.create_task(self._send_loop()), asyncio.create_task(self._care_loop())]

    async def disconnect(self, code: int) -> None:
        for task in self._tasks:
            task.cancel()
        for sub in self._subscriptions.values():
            try:
                await self.channel_layer.group_discard(group_of(sub.stored), self.channel_name)
            except (redis.RedisError, OSError) as error:
                # A group forgets a channel by itself, later; what was viewed is let go of all the same.
                log.warning("topic not left topic=%s error=%s", sub.topic, type(error).__name__)
        if viewed := self._viewed():
            await database_sync_to_async(viewing.close)(viewed)

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Pushes touch no database: the general way would visit its one thread for each and wait there behind all others."""
        if message["type"] == "topic.ticks":
            self._take_ticks(message)
        elif message["type"] == "topic.message":
            self._take_pushed(message["body"])
        else:
            await super().dispatch(message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if not self._tasks:
            return
        try:
            await self._obey(_parse(text_data))
        except Refused as refusal:
            field = next(iter(refusal.fields), "")
            self._put({"kind": "error", "message": refusal.message, "field": field, "at": clock.now().isoformat()})

    async def _obey(self, command: dict[str, Any]) -> None:
        op, topic = command.get("op"), command.get("topic")
        if op == "ping":
            self._put({"kind": "pong", "at": clock.now().isoformat()})
            return
        if op not in ("subscribe", "unsubscribe"):
            raise Refused("op is subscribe, unsubscribe or ping.", fields={"op": "unknown"})
        if not isinstance(topic, str) or not topic:
            raise Refused("topic is a text.", fields={"topic": "missing"})
        if op == "subscribe":
            await self._subscribe(topic)
        else:
            await self._unsubscribe(topic)

    async def _subscribe(self, topic: str) -> None:
        sub = self._subscriptions.get(topic)
        if sub is None:
            if len(self._subscriptions) >= MOST_TOPICS:
                raise Refused(f"At most {MOST_TOPICS} topics on one socket.", fields={"topic": "too many"})
            with sight.limited_to(self._sieve.ids):
                sub = await database_sync_to_async(topics.subscribe)(self._user_id, topic)
            self._subscriptions[topic] = sub
            await self.channel_layer.group_add(group_of(sub.stored), self.channel_name)
        await self._show(sub, sub.keys)

    async def _unsubscribe(self, topic: str) -> None:
        sub = self._subscriptions.pop(topic, None)
        if sub is None:
            return
        self._outbox.forget(topic)
        await self.channel_layer.group_discard(group_of(sub.stored), self.channel_name)
        if sub.session:
            await database_sync_to_async(viewing.close)([sub.session])

    async def _show(self, sub: Subscription, keys: list[str]) -> None:
        if keys and (known := await asyncio.to_thread(topics.snapshot, keys)):
            self._outbox.put_ticks(sub.topic, clock.now().isoformat(), known)
            self._filled.set()

    def _take_ticks(self, event: dict[str, Any]) -> None:
        for sub in self._subscriptions.values():
            if sub.stored == event["topic"]:
                self._outbox.put_ticks(sub.topic, event["at"], event["q"])
                self._filled.set()

    def _take_pushed(self, body: dict[str, Any]) -> None:
        if (told := self._sieve.take(body)) is None:
            return
        for sub in self._subscriptions.values():
            if sub.stored == told["topic"]:
                self._put({**told, "topic": sub.topic})

    def _put(self, body: dict[str, Any]) -> None:
        try:
            self._outbox.put(body)
        except Overflow:
            self._tasks.append(asyncio.create_task(self.close(TOO_SLOW)))
        self._filled.set()

    async def _send_loop(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            for text in self._outbox.take():
                await self.send(text_data=text)
            await asyncio.sleep(SEND_EVERY_S)

    async def _care_loop(self) -> None:
        beaten_at = asked_at = clock.monotonic()
        while True:
            await asyncio.sleep(CARE_EVERY_S)
            now = clock.monotonic()
            try:
                if now - asked_at >= SIGNED_IN_EVERY_S:
                    asked_at = now
                    if not await self._is_signed_in():
                        await self.close(NOT_SIGNED_IN)
                        return
                    if await self._assigned() != self._sieve.ids:
                        await self.close(ASSIGNED_ANEW)
                        return
                await self._follow_spot()
                if now - beaten_at >= HEARTBEAT_S:
                    beaten_at = now
                    await database_sync_to_async(viewing.heartbeat)(self._viewed())
            except Exception:
                log.exception("socket care failed user=%s", self._user_id)

    async def _follow_spot(self) -> None:
        chains = [sub for sub in self._subscriptions.values() if sub.chain is not None]
        moved = await asyncio.to_thread(topics.drifted, chains) if chains else []
        now = clock.monotonic()
        self._drifting = {sub.topic: self._drifting.get(sub.topic, now) for sub, _ in moved}
        for sub, at in moved:
            if now - self._drifting[sub.topic] < OLD_CENTRE_KEPT_S:
                continue
            came = await database_sync_to_async(topics.recentre)(sub, at)
            self._put(message(sub.topic, "changed", centre=str(at)))
            # Those that stay in view are pushed already; what was read for them here could be older than that.
            await self._show(sub, came)

    def _viewed(self) -> list[str]:
        return [sub.session for sub in self._subscriptions.values() if sub.session]

    async def _is_signed_in(self) -> bool:
        """A socket lives no longer than the sign-in it was opened with."""
        return bool(await database_sync_to_async(sessions.is_open)(self._session_key, self._user_id))

    async def _assigned(self) -> frozenset[int] | None:
        found: frozenset[int] | None = await database_sync_to_async(assigned.of_number)(self._user_id)
        return found


def _parse(text: str | None) -> dict[str, Any]:
    if text is None or len(text) > MOST_BYTES:
        raise Refused("A message is JSON text of at most 8 KB.", fields={"message": "size"})
    try:
        command = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Refused("The message is not JSON.", fields={"message": "syntax"}) from None
    if not isinstance(command, dict):
        raise Refused("The message is a JSON object.", fields={"message": "shape"})
    return command
