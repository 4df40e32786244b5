"""From legs to exact orders, out of one snapshot: every leg of every account sees the same spot, dates and prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from algomirror.kernel.errors import Refused
from algomirror.kernel.money import ZERO, Action, on_tick, sign
from marketdata.domain.quotes import Quote
from marketdata.domain.strikes import Moneyness, atm, offset_strike
from marketdata.domain.symbols import OptionKind
from risk.domain.pretrade import Code, Denial
from strategies.domain import strikes as found_strikes
from strategies.domain.legs import Kind, LegSpec, hedges_of
from trading.domain.changes import TRIGGERED, met_fault
from trading.domain.plan import slices
from trading.domain.prices import protected_limit, range_faults, touch


@dataclass(frozen=True, slots=True)
class Market:
    """One underlying at one instant: spot (None unknown), what each slot means, the strikes listed for each date.

    `chains`: fresh quotes by (expiry, type) and strike, where a leg looks for a price. `years`: to each date's close.
    """

    spot: Decimal | None
    step: Decimal
    slots: Mapping[str, date]
    strikes: Mapping[date, Sequence[Decimal]]
    future_slots: Mapping[str, date] = field(default_factory=dict)
    future_dates: Sequence[date] = ()
    chains: Mapping[tuple[date, str], Mapping[Decimal, Quote]] = field(default_factory=dict)
    years: Mapping[date, float] = field(default_factory=dict)

    def expiry(self, leg: LegSpec) -> date | None:
        if leg.slot == "DATE":
            listed = self.future_dates if leg.is_future else [day for day, known in self.strikes.items() if known]
            return leg.expiry_date if leg.expiry_date in listed else None
        return (self.future_slots if leg.is_future else self.slots).get(leg.slot)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which contract a leg means now, and how it was chosen."""

    leg: LegSpec
    expiry: date
    strike: Decimal | None
    atm_strike: Decimal | None


@dataclass(frozen=True, slots=True)
class Contract:
    """A listed contract with its terms. `freeze_units` None: not known, one slice. `strike` None: a future."""

    exchange: str
    symbol: str
    expiry: date
    strike: Decimal | None
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
    ask: Decimal | None = None


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
    expiry = market.expiry(leg)
    if expiry is None:
        raise _NotFound(Code.SLOT_UNAVAILABLE, f"{leg.underlying} has no {leg.expiry_text} expiry.")
    if leg.is_future:
        return Choice(leg, expiry, None, None)
    if market.spot is None:
        raise _NotFound(Code.QUOTE_STALE, f"no fresh price of {leg.underlying}.")
    listed = market.strikes.get(expiry, ())
    try:
        centre = atm(market.spot, listed, market.step)
    except Refused as refused:
        raise _NotFound(Code.INSTRUMENT_UNKNOWN, f"{refused.message}.") from refused
    return Choice(leg, expiry, _strike(leg, market, market.spot, centre, expiry), centre)


def _strike(leg: LegSpec, market: Market, spot: Decimal, centre: Decimal, expiry: date) -> Decimal:
    listed = market.strikes.get(expiry, ())
    is_priced = leg.strike_mode in ("PREMIUM", "DELTA", "STRADDLE")
    try:
        if is_priced:
            return _priced_strike(leg, market, spot, centre, expiry)
        if leg.strike_mode == "STRIKE":
            if leg.strike_value not in set(listed):
                raise Refused(f"strike {leg.strike_value} {leg.kind} is not listed")
            return leg.strike_value or ZERO
        mode: Moneyness = "ATM" if leg.strike_mode == "ATM" else "ITM" if leg.strike_mode == "ITM" else "OTM"
        return offset_strike(centre, _option_kind(leg), mode, leg.strike_offset, listed, market.step)
    except Refused as refused:
        code = Code.PREMIUM_NOT_FOUND if is_priced else Code.INSTRUMENT_UNKNOWN
        raise _NotFound(code, f"{refused.message}.") from refused


def _option_kind(leg: LegSpec) -> OptionKind:
    return "CE" if leg.kind == "CE" else "PE"


def _priced_strike(leg: LegSpec, market: Market, spot: Decimal, centre: Decimal, expiry: date) -> Decimal:
    calls, puts = market.chains.get((expiry, "CE"), {}), market.chains.get((expiry, "PE"), {})
    value = leg.strike_value or ZERO
    if leg.strike_mode == "DELTA":
        years = market.years.get(expiry, 0.0)
        return found_strikes.nearest_delta(_option_kind(leg), calls, puts, atm=centre, target=value, years=years)
    if leg.strike_mode == "STRADDLE":
        value = found_strikes.straddle_premium(calls, puts, centre) * value / 100
    return found_strikes.nearest_premium(calls if leg.kind == "CE" else puts, value, leg.tolerance, spot)


def _slots_differ(choices: Sequence[Choice]) -> list[Denial]:
    """Two legs that name different slots of one underlying must mean different dates, or a calendar spread collapses."""
    meant: dict[tuple[str, bool, date], str] = {}
    found: list[Denial] = []
    for choice in choices:
        key = (choice.leg.underlying, choice.leg.is_future, choice.expiry)
        slot = meant.setdefault(key, choice.leg.slot)
        if slot != choice.leg.slot:
            both = f"{_words(choice.leg.slot)} and {_words(slot)}"
            text = f"Leg {choice.leg.number}: {both} are both {choice.expiry:%d %b %Y}."
            found.append(Denial(Code.LEGS_NOT_DISTINCT, text, leg=choice.leg.number))
    return found


def _contracts_differ(choices: Sequence[Choice]) -> list[Denial]:
    seen: dict[tuple[str, str, date, Decimal | None], int] = {}
    found: list[Denial] = []
    for choice in choices:
        key = (choice.leg.underlying, choice.leg.kind, choice.expiry, choice.strike)
        first = seen.setdefault(key, choice.leg.number)
        if first != choice.leg.number:
            text = f"Leg {choice.leg.number} is the same contract as leg {first}."
            found.append(Denial(Code.LEGS_NOT_DISTINCT, text, leg=choice.leg.number))
    return found


def _words(slot: str) -> str:
    return "a fixed date" if slot == "DATE" else slot.replace("_", " ").lower()


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
        price=protected_limit(touch(quote, action), action, contract.tick, future=contract.kind == "FUT"),
        trigger_price=ZERO,
        protected=True,
        decision_price=quote.deciding_price,
        hedge_legs=tuple(hedge_legs),
        ask=quote.ask,
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
            what = " ".join(str(part) for part in (choice.strike, leg.kind) if part is not None)
            text = f"Leg {leg.number}: {leg.underlying} {choice.expiry:%d %b %Y} {what} is not listed."
            denials.append(Denial(Code.INSTRUMENT_UNKNOWN, text, leg=leg.number))
            continue
        quote = quotes.get(contract.key)
        if quote is None:
            denials.append(Denial(Code.QUOTE_STALE, f"Leg {leg.number}: no fresh price of {contract.symbol}.", leg=leg.number))
            continue
        line = price_line(
            leg=leg.number,
            purpose="HEDGE" if leg.hedges else "ENTRY",
            contract=contract,
            action=leg.action,
            lots=leg.lots,
            quote=quote,
            hedge_legs=waits.get(leg.number, []) if leg.is_short else leg.hedges,
        )
        line = at_own_price(line, leg)
        denials.extend(_off_tick(line) or _out_of_range(line))
        found.append(line)
    return sorted(found, key=phase), denials


def at_own_price(line: Line, leg: LegSpec) -> Line:
    """The line as the leg's own order type says; market-protected lines stay as they are."""
    if leg.price_type == "MARKET_PROTECTED":
        return line
    price, trigger = leg.limit_price or ZERO, leg.trigger_price or ZERO
    word = leg.price_type.replace("_", "-")
    return replace(line, price_type=word, price=price, trigger_price=trigger, protected=False)


def _off_tick(line: Line) -> list[Denial]:
    tick = line.contract.tick
    return [
        Denial(Code.PRICE_OFF_TICK, f"Leg {line.leg}: {name} {value} is not on the tick of {tick}.", leg=line.leg)
        for name, value in (("price", line.price), ("trigger", line.trigger_price))
        if value and not on_tick(value, tick)
    ]


def out_of_range(line: Line) -> dict[str, str]:
    """What the exchange would refuse of the line's prices, by field; a stop whose trigger is met already is none."""
    found = range_faults(
        price_type=line.price_type,
        price=line.price,
        trigger=line.trigger_price or None,
        reference=line.decision_price,
        tick=line.contract.tick,
        exchange=line.contract.exchange,
        symbol=line.contract.symbol,
    )
    waits = line.price_type in TRIGGERED and line.trigger_price > 0 and "trigger_price" not in found
    if waits and (said := met_fault(line.action, line.trigger_price, line.decision_price)):
        found["trigger_price"] = said
    return found


def _out_of_range(line: Line) -> list[Denial]:
    names = {"price": "limit price", "trigger_price": "trigger price"}
    return [
        Denial(Code.PRICE_OUT_OF_RANGE, f"Leg {line.leg}: {names[field]} {what}.", leg=line.leg)
        for field, what in out_of_range(line).items()
    ]


def scaled(line: Line, lots: int) -> Line:
    """The same line for another number of lots."""
    units = lots * line.contract.lot_units
    cut = tuple(slices(units, line.contract.lot_units, line.contract.freeze_units))
    return replace(line, lots=lots, units=units, slices=cut)


def condition_denials(condition: str, expiries: Sequence[date], today: date) -> list[Denial]:
    """EXPIRY starts only when some leg's contract expires today, NON_EXPIRY only when none does."""
    is_expiry = today in expiries
    if condition == "EXPIRY" and not is_expiry:
        return [Denial(Code.CONDITION_MISMATCH, "Only for expiry days: no leg's contract expires today.")]
    if condition == "NON_EXPIRY" and is_expiry:
        return [Denial(Code.CONDITION_MISMATCH, "Not for expiry days: a leg's contract expires today.")]
    return []


def phase(line: Line) -> tuple[int, int]:
    return (0 if line.purpose == "HEDGE" else 1 if line.action == "BUY" else 2), line.leg


def net_premium(found: Sequence[Line]) -> Decimal:
    """Rupees received (+) or paid (−) for one account at the deciding prices."""
    return sum((-sign(line.action) * line.units * line.decision_price for line in found), ZERO)
