"""What waits for one browser: prices and values as the last ones only, events in order and complete."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from algomirror.kernel import clock

MOST_EVENTS = 500


class Overflow(Exception):
    """The browser does not take its events; it must reconnect and read again."""


@dataclass
class _Ticks:
    at: str
    texts: dict[str, str] = field(default_factory=dict)

    def written(self, topic: str) -> str:
        quotes = ",".join(f"{_text(key)}:{text}" for key, text in self.texts.items())
        return f'{{"topic":{_text(topic)},"at":{_text(self.at)},"kind":"ticks","q":{{{quotes}}}}}'


class Outbox:
    def __init__(self) -> None:
        self._events: deque[dict[str, Any]] = deque()
        self._values: dict[str, dict[str, Any]] = {}
        self._ticks: dict[str, _Ticks] = {}

    def put(self, message: dict[str, Any]) -> None:
        """`values` of a topic melt into one message; raises Overflow when events pile up."""
        if message.get("kind") != "values":
            if len(self._events) >= MOST_EVENTS:
                raise Overflow
            self._events.append(message)
            return
        known = self._values.get(message["topic"])
        if known is None:
            self._values[message["topic"]] = {**message, "v": dict(message.get("v") or {})}
        else:
            known["at"] = message["at"]
            known["v"].update(message.get("v") or {})

    def put_ticks(self, topic: str, at: str, texts: Mapping[str, str]) -> None:
        """Key -> tick as JSON text. Of each key the last one stays; the texts are shared with other browsers."""
        waiting = self._ticks.setdefault(topic, _Ticks(at))
        waiting.at = at
        waiting.texts.update(texts)

    def take(self) -> Iterator[str]:
        """Everything that waits, one text after the other, each made of what is newest when it is asked for."""
        while self._events:
            yield orjson.dumps(self._events.popleft()).decode()
        while self._values:
            yield orjson.dumps(self._values.pop(next(iter(self._values)))).decode()
        while self._ticks:
            topic = next(iter(self._ticks))
            yield self._ticks.pop(topic).written(topic)

    def forget(self, topic: str) -> None:
        self._values.pop(topic, None)
        self._ticks.pop(topic, None)

    def __bool__(self) -> bool:
        return bool(self._events or self._values or self._ticks)


def message(topic: str, kind: str, **payload: Any) -> dict[str, Any]:
    return {"topic": topic, "at": clock.now().isoformat(), "kind": kind, **payload}


def _text(plain: str) -> str:
    return orjson.dumps(plain).decode()
