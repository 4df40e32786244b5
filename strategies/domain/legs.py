"""What a leg says, which long covers which short, and what cannot be saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from algomirror.kernel.money import Action

Kind = Literal["CE", "PE"]
StrikeMode = Literal["ATM", "ITM", "OTM"]

MAX_LEGS: Final = 12
MAX_LOTS: Final = 100


@dataclass(frozen=True, slots=True)
class LegSpec:
    """One leg as the trader defines it. `hedges` (longs only): numbers of the short legs it covers."""

    number: int
    underlying: str
    kind: Kind
    slot: str
    action: Action
    strike_mode: StrikeMode
    strike_offset: int
    lots: int
    hedges: tuple[int, ...] = ()

    @property
    def is_short(self) -> bool:
        return self.action == "SELL"

    @property
    def series(self) -> tuple[str, str, str]:
        """Legs of one series can cover each other: same underlying, type and expiry slot."""
        return self.underlying, self.kind, self.slot

    @property
    def text(self) -> str:
        strike = self.strike_mode if self.strike_mode == "ATM" else f"{self.strike_mode}{self.strike_offset}"
        return f"{self.action} {self.lots} {self.underlying} {strike} {self.kind} {self.slot.replace('_', ' ').lower()}"


def propose_hedges(legs: Sequence[LegSpec]) -> dict[int, tuple[int, ...]]:
    """For each long leg the shorts it covers: all of its series, if the longs there have at least as many lots.

    Where shorts outnumber longs nothing is proposed: a short whose hedge can never fill would never be released.
    """
    shorts: dict[tuple[str, str, str], list[LegSpec]] = defaultdict(list)
    longs: dict[tuple[str, str, str], list[LegSpec]] = defaultdict(list)
    for leg in legs:
        (shorts if leg.is_short else longs)[leg.series].append(leg)
    proposed: dict[int, tuple[int, ...]] = {}
    for series, covering in longs.items():
        covered = shorts.get(series, [])
        if covered and sum(leg.lots for leg in covering) >= sum(leg.lots for leg in covered):
            proposed.update((leg.number, tuple(s.number for s in covered)) for leg in covering)
    return proposed


def with_hedges(legs: Sequence[LegSpec], chosen: Mapping[int, tuple[int, ...] | None]) -> list[LegSpec]:
    """Legs with their links: `chosen` by leg number, None (or absent) takes the proposal, () is no link."""
    proposed = propose_hedges(legs)

    def links(leg: LegSpec) -> tuple[int, ...]:
        own = chosen.get(leg.number)
        return proposed.get(leg.number, ()) if own is None else own

    return [replace(leg, hedges=() if leg.is_short else links(leg)) for leg in legs]


def hedges_of(legs: Sequence[LegSpec]) -> dict[int, list[int]]:
    """Short leg number → the hedge legs it waits for."""
    waits: dict[int, list[int]] = defaultdict(list)
    for leg in legs:
        for short in leg.hedges:
            waits[short].append(leg.number)
    return dict(waits)


def problems(legs: Sequence[LegSpec]) -> dict[str, str]:
    """What forbids saving these legs, by field ("legs" or "legs-<row>-<field>", rows from 0)."""
    found: dict[str, str] = {}
    if not legs:
        found["legs"] = "at least one leg"
    if len(legs) > MAX_LEGS:
        found["legs"] = f"at most {MAX_LEGS} legs"
    by_number = {leg.number: leg for leg in legs}
    for row, leg in enumerate(legs):
        if not 1 <= leg.lots <= MAX_LOTS:
            found[f"legs-{row}-lots"] = f"1 to {MAX_LOTS} lots"
        if (leg.strike_mode == "ATM") != (leg.strike_offset == 0) or not 0 <= leg.strike_offset <= 20:
            found[f"legs-{row}-strike_offset"] = "1 to 20 steps in or out of the money; none for ATM"
        if any(number not in by_number or not by_number[number].is_short for number in leg.hedges):
            found[f"legs-{row}-hedges"] = "names a leg that is no short leg"
        elif any(by_number[number].series[:2] != leg.series[:2] for number in leg.hedges):
            found[f"legs-{row}-hedges"] = "a leg covers shorts of its own underlying and type only"
    found.update(_doubles(legs))
    found.update(_short_cover(legs, by_number))
    return found


def _doubles(legs: Sequence[LegSpec]) -> dict[str, str]:
    """One leg per contract: two legs in one contract would be one position, or cancel out."""
    seen: dict[tuple[object, ...], int] = {}
    found: dict[str, str] = {}
    for row, leg in enumerate(legs):
        key = (*leg.series, leg.strike_mode, leg.strike_offset)
        if key in seen:
            found[f"legs-{row}-strike_offset"] = f"the same contract as leg {seen[key]}"
        seen.setdefault(key, leg.number)
    return found


def _short_cover(legs: Sequence[LegSpec], by_number: Mapping[int, LegSpec]) -> dict[str, str]:
    """Linked hedges must be able to cover: together they need the lots of the shorts they are linked to."""
    found: dict[str, str] = {}
    groups: dict[tuple[int, ...], int] = defaultdict(int)
    for leg in legs:
        if leg.hedges:
            groups[leg.hedges] += leg.lots
    for row, leg in enumerate(legs):
        needed = sum(by_number[n].lots for n in leg.hedges if n in by_number)
        if leg.hedges and groups[leg.hedges] < needed:
            found.setdefault(
                f"legs-{row}-hedges", f"{groups[leg.hedges]} lots cannot cover {needed} short lots: the rest would never be sent"
            )
    return found


def warnings(legs: Sequence[LegSpec], *, has_max_loss: bool) -> list[str]:
    """What a trader should know before sending; nothing here forbids it."""
    said: list[str] = []
    if not has_max_loss:
        said.append("No hard stop: without a max loss nothing leaves this run by itself.")
    waits = hedges_of(legs)
    naked = [leg for leg in legs if leg.is_short and leg.number not in waits]
    if naked:
        said.append(f"Uncovered short {'legs' if len(naked) > 1 else 'leg'} {', '.join(str(leg.number) for leg in naked)}.")
    return said
