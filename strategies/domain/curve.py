"""The P&L of a run over time, recomputed from its fills and the closes of minutes: nothing is sampled, nothing invented."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from trading.domain.pnl import leg_unrealised
from trading.domain.positions import Net, Traded, add

ZERO = Decimal(0)
# As a combined premium: a leg that did not trade for longer than this has no price to be marked at.
CARRIED = timedelta(minutes=3)
MOST_POINTS = 800


@dataclass(frozen=True, slots=True)
class CurveFill:
    """`line` tells books and products apart, `key` is the instrument it is marked by."""

    at: datetime
    line: tuple[int, str, str]
    key: str
    action: Literal["BUY", "SELL"]
    units: int
    value: Decimal


@dataclass(frozen=True, slots=True)
class Close:
    """The last price of one minute; `at` is the minute's end."""

    at: datetime
    price: Decimal


def instants(ends: Iterable[datetime], *, start: datetime, end: datetime) -> list[datetime]:
    """The minutes to draw between start and end, thinned to what a screen can show, both ends among them."""
    inside = sorted({at for at in ends if start < at < end})
    step = max(1, -(-len(inside) // MOST_POINTS))
    return [start, *inside[::-step][::-1], end] if end > start else [start]


def curve(
    fills: Sequence[CurveFill], closes: Mapping[str, Sequence[Close]], at: Iterable[datetime]
) -> list[tuple[datetime, Decimal | None]]:
    """P&L at each instant, oldest first; None where an open leg has no recent close. Fills and closes oldest first."""
    nets: dict[tuple[int, str, str], Net] = {}
    keys: dict[tuple[int, str, str], str] = {}
    times = {key: [close.at for close in rows] for key, rows in closes.items()}
    points: list[tuple[datetime, Decimal | None]] = []
    done = 0
    for instant in at:
        while done < len(fills) and fills[done].at <= instant:
            fill = fills[done]
            nets[fill.line] = add(nets.get(fill.line, Net()), Traded(fill.action, fill.units, fill.value))
            keys[fill.line] = fill.key
            done += 1
        points.append((instant, _worth(nets, keys, closes, times, instant)))
    return points


def _worth(
    nets: Mapping[tuple[int, str, str], Net],
    keys: Mapping[tuple[int, str, str], str],
    closes: Mapping[str, Sequence[Close]],
    times: Mapping[str, Sequence[datetime]],
    instant: datetime,
) -> Decimal | None:
    total = ZERO
    for line, net in nets.items():
        total += net.realised
        if not net.units:
            continue
        place = bisect_right(times.get(keys[line], ()), instant)
        close = closes[keys[line]][place - 1] if place else None
        if close is None or instant - close.at > CARRIED:
            return None
        total += leg_unrealised(net.units, net.open_value, close.price)
    return total
