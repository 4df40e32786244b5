"""Limits above the run: what one account, or all together, may hold, send and lose. Numbers in, denials out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from risk.domain.pretrade import Code, Denial
from risk.domain.sentences import rupees

Breach = Literal["DAILY_LOSS", "DAILY_PROFIT"]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """None is off. Rupees are positive."""

    daily_loss: Decimal | None = None
    daily_profit: Decimal | None = None
    max_lots: int | None = None
    max_notional: Decimal | None = None
    orders_per_minute: int | None = None
    orders_per_day: int | None = None
    max_runs: int | None = None
    losing_exits: int | None = None
    cool_down_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What stands and what a plan would add, counted alike. `notional` None: the value of something open is not known."""

    lots: int = 0
    notional: Decimal | None = Decimal(0)
    orders_this_minute: int = 0
    orders_today: int = 0
    runs: int = 0

    def plus(self, other: Usage) -> Usage:
        known = self.notional is not None and other.notional is not None
        return Usage(
            self.lots + other.lots,
            (self.notional or Decimal(0)) + (other.notional or Decimal(0)) if known else None,
            self.orders_this_minute + other.orders_this_minute,
            self.orders_today + other.orders_today,
            self.runs + other.runs,
        )


def breach(ceiling: Ceiling, day_pnl: Decimal | None) -> tuple[Breach, Decimal] | None:
    """Which daily limit this P&L reaches, and its level. An unknown P&L reaches none."""
    if day_pnl is None:
        return None
    if ceiling.daily_loss is not None and day_pnl <= -ceiling.daily_loss:
        return "DAILY_LOSS", -ceiling.daily_loss
    if ceiling.daily_profit is not None and day_pnl >= ceiling.daily_profit:
        return "DAILY_PROFIT", ceiling.daily_profit
    return None


def check(ceiling: Ceiling, after: Usage, *, name: str, account_id: int | None) -> Iterator[Denial]:
    """Every ceiling that `after` (what stands plus what is asked) would break."""

    def no(code: Code, sentence: str) -> Denial:
        return Denial(code, f"{name}: {sentence}", account_id=account_id)

    if ceiling.max_lots is not None and after.lots > ceiling.max_lots:
        yield no(Code.MAX_LOTS, f"{after.lots} lots would be over the limit of {ceiling.max_lots}.")
    if ceiling.max_notional is not None:
        if after.notional is None:
            yield no(Code.MAX_NOTIONAL, "the value of what is open is not known.")
        elif after.notional > ceiling.max_notional:
            yield no(Code.MAX_NOTIONAL, f"{rupees(after.notional)} would be over the limit of {rupees(ceiling.max_notional)}.")
    if ceiling.orders_per_minute is not None and after.orders_this_minute > ceiling.orders_per_minute:
        sentence = f"{after.orders_this_minute} orders in a minute would be over the limit of {ceiling.orders_per_minute}."
        yield no(Code.ORDER_RATE, sentence)
    if ceiling.orders_per_day is not None and after.orders_today > ceiling.orders_per_day:
        yield no(Code.ORDER_RATE, f"{after.orders_today} orders today would be over the limit of {ceiling.orders_per_day}.")
    if ceiling.max_runs is not None and after.runs > ceiling.max_runs:
        yield no(Code.NOT_PERMITTED, f"{after.runs} open runs would be over the limit of {ceiling.max_runs}.")


def losing_streak(results: list[Decimal]) -> int:
    """How many of the newest results (newest first) are losses in a row."""
    streak = 0
    for result in results:
        if result >= 0:
            break
        streak += 1
    return streak
