"""Reading one row of a broker's contract list: what it is, or why it is not believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from marketdata.domain.symbols import Contract, compose, parse_expiry, take_apart


@dataclass(frozen=True, slots=True)
class ListedRow:
    """The columns we use, as the broker sent them. `freeze_units` None means that the broker does not know."""

    symbol: str
    expiry: str
    strike: Decimal | None
    lot_units: int
    tick: Decimal
    freeze_units: int | None


@dataclass(frozen=True, slots=True)
class Terms:
    """What we hold to be true of contracts expiring from `start` to `end`."""

    start: date
    end: date | None
    lot_units: int
    freeze_units: int
    tick: Decimal


@dataclass(frozen=True, slots=True)
class Dispute:
    """The list and our reference disagree about a contract month."""

    underlying: str
    expiry: date
    field: str
    listed: str
    held: str


# A list thins out far from the money; a gap that few neighbours have is not the step.
STEP_SHARE, STEP_GAPS = 0.2, 10


def step_of(strikes: Iterable[Decimal]) -> Decimal | None:
    """The smallest gap that at least a fifth of the neighbouring strikes have; None when too few are listed to tell."""
    ordered = sorted(set(strikes))
    gaps = Counter(above - below for below, above in pairwise(ordered))
    if gaps.total() < STEP_GAPS:
        return None
    return min(gap for gap, count in gaps.items() if count >= STEP_SHARE * gaps.total())


def contract_of(row: ListedRow, underlyings: frozenset[str]) -> Contract | None:
    """The contract, when it belongs to one of the underlyings; its name alone decides that."""
    contract = take_apart(row.symbol)
    return contract if contract and contract.underlying in underlyings else None


def contradiction(row: ListedRow, contract: Contract) -> str:
    """Why the row must not be believed: its columns say something else than its name. "" when they agree."""
    if compose(contract) != row.symbol:
        return "name"
    if parse_expiry(row.expiry) != contract.expiry:
        return "expiry"
    if contract.kind != "FUT" and row.strike != contract.strike:
        return "strike"
    if row.lot_units <= 0 or row.tick <= 0:
        return "lot or tick"
    return ""


def terms_on(expiry: date, terms: Iterable[Terms]) -> Terms | None:
    """The terms in force for an expiry: the latest start wins."""
    matching = [t for t in terms if t.start <= expiry and (t.end is None or expiry <= t.end)]
    return max(matching, key=lambda t: t.start, default=None)


def disputes(contract: Contract, row: ListedRow, held: Terms | None) -> list[Dispute]:
    if held is None:
        return []
    pairs = [("lot", row.lot_units, held.lot_units), ("tick", row.tick, held.tick)]
    if row.freeze_units is not None:
        pairs.append(("freeze", row.freeze_units, held.freeze_units))
    return [
        Dispute(contract.underlying, contract.expiry, field, str(listed), str(ours))
        for field, listed, ours in pairs
        if listed != ours
    ]


@dataclass(frozen=True, slots=True)
class Held:
    """One contract's terms as a list has them."""

    underlying: str
    expiry: date
    lot_units: int
    freeze_units: int | None
    tick: Decimal


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """What one list changed against the one before, per expiry; `contracts` counts them."""

    underlying: str
    expiry: date
    kind: str
    before: str
    after: str
    contracts: int


def changes(before: Mapping[str, Held], after: Mapping[str, Held]) -> list[Change]:
    """By contract name: listed, delisted, and changed lot, freeze or tick."""
    counted: Counter[tuple[str, date, str, str, str]] = Counter()
    for symbol, now in after.items():
        was = before.get(symbol)
        if was is None:
            counted[now.underlying, now.expiry, "LISTED", "", ""] += 1
            continue
        pairs = (
            ("LOT", was.lot_units, now.lot_units),
            ("FREEZE", was.freeze_units, now.freeze_units),
            ("TICK", was.tick, now.tick),
        )
        for kind, old, new in pairs:
            if old != new:
                counted[now.underlying, now.expiry, kind, _said(old), _said(new)] += 1
    for symbol in before.keys() - after.keys():
        counted[before[symbol].underlying, before[symbol].expiry, "DELISTED", "", ""] += 1
    return sorted(Change(*of, contracts) for of, contracts in counted.items())


def _said(value: object) -> str:
    return "not known" if value is None else str(value)
