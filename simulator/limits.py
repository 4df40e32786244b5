"""Moving-window rate limits, one window per endpoint; refused hits are not counted."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

LimitClass = Literal["order", "smart", "api", "greeks"]


@dataclass(frozen=True, slots=True)
class Limits:
    """(hits, seconds) per class, as shipped."""

    order: tuple[int, float] = (10, 1.0)
    smart: tuple[int, float] = (10, 1.0)
    api: tuple[int, float] = (50, 1.0)
    greeks: tuple[int, float] = (30, 60.0)

    def of(self, kind: LimitClass) -> tuple[int, float]:
        window: tuple[int, float] = getattr(self, kind)
        return window


def text_of(window: tuple[int, float]) -> str:
    hits, seconds = window
    return f"{hits} per 1 {'minute' if seconds == 60.0 else 'second'}"


class Windows:
    """Hits of one server. `limits` None means unlimited."""

    def __init__(self, limits: Limits | None) -> None:
        self.limits = limits
        self._hits: dict[str, deque[float]] = {}

    def refuse(self, endpoint: str, kind: LimitClass, now: float) -> str | None:
        """The limit's text when this call is over it; otherwise count the call and return None."""
        if self.limits is None:
            return None
        window = self.limits.of(kind)
        hits = self._hits.setdefault(endpoint, deque())
        while hits and hits[0] <= now - window[1]:
            hits.popleft()
        if len(hits) >= window[0]:
            return text_of(window)
        hits.append(now)
        return None
