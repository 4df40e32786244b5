"""What a leg says, which long covers which short, and what cannot be saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from math import gcd
from typing import Final, Literal

from algomirror.kernel.money import Action
from strategies.domain.legfaults import leg_faults

Kind = Literal["CE", "PE", "FUT"]
StrikeMode = Literal["ATM", "ITM", "OTM", "STRIKE", "PREMIUM", "DELTA", "STRADDLE"]
LegPrice = Literal["MARKET_PROTECTED", "LIMIT", "SL", "SL_M"]

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
    # Slot DATE: the date. Modes STRIKE (rupees), PREMIUM (rupees), DELTA (0 to 1), STRADDLE (% of the ATM straddle): the value.
    expiry_date: date | None = None
    strike_value: Decimal | None = None
    tolerance: int = 20
    price_type: LegPrice = "MARKET_PROTECTED"
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None

    @property
    def is_short(self) -> bool:
        return self.action == "SELL"

    @property
    def is_future(self) -> bool:
        return self.kind == "FUT"

    @property
    def slot_key(self) -> str:
        return self.expiry_date.isoformat() if self.slot == "DATE" and self.expiry_date is not None else self.slot

    @property
    def series(self) -> tuple[str, str, str]:
        """Legs of one series can cover each other: same underlying, type and expiry slot."""
        return self.underlying, self.kind, self.slot_key

    @property
    def expiry_text(self) -> str:
        if self.slot == "DATE":
            return "no date" if self.expiry_date is None else f"{self.expiry_date:%d %b %Y}"
        return self.slot.replace("_", " ").lower()

    @property
    def strike_text(self) -> str:
        """The rule of the strike in a word or two; empty for a future."""
        value = None if self.strike_value is None else f"{self.strike_value:f}"
        match self.strike_mode:
            case _ if self.is_future:
                return ""
            case "ATM":
                return "ATM"
            case "STRIKE":
                return value or "no strike"
            case "PREMIUM":
                return f"premium near {value}"
            case "DELTA":
                return f"delta near {value}"
            case "STRADDLE":
                return f"premium near {value}% of straddle"
        return f"{self.strike_mode}{self.strike_offset}"

    @property
    def text(self) -> str:
        words = (self.action, str(self.lots), self.underlying, self.strike_text, self.kind, self.expiry_text)
        order = "" if self.price_type == "MARKET_PROTECTED" else f", {self.price_type.replace('_', '-')}"
        return " ".join(word for word in words if word) + order


def structure(legs: Sequence[LegSpec]) -> tuple[int, dict[int, int]]:
    """How many whole structures the lots are, and the lots of each leg in one structure: 4, 4, 2 is 2 of 2, 2, 1."""
    count = gcd(*(leg.lots for leg in legs)) if legs else 1
    return count, {leg.number: leg.lots // count for leg in legs}


def covers(long: LegSpec, short: LegSpec) -> bool:
    """May this long be linked to this short? Same underlying and type; a long call also covers a short future."""
    same = long.kind == short.kind or (long.kind == "CE" and short.is_future)
    return long.underlying == short.underlying and same


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
        found.update({f"legs-{row}-{field}": what for field, what in leg_faults(leg).items()})
        if any(number not in by_number or not by_number[number].is_short for number in leg.hedges):
            found[f"legs-{row}-hedges"] = "names a leg that is no short leg"
        elif any(not covers(leg, by_number[number]) for number in leg.hedges):
            found[f"legs-{row}-hedges"] = "a leg covers shorts of its own underlying and type only"
    found.update(_doubles(legs))
    found.update(_short_cover(legs, by_number))
    return found


def _doubles(legs: Sequence[LegSpec]) -> dict[str, str]:
    """One leg per contract: two legs in one contract would be one position, or cancel out."""
    seen: dict[tuple[object, ...], int] = {}
    found: dict[str, str] = {}
    for row, leg in enumerate(legs):
        key = (*leg.series, leg.strike_mode, leg.strike_offset, leg.strike_value)
        if key in seen:
            found[f"legs-{row}-{'slot' if leg.is_future else 'strike_offset'}"] = f"the same contract as leg {seen[key]}"
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
    slow = [leg for leg in legs if leg.hedges and leg.price_type != "MARKET_PROTECTED"]
    if slow:
        numbers = ", ".join(str(leg.number) for leg in slow)
        said.append(f"Hedge {numbers} rests at its own price: if it does not fill within the hedge wait, the entry is unwound.")
    return said
