"""What a silent feed calls for. Pure: ages in, acts out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

INDEX_SILENT_S = 5.0
RECONNECT_AFTER_S = 15.0
# A look comes each second and an answer may take one: asked so early, a quiet contract stays fresh.
SYMBOL_SILENT_S = 3.0
# With no stream at work open symbols are asked in every round.
ALWAYS_S = 0.5
REFUSALS_BEFORE_SWITCH = 3


class Act(StrEnum):
    NOTHING = "NOTHING"
    LOG_IN_AGAIN = "LOG_IN_AGAIN"
    RECONNECT = "RECONNECT"


@dataclass
class Watchdog:
    """Remembers what it already tried in this silence."""

    _logged_in_for: float | None = None

    def decide(self, *, session_for_s: float | None, live_for_s: float | None, index_silent_s: float | None, now: float) -> Act:
        """The next step when no index ticks although the market is open and the stream says it lives.

        `session_for_s` is None with the market closed, `live_for_s` with the stream down, `index_silent_s` when no
        index ever ticked on this source.
        """
        if session_for_s is None or live_for_s is None:
            self._logged_in_for = None
            return Act.NOTHING
        waited = min(session_for_s, live_for_s)
        silent = waited if index_silent_s is None else min(index_silent_s, waited)
        if silent <= INDEX_SILENT_S:
            # The clock of a new login starts over, so a login that helped nothing is remembered until ticks return.
            if index_silent_s is not None and index_silent_s <= INDEX_SILENT_S:
                self._logged_in_for = None
            return Act.NOTHING
        if self._logged_in_for is None:
            self._logged_in_for = now
            return Act.LOG_IN_AGAIN
        if now - self._logged_in_for > RECONNECT_AFTER_S - INDEX_SILENT_S:
            self._logged_in_for = None
            return Act.RECONNECT
        return Act.NOTHING


def silent(ages: Iterable[tuple[str, float | None]], *, after_s: float = SYMBOL_SILENT_S) -> list[str]:
    """Keys whose newest price is older than the bound, the never seen and the oldest first."""
    late = [(float("inf") if age is None else age, key) for key, age in ages if age is None or age > after_s]
    return [key for _, key in sorted(late, key=lambda item: (-item[0], item[1]))]


class Pulse:
    """How long something has ticked without a gap."""

    def __init__(self) -> None:
        self.ticked_at = self.steady_since = float("-inf")

    def tick(self, now: float) -> None:
        if now - self.ticked_at > INDEX_SILENT_S:
            self.steady_since = now
        self.ticked_at = now

    def healthy_s(self, now: float) -> float:
        return now - self.steady_since if now - self.ticked_at <= INDEX_SILENT_S else 0.0
