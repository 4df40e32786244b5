"""Trading states and kill levels, from free to strict."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class TradingMode(StrEnum):
    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


class KillLevel(StrEnum):
    REDUCE = "REDUCE"
    CANCEL = "CANCEL"
    FLATTEN = "FLATTEN"
    HALT = "HALT"


STRICTNESS: Final = {TradingMode.ACTIVE: 0, TradingMode.REDUCING: 1, TradingMode.HALTED: 2}


def stricter(*states: TradingMode) -> TradingMode:
    return max(states, key=STRICTNESS.__getitem__)


def state_after(level: KillLevel, present: TradingMode) -> TradingMode:
    """The state a kill level leaves behind; it never loosens."""
    return stricter(present, TradingMode.HALTED if level is KillLevel.HALT else TradingMode.REDUCING)
