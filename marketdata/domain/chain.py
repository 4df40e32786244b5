"""The option chain as figures: rows around the money, put-call ratio, max pain. What is not known stays unknown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from marketdata.domain.quotes import Quote
from marketdata.domain.strikes import tag


@dataclass(frozen=True, slots=True)
class Side:
    """A call or a put at one strike. `oi_share` is its open interest in percent of the largest one shown."""

    key: str
    symbol: str
    exchange: str
    lot_units: int
    tag: str
    quote: Quote | None
    oi_share: Decimal | None
    is_held: bool = False

    @property
    def is_in_the_money(self) -> bool:
        return self.tag.startswith("ITM")

    @property
    def mid(self) -> Decimal | None:
        quote = self.quote
        if quote is None or quote.bid is None or quote.ask is None or quote.bid > quote.ask:
            return None
        return (quote.bid + quote.ask) / 2

    @property
    def spread(self) -> Decimal | None:
        quote = self.quote
        return None if quote is None or quote.bid is None or quote.ask is None else quote.ask - quote.bid

    @property
    def received_ms(self) -> int | None:
        return None if self.quote is None else int(self.quote.received_at.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Row:
    strike: Decimal
    is_atm: bool
    call: Side | None
    put: Side | None

    @property
    def straddle(self) -> str:
        """Both contracts sold, as the chart page takes legs."""
        return ",".join(f"{side.key}:SELL:1" for side in (self.call, self.put) if side is not None)

    @property
    def is_held(self) -> bool:
        return any(side is not None and side.is_held for side in (self.call, self.put))


@dataclass(frozen=True, slots=True)
class Listed:
    """One contract of the chain as the instrument list has it."""

    key: str
    symbol: str
    exchange: str
    lot_units: int


def rows(
    contracts: Mapping[Decimal, Mapping[str, Listed]],
    quotes: Mapping[str, Quote],
    *,
    atm: Decimal,
    step: Decimal,
    held: frozenset[str] = frozenset(),
) -> list[Row]:
    """One row per strike, ascending; a side without a listed contract is None."""
    largest = _largest_interest(contracts, quotes)

    def side(strike: Decimal, kind: str) -> Side | None:
        listed = contracts[strike].get(kind)
        if listed is None:
            return None
        quote = quotes.get(listed.key)
        word = tag(strike, atm, "CE" if kind == "CE" else "PE", step)
        share = _share(quote, largest)
        return Side(listed.key, listed.symbol, listed.exchange, listed.lot_units, word, quote, share, is_held=listed.key in held)

    return [Row(strike, strike == atm, side(strike, "CE"), side(strike, "PE")) for strike in sorted(contracts)]


def _largest_interest(contracts: Mapping[Decimal, Mapping[str, Listed]], quotes: Mapping[str, Quote]) -> int:
    known = [quotes[c.key].open_interest for pair in contracts.values() for c in pair.values() if c.key in quotes]
    return max((interest for interest in known if interest is not None), default=0)


def _share(quote: Quote | None, largest: int) -> Decimal | None:
    if quote is None or quote.open_interest is None or largest <= 0:
        return None
    return (Decimal(100) * quote.open_interest / largest).quantize(Decimal("0.1"))


def put_call_ratio(shown: Sequence[Row]) -> Decimal | None:
    """Open interest of the shown puts over that of the shown calls; None when no call's is known or all are zero."""
    calls = _interest([row.call for row in shown])
    puts = _interest([row.put for row in shown])
    if not calls or puts is None:
        return None
    return (Decimal(puts) / calls).quantize(Decimal("0.01"))


def _interest(sides: Sequence[Side | None]) -> int | None:
    known = [s.quote.open_interest for s in sides if s and s.quote and s.quote.open_interest is not None]
    return sum(known) if known else None


def max_pain(shown: Sequence[Row]) -> Decimal | None:
    """The shown strike at which open options pay out least; the lower one on a tie, None without open interest."""
    calls = [(row.strike, _interest([row.call]) or 0) for row in shown]
    puts = [(row.strike, _interest([row.put]) or 0) for row in shown]
    if not any(units for _, units in (*calls, *puts)):
        return None

    def paid_out(at: Decimal) -> Decimal:
        to_calls = sum((units * max(at - strike, Decimal(0)) for strike, units in calls), Decimal(0))
        to_puts = sum((units * max(strike - at, Decimal(0)) for strike, units in puts), Decimal(0))
        return to_calls + to_puts

    return min((row.strike for row in shown), key=lambda strike: (paid_out(strike), strike))


def volume(shown: Sequence[Row]) -> int | None:
    known = [
        side.quote.volume
        for row in shown
        for side in (row.call, row.put)
        if side and side.quote and side.quote.volume is not None
    ]
    return sum(known) if known else None


def implied_forward(shown: Sequence[Row]) -> Decimal | None:
    """Strike + call - put where both are worth most nearly the same, by parity; None without two-sided quotes."""
    found = [
        (abs(row.call.mid - row.put.mid), row.strike, row.strike + row.call.mid - row.put.mid)
        for row in shown
        if row.call and row.put and row.call.mid is not None and row.put.mid is not None
    ]
    return min(found)[2] if found else None
