"""What a structure is worth over the index: at its first expiry and now. Floats, for showing only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log, sqrt
from typing import Final

from strategies.domain import black76

POINTS: Final = 121
FAR_POINTS: Final = 64
USUAL_VOL: Final = 0.15


@dataclass(frozen=True, slots=True)
class PayoffLeg:
    """`units` signed; `price` is what a unit was or would be paid. `vol` 0 and `strike` 0 for a future."""

    kind: str
    strike: float
    units: int
    price: float
    years: float
    vol: float

    def value(self, spot: float, *, passed: float, vol_shift: float = 0.0) -> float:
        """Rupees a unit is worth when `passed` years have gone by and the index stands at `spot`."""
        if self.kind == "FUT":
            return spot
        left = max(self.years - passed, 0.0)
        return black76.price(self.kind == "CE", spot, self.strike, left, max(self.vol + vol_shift, 0.001))


@dataclass(frozen=True, slots=True)
class Net:
    """Greeks of the whole structure: rupees per index point, per point², per day, per vol point."""

    delta: float
    gamma: float
    theta: float
    vega: float


@dataclass(frozen=True, slots=True)
class Payoff:
    """`max_profit` and `max_loss` are None when unlimited. `pop` is None when nothing is at risk over time."""

    spots: tuple[float, ...]
    expiry: tuple[float, ...]
    now: tuple[float, ...]
    spot: float
    breakevens: tuple[float, ...]
    max_profit: float | None
    max_loss: float | None
    pop: float | None
    pop_vol: float
    net: Net
    value_now: float


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The present moved: another index level, volatility in points (0.01), days passed."""

    spot: float | None = None
    vol_shift: float = 0.0
    days: float = 0.0


def payoff(legs: Sequence[PayoffLeg], spot: float, what_if: WhatIf, *, realised: float = 0.0) -> Payoff:
    """`realised` rupees are added everywhere. Needs at least one leg and a spot above 0."""
    horizon = min(leg.years for leg in legs)
    passed = min(max(what_if.days, 0.0) / 365.0, horizon)
    at = what_if.spot if what_if.spot is not None and what_if.spot > 0 else spot
    vol = _mean_vol(legs) + what_if.vol_shift
    spots = _grid(legs, at, vol, horizon)

    def end(level: float) -> float:
        return realised + _pnl(legs, level, passed=horizon, vol_shift=what_if.vol_shift)

    def present(level: float) -> float:
        return realised + _pnl(legs, level, passed=passed, vol_shift=what_if.vol_shift)

    curve = tuple(end(level) for level in spots)
    beyond = [(level, end(level)) for level in _far(spots)]
    breakevens = _crossings(sorted([*zip(spots, curve, strict=True), *beyond]))
    highest, lowest = _bounds(legs, (*curve, end(0.01)))
    return Payoff(
        spots=spots,
        expiry=curve,
        now=tuple(present(level) for level in spots),
        spot=at,
        breakevens=breakevens,
        max_profit=highest,
        max_loss=lowest,
        pop=_probability(breakevens, end, at, vol, horizon - passed),
        pop_vol=vol,
        net=_net(legs, at, passed, what_if.vol_shift),
        value_now=present(at),
    )


def _pnl(legs: Sequence[PayoffLeg], level: float, *, passed: float, vol_shift: float) -> float:
    return sum(leg.units * (leg.value(level, passed=passed, vol_shift=vol_shift) - leg.price) for leg in legs)


def _mean_vol(legs: Sequence[PayoffLeg]) -> float:
    options = [(abs(leg.units), leg.vol) for leg in legs if leg.kind != "FUT" and leg.vol > 0]
    whole = sum(units for units, _ in options)
    return sum(units * vol for units, vol in options) / whole if whole else USUAL_VOL


def _grid(legs: Sequence[PayoffLeg], spot: float, vol: float, years: float) -> tuple[float, ...]:
    """Levels around spot and around every strike, the strikes among them: a payoff bends there and nowhere else."""
    strikes = [leg.strike for leg in legs if leg.kind != "FUT"]
    width = max(3.0 * vol * sqrt(max(years, 1 / 365)), 0.02)
    low, high = min([spot, *strikes]), max([spot, *strikes])
    low, high = low - width * spot / 2, high + width * spot / 2
    even = [low + (high - low) * n / (POINTS - 1) for n in range(POINTS)]
    return tuple(sorted({*even, *strikes, spot}))


def _far(spots: Sequence[float]) -> list[float]:
    """Levels beyond what is drawn, down to nothing and up to thrice: there is one more breakeven there, or none."""
    low, high = spots[0], spots[-1]
    down = [low * n / FAR_POINTS for n in range(1, FAR_POINTS)] if low > 0 else []
    return [*down, *(high * (1 + 2 * n / FAR_POINTS) for n in range(1, FAR_POINTS + 1))]


def _crossings(points: Sequence[tuple[float, float]]) -> tuple[float, ...]:
    found: list[float] = []
    for (x0, y0), (x1, y1) in pairwise(points):
        if (y0 < 0 <= y1) or (y1 < 0 <= y0):
            found.append(x0 if y0 == y1 else x0 + (x1 - x0) * -y0 / (y1 - y0))
    return tuple(found)


def _bounds(legs: Sequence[PayoffLeg], values: Sequence[float]) -> tuple[float | None, float | None]:
    """Best and worst; None is unlimited. Only a rising index is boundless: it cannot fall below 0."""
    upward = sum(leg.units for leg in legs if leg.kind in ("CE", "FUT"))
    return (None if upward > 0 else max(values)), (None if upward < 0 else min(values))


def _probability(
    breakevens: Sequence[float], end: Callable[[float], float], spot: float, vol: float, years: float
) -> float | None:
    """Chance that the end is above 0: the index lognormal around spot without drift."""
    if years <= 0 or vol <= 0:
        return None
    spread = vol * sqrt(years)

    def below(level: float) -> float:
        if level == inf:
            return 1.0
        return 0.0 if level <= 0 else black76.normal(log(level / spot) / spread + spread / 2.0)

    edges = [0.0, *breakevens, inf]
    chance = 0.0
    for low, high in pairwise(edges):
        if end(_between(low, high, spot)) > 0:
            chance += below(high) - below(low)
    return chance


def _between(low: float, high: float, spot: float) -> float:
    """A level inside the open interval."""
    if high == inf:
        return spot if low == 0 else low * 1.5
    return (low + high) / 2


def _net(legs: Sequence[PayoffLeg], spot: float, passed: float, vol_shift: float) -> Net:
    delta = gamma = theta = vega = 0.0
    for leg in legs:
        if leg.kind == "FUT":
            delta += leg.units
            continue
        one = black76.greeks(leg.kind == "CE", spot, leg.strike, leg.years - passed, max(leg.vol + vol_shift, 0.001))
        delta += leg.units * one.delta
        gamma += leg.units * one.gamma
        theta += leg.units * one.theta
        vega += leg.units * one.vega
    return Net(delta, gamma, theta, vega)


def vol_of(kind: str, premium: float, forward: float, strike: float, years: float) -> float:
    """The volatility the premium implies; the usual one where it implies none."""
    if kind == "FUT":
        return 0.0
    return black76.implied_vol(kind == "CE", premium, forward, strike, years) or USUAL_VOL


@dataclass(frozen=True, slots=True)
class Stroke:
    """One piece of a silhouette as SVG points, above or below zero."""

    is_gain: bool
    points: str


def silhouette(shape: Payoff, *, width: int = 200, height: int = 72) -> tuple[list[Stroke], int]:
    """The expiry curve as strokes in a box, split where it crosses zero, and the height of the zero line."""
    drawn = [level for level in shape.breakevens if shape.spots[0] <= level <= shape.spots[-1]]
    points = sorted({**dict(zip(shape.spots, shape.expiry, strict=True)), **dict.fromkeys(drawn, 0.0)}.items())
    low, high = min(0.0, *shape.expiry), max(0.0, *shape.expiry)
    tall = (high - low) or 1.0
    left, wide = points[0][0], (points[-1][0] - points[0][0]) or 1.0

    def place(x: float, y: float) -> str:
        return f"{(x - left) / wide * width:.1f},{4 + (high - y) / tall * (height - 8):.1f}"

    # No piece between two points crosses zero: a breakeven stands between, or is one of them. What lies on zero goes on.
    pieces = [(start, end, start[1] + end[1]) for start, end in pairwise(points)]
    gain = next((side > 0 for *_, side in pieces if side), False)
    strokes: list[Stroke] = []
    current = [place(*points[0])]
    for start, end, side in pieces:
        if side and (side > 0) != gain:
            strokes.append(Stroke(gain, " ".join(current)))
            current, gain = [place(*start)], not gain
        current.append(place(*end))
    strokes.append(Stroke(gain, " ".join(current)))
    return strokes, round(4 + high / tall * (height - 8))
