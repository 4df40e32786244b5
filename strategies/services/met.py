"""Levels that are reached before anything is entered: the run would leave at once, and its trader should hear it first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Protocol

from algomirror.kernel.money import Action
from risk.domain.judges import way
from risk.domain.limits import LimitTerms
from risk.domain.terms import Line


class Priced(Protocol):
    @property
    def leg(self) -> int: ...

    @property
    def action(self) -> Action: ...

    @property
    def decision_price(self) -> Decimal | None: ...


def already(terms: LimitTerms, lines: Sequence[Priced], spots: Mapping[str, str | None]) -> list[str]:
    """`spots` by underlying; with several of them no index level can be watched. An unknown price says nothing."""
    return [*_legs(terms, lines), *_index(terms, spots)]


def _legs(terms: LimitTerms, lines: Iterable[Priced]) -> Iterator[str]:
    """Absolute prices only: a distance from entry cannot be met at entry."""
    for line in lines:
        asked = terms.more.leg(line.leg)
        for name, level, adverse in (("stop", asked.stop, True), ("target", asked.target, False)):
            if level is not None and level.kind == "PREMIUM" and line.decision_price is not None:
                yield from _leg(line.leg, name, level, line.decision_price, adverse=adverse, is_long=line.action == "BUY")


def _leg(number: int, name: str, level: Line, price: Decimal, *, adverse: bool, is_long: bool) -> Iterator[str]:
    down = way(adverse=adverse, is_long=is_long) == "DOWN"
    if price <= level.value if down else price >= level.value:
        yield (
            f"The {name} of leg {number} at {level.value.normalize():f} is met already: the leg stands at {price:.2f}, and its"
            f" {name} belongs {'below' if down else 'above'} it. The leg would leave at once."
        )


def _index(terms: LimitTerms, spots: Mapping[str, str | None]) -> Iterator[str]:
    known = [Decimal(spot) for spot in spots.values() if spot is not None]
    if len(spots) != 1 or not known:
        return
    spot, below, above = known[0], terms.more.underlying_below, terms.more.underlying_above
    if below is not None and spot <= below:
        yield f"The index stands at {spot:.2f}, not above {below.normalize():f}: the run would leave at once."
    if above is not None and spot >= above:
        yield f"The index stands at {spot:.2f}, not below {above.normalize():f}: the run would leave at once."
