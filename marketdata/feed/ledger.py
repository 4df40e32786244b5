"""What is wanted of a stream, what was asked, what was acknowledged. The difference is what to send next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

LTP, QUOTE, DEPTH = 1, 2, 3
BATCH = 200
ASK_AGAIN_S = 10.0
REFUSED_AGAIN_S = 30.0
# A broker may drop one symbol without a word. A quiet contract looks the same; asking once more does it no harm.
UNHEARD_AGAIN_S = 60.0


def mode_of(key: str) -> int:
    """An index has no depth; a Depth subscriber of it would receive nothing."""
    return QUOTE if key.partition(":")[0].endswith("_INDEX") else DEPTH


@dataclass
class Ledger:
    """Only the stream's own thread calls plan, took and forget_all; `want` may come from any thread.

    `unheard`: wanted symbols that do not tick although the feed does; set from any thread too.
    """

    wanted: frozenset[str] = frozenset()
    acknowledged: set[str] = field(default_factory=set)
    refused: dict[str, tuple[str, float]] = field(default_factory=dict)
    unheard: frozenset[str] = frozenset()
    _asked: dict[str, float] = field(default_factory=dict)
    _agreed_at: dict[str, float] = field(default_factory=dict)

    def want(self, keys: Iterable[str]) -> None:
        self.wanted = frozenset(keys)

    def forget_all(self) -> None:
        """After a new login the far side remembers nothing that counts."""
        self.acknowledged.clear()
        self.refused.clear()
        self._asked.clear()
        self._agreed_at.clear()

    def plan(self, now: float) -> list[dict[str, Any]]:
        """The frames to send now, each of at most a batch of symbols."""
        wanted = self.wanted
        gone = [key for key in (*self.acknowledged, *self._asked) if key not in wanted]
        for key in gone:
            self.acknowledged.discard(key)
            self._asked.pop(key, None)
            self._agreed_at.pop(key, None)
        for key in [key for key in self.refused if key not in wanted]:
            del self.refused[key]
        missing = sorted(key for key in wanted if self._is_due(key, now))
        for key in missing:
            self._asked[key] = now
        return [*_unsubscribe(sorted(set(gone))), *_subscribe(missing)]

    def _is_due(self, key: str, now: float) -> bool:
        if now - self._asked.get(key, float("-inf")) < ASK_AGAIN_S:
            return False
        if key in self.acknowledged:
            return key in self.unheard and now - self._agreed_at.get(key, now) >= UNHEARD_AGAIN_S
        return key not in self.refused or now - self.refused[key][1] >= REFUSED_AGAIN_S

    def took(self, frame: Mapping[str, Any], now: float) -> None:
        """A reply to subscribe. Its overall status says nothing: even "partial" may mean that all failed."""
        items = frame.get("subscriptions")
        for item in items if isinstance(items, list) else ():
            if not isinstance(item, Mapping):
                continue
            key = f"{item.get('exchange')}:{item.get('symbol')}"
            if self._asked.pop(key, None) is None and key not in self.wanted:
                continue
            if item.get("status") == "success":
                self.acknowledged.add(key)
                self._agreed_at[key] = now
                self.refused.pop(key, None)
            else:
                self.acknowledged.discard(key)
                self.refused[key] = (str(item.get("message", ""))[:200], now)


def _subscribe(keys: list[str]) -> list[dict[str, Any]]:
    frames = []
    for mode in (QUOTE, DEPTH):
        of_mode = [key for key in keys if mode_of(key) == mode]
        frames += [
            {"action": "subscribe", "mode": mode, "symbols": [_named(key) for key in of_mode[at : at + BATCH]]}
            for at in range(0, len(of_mode), BATCH)
        ]
    return frames


def _unsubscribe(keys: list[str]) -> list[dict[str, Any]]:
    """The mode goes into each item: at the top level the far side ignores it and says success."""
    return [
        {"action": "unsubscribe", "symbols": [{**_named(key), "mode": mode_of(key)} for key in keys[at : at + BATCH]]}
        for at in range(0, len(keys), BATCH)
    ]


def _named(key: str) -> dict[str, Any]:
    exchange, _, symbol = key.partition(":")
    return {"symbol": symbol, "exchange": exchange}
