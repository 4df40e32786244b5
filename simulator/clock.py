"""The simulator's only source of time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30), "IST")


class SimClock:
    """Aware IST time: real time with an offset and a rate, or frozen until advanced.

    `rate` is simulated seconds per real second; 0 means frozen.
    """

    def __init__(self, at: datetime | None = None, *, frozen: bool = False, rate: float = 1.0) -> None:
        self._base = (at or datetime.now(IST)).astimezone(IST)
        self._rate = 0.0 if frozen else rate
        self._mono = time.monotonic()
        self._advanced = 0.0

    @property
    def rate(self) -> float:
        return self._rate

    def now(self) -> datetime:
        if self._rate == 0.0:
            return self._base
        return self._base + timedelta(seconds=(time.monotonic() - self._mono) * self._rate)

    def monotonic(self) -> float:
        """Seconds for rate limits: real seconds while running, advanced seconds when frozen."""
        return self._advanced if self._rate == 0.0 else time.monotonic() + self._advanced

    def advance(self, seconds: float) -> None:
        self._rebase()
        self._base += timedelta(seconds=seconds)
        self._advanced += seconds

    def set(self, at: datetime) -> None:
        self._rebase()
        self._base = at.astimezone(IST)

    def set_rate(self, rate: float) -> None:
        self._rebase()
        self._rate = rate

    def _rebase(self) -> None:
        self._base = self.now()
        self._mono = time.monotonic()


def real_seconds() -> int:
    """Whole seconds since 1970 by the machine's own clock, for what is no part of the simulated world."""
    return int(time.time())


def epoch_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def stamp(at: datetime) -> str:
    return at.astimezone(IST).strftime("%Y-%m-%d %H:%M:%S")
