"""From legs to exact orders, out of one snapshot: every leg of every account sees the same spot, dates and prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from algomirror.kernel.errors import Refused
from algomirror.kernel.money import ZERO, Action, sign
from marketdata.domain.quotes import Quote
from marketdata.domain.strikes import atm, offset_strike
from risk.domain.pretrade import Code, Denial
from strategies.domain.legs import Kind, LegSpec, hedges_of
from trading.domain.plan import slices
from trading.domain.prices import protected_limit, touch


@dataclass(frozen=True, slots=True)
class Market:
    """One underlying at one instant: spot (None unknown), what each slot means, the strikes listed for each date."""

    spot: Decimal | None
    step: Decimal
    slots: Mapping[str, date]
    strikes: Mapping[date, Sequence[Decimal]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which contract a leg means now, and how it was chosen."""

    leg: LegSpec
    expiry: date
    strike: Decimal
    atm_strike: Decimal


@dataclass(frozen=True, slots=True)
class Contract:
    """A listed contract with its terms. `freeze_units` None: not known, one slice."""

    exchange: str
    symbol: str
    expiry: date
    strike: Decimal
    kind: Kind
    lot_units: int
    tick: Decimal
    freeze_units: int | None

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"


@dataclass(frozen=True, slots=True)
class Line:
    """One leg with its exact contract, quantity and price; the same for every account of the plan."""

    leg: int
    purpose: str
    contract: Contract
    action: Action
    lots: int
    units: int
    slices: tuple[int, ...]
    price_type: str
    price: Decimal
    trigger_price: Decimal
    protected: bool
    decision_price: Decimal
    hedge_legs: tuple[int, ...]


def choose(legs: Sequence[LegSpec], markets: Mapping[str, Market]) -> tuple[list[Choice], list[Denial]]:
    """The contract each leg means, and why some mean none. A slot that does not exist is refused, never replaced."""
    choices: list[Choice] = []
    denials: list[Denial] = []
    for leg in legs:
        try:
            choices.append(_choose(leg, markets.get(leg.underlying)))
        except _NotFound as error:
            denials.append(Denial(error.code, f"Leg {leg.number}: {error.message}", leg=leg.number))
    denials.extend(_slots_differ(choices))
    denials.extend(_contracts_differ(choices))
    return choices, denials


class _NotFound(Refused):
    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code


def _choose(leg: LegSpec, market: Market | None) -> Choice:
    if market is None:
        raise _NotFound(Code.INSTRUMENT_UNKNOWN, f"{leg.underlying} is not an enabled underlying.")
    expiry = market.slots.get(leg.slot)
    if expiry is None:
        raise _NotFound(Code.SLOT_UNAVAILABLE, f"{leg.underlying} has no {leg.slot.replace('_', ' ').lower()} expiry.")
    if market.spot is None:
        raise _NotFound(Code.QUOTE_STALE, f"no fresh price of {leg.underlying}.")
    listed = market.strikes.get(expiry, ())
    try:
        centre = atm(market.spot, listed, market.step)
        strike = offset_strike(centre, leg.kind, leg.strike_mode, leg.strike_offset, listed, market.step)
    except Refused as refused:
        raise _NotFound(Code.INSTRUMENT_UNKNOWN, f"{refused.message}.") from refused
    return Choice(leg, expiry, strike, centre)


def _slots_differ(choices: Sequence[Choice]) -> list[Denial]:
    """Two legs that name different slots of one underlying must mean different dates, or a calendar spread collapses."""
    meant: dict[tuple[str, date], str] = {}
    found: list[Denial] = []
    for choice in choices:
        key = (choice.leg.underlying, choice.expiry)
        slot = meant.setdefault(key, choice.leg.slot)
        if slot != choice.leg.slot:
            text = f"Leg {choice.leg.number}: {_words(choice.leg.slot)} and {_words(slot)} are both {choice.expiry:%d %b %Y}."
            found.append(Denial(Code.LEGS_NOT_DISTINCT, text, leg=choice.leg.number))
    return found


def _contracts_differ(choices: Sequence[Choice]) -> list[Denial]:
    seen: dict[tuple[str, str, date, Decimal], int] = {}
    found: list[Denial] = []
    for choice in choices:
        key = (choice.leg.underlying, choice.leg.kind, choice.expiry, choice.strike)
        first = seen.setdefault(key, choice.leg.number)
        if first != choice.leg.number:
            text = f"Leg {choice.leg.number} is the same contract as leg {first}."
            found.append(Denial(Code.LEGS_NOT_DISTINCT, text, leg=choice.leg.number))
    return found


def _words(slot: str) -> str:
    return slot.replace("_", " ").lower()


def price_line(
    *,
    leg: int,
    purpose: str,
    contract: Contract,
    action: Action,
    lots: int,
    quote: Quote,
    hedge_legs: Sequence[int] = (),
) -> Line:
    """A marketable limit: the touch moved by the slab in the direction that fills, on tick."""
    units = lots * contract.lot_units
    return Line(
        leg=leg,
        purpose=purpose,
        contract=contract,
        action=action,
        lots=lots,
        units=units,
        slices=tuple(slices(units, contract.lot_units, contract.freeze_units)),
        price_type="LIMIT",
        price=protected_limit(touch(quote, action), action, contract.tick),
        trigger_price=ZERO,
        protected=True,
        decision_price=quote.deciding_price,
        hedge_legs=tuple(hedge_legs),
    )


def lines(
    choices: Sequence[Choice], contracts: Mapping[int, Contract], quotes: Mapping[str, Quote]
) -> tuple[list[Line], list[Denial]]:
    """Priced lines in sending order (hedges, then other longs, then shorts), and what could not be priced.

    `contracts` by leg number; `quotes` must hold fresh quotes only.
    """
    legs = [choice.leg for choice in choices]
    waits = hedges_of(legs)
    found: list[Line] = []
    denials: list[Denial] = []
    for choice in choices:
        leg = choice.leg
        contract = contracts.get(leg.number)
        if contract is None:
            text = f"Leg {leg.number}: {leg.underlying} {choice.expiry:%d %b %Y} {choice.strike} {leg.kind} is not listed."
            denials.append(Denial(Code.INSTRUMENT_UNKNOWN, text, leg=leg.number))
            continue
        quote = quotes.get(contract.key)
        if quote is None:
            denials.append(Denial(Code.QUOTE_STALE, f"Leg {leg.number}: no fresh price of {contract.symbol}.", leg=leg.number))
            continue
        found.append(
            price_line(
                leg=leg.number,
                purpose="HEDGE" if leg.hedges else "ENTRY",
                contract=contract,
                action=leg.action,
                lots=leg.lots,
                quote=quote,
                hedge_legs=waits.get(leg.number, []) if leg.is_short else leg.hedges,
            )
        )
    return sorted(found, key=phase), denials


def phase(line: Line) -> tuple[int, int]:
    return (0 if line.purpose == "HEDGE" else 1 if line.action == "BUY" else 2), line.leg


def net_premium(found: Sequence[Line]) -> Decimal:
    """Rupees received (+) or paid (−) for one account at the deciding prices."""
    return sum((-sign(line.action) * line.units * line.decision_price for line in found), ZERO)
