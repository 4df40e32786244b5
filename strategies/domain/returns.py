"""From fills to what was earned: realised by day and book, equity, drawdown, and what traders ask of a series of runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from trading.domain.positions import Net, Traded, add

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Filled:
    """One fill as it counts here; `instrument` tells instruments and products of a book apart."""

    book_id: int
    instrument: tuple[str, str, str]
    day: date
    action: Literal["BUY", "SELL"]
    units: int
    value: Decimal
    decision: Decimal | None


@dataclass(slots=True)
class Earned:
    """Of one book on one day, in rupees. `slippage` None: nothing of it was decided at a price."""

    gross: Decimal = ZERO
    turnover: Decimal = ZERO
    fills: int = 0
    slippage: Decimal | None = None


def earned(fills: Iterable[Filled]) -> dict[tuple[int, date], Earned]:
    """What each book realised, traded and slipped on each day. Fills oldest first, from each book's first on."""
    nets: dict[tuple[int, tuple[str, str, str]], Net] = {}
    found: dict[tuple[int, date], Earned] = defaultdict(Earned)
    for fill in fills:
        line = (fill.book_id, fill.instrument)
        before = nets.get(line, Net())
        after = nets[line] = add(before, Traded(fill.action, fill.units, fill.value))
        day = found[fill.book_id, fill.day]
        day.gross += after.realised - before.realised
        day.turnover += fill.value
        day.fills += 1
        if fill.decision is not None:
            at_decision = fill.units * fill.decision
            slipped = at_decision - fill.value if fill.action == "BUY" else fill.value - at_decision
            day.slippage = (day.slippage or ZERO) + slipped
    return dict(found)


@dataclass(frozen=True, slots=True)
class Point:
    """The sum up to the end of a day, and how far it lies below the best before."""

    day: date
    net: Decimal
    drawdown: Decimal


def equity(by_day: Mapping[date, Decimal]) -> list[Point]:
    """Oldest first. The best starts at 0, so a first loss is a drawdown too."""
    points: list[Point] = []
    total = best = ZERO
    for day in sorted(by_day):
        total += by_day[day]
        best = max(best, total)
        points.append(Point(day, total, best - total))
    return points


@dataclass(frozen=True, slots=True)
class Record:
    """What a row of results says together. None where nothing can be said."""

    count: int
    won: int
    lost: int
    win_rate: Decimal | None
    expectancy: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    payoff: Decimal | None


def record(results: Sequence[Decimal]) -> Record:
    """Win rate in percent of all; payoff is the average win over the average loss; 0 is neither won nor lost."""
    wins, losses = [r for r in results if r > 0], [r for r in results if r < 0]
    count = len(results)
    win = sum(wins, ZERO) / len(wins) if wins else None
    loss = sum(losses, ZERO) / len(losses) if losses else None
    return Record(
        count=count,
        won=len(wins),
        lost=len(losses),
        win_rate=Decimal(100 * len(wins)) / count if count else None,
        expectancy=sum(results, ZERO) / count if count else None,
        average_win=win,
        average_loss=loss,
        payoff=win / -loss if win is not None and loss is not None else None,
    )


Span = Literal["day", "week", "month"]


def start_of(day: date, span: Span) -> date:
    """The first day of the day, the week (Monday) or the month."""
    if span == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if span == "month" else day


@dataclass(frozen=True, slots=True)
class Square:
    """One day of the heat map. `net` None: nothing was traded. `heat` 0 to 4: share of the largest day, either way."""

    day: date
    net: Decimal | None
    heat: int


def weeks(by_day: Mapping[date, Decimal], first: date, last: date) -> list[list[Square]]:
    """Whole weeks from Monday to Sunday that cover both days, oldest first."""
    largest = max((abs(net) for net in by_day.values()), default=ZERO)
    day, found = first - timedelta(days=first.weekday()), []
    while day <= last:
        found.append([_square(day + timedelta(days=n), by_day, largest) for n in range(7)])
        day += timedelta(days=7)
    return found


def _square(day: date, by_day: Mapping[date, Decimal], largest: Decimal) -> Square:
    net = by_day.get(day)
    if net is None:
        return Square(day, None, 0)
    heat = int((abs(net) * 4 / largest).to_integral_value(rounding="ROUND_CEILING")) if largest else 0
    return Square(day, net, heat)
