"""What waits for one browser: prices and values as the last ones only, events in order and complete."""

from __future__ import annotations

from collections import deque
from typing import Any

from algomirror.kernel import clock

MOST_EVENTS = 500


class Overflow(Exception):
    """The browser does not take its events; it must reconnect and read again."""


class Outbox:
    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque()
        self._latest: dict[tuple[str, str], dict[str, Any]] = {}

    def put(self, message: dict[str, Any]) -> None:
        """`ticks` and `values` of a topic melt into one message; raises Overflow when events pile up."""
        kind = message.get("kind")
        if kind not in ("ticks", "values"):
            if len(self._events) >= MOST_EVENTS:
                raise Overflow
            self._events.append(message)
            return
        payload = "q" if kind == "ticks" else "v"
        known = self._latest.get((message["topic"], kind))
        if known is None:
            self._latest[message["topic"], kind] = {**message, payload: dict(message.get(payload) or {})}
        else:
            known["at"] = message["at"]
            known[payload].update(message.get(payload) or {})

    def take(self) -> list[dict[str, Any]]:
        taken = [*self._events, *self._latest.values()]
        self._events.clear()
        self._latest.clear()
        return taken

    def forget(self, topic: str) -> None:
        self._latest = {key: message for key, message in self._latest.items() if key[0] != topic}

    def __bool__(self) -> bool:
        return bool(self._events or self._latest)


def message(topic: str, kind: str, **payload: Any) -> dict[str, Any]:
    return {"topic": topic, "at": clock.now().isoformat(), "kind": kind, **payload}
