"""From (underlying, expiry, offset) to a listed contract, with the server's texts on the way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from simulator.instruments import MONTHS, Contract, strike_text
from simulator.market import Market
from simulator.rest.core import ApiError, Call

_EMBEDDED = re.compile(r"([A-Z]+)(\d{2}[A-Z]{3}\d{2})FUT")
NOT_FOUND = "Symbol '{}' not found for exchange '{}'. Please verify the symbol name and ensure master contracts are downloaded."


@dataclass(frozen=True, slots=True)
class Resolved:
    """An underlying with its quote and the strikes of one expiry. `expiry_text` as asked."""

    market: Market
    name: str
    spot_exchange: str
    fo_exchange: str
    expiry_text: str
    expiry: date | None
    ltp: float
    prev_close: float

    @property
    def strikes(self) -> list[float]:
        if self.expiry is None:
            return []
        return self.market.listing.strikes(self.name, self.fo_exchange, self.expiry)

    @property
    def atm(self) -> float:
        return min(self.strikes, key=lambda strike: abs(strike - self.ltp))

    def contract(self, strike: float, kind: str) -> Contract | None:
        symbol = f"{self.name}{self.expiry_text}{strike_text(strike)}{kind}"
        return self.market.find(self.fo_exchange, symbol)


def not_found(symbol: str, exchange: str) -> str:
    return NOT_FOUND.format(symbol, exchange)


def parse_compact(asked: str) -> date | None:
    """25AUG26 in any case, or None."""
    found = re.fullmatch(r"(\d{2})([A-Z]{3})(\d{2})", asked.upper())
    if found is None or found[2] not in MONTHS:
        return None
    try:
        return date(2000 + int(found[3]), MONTHS.index(found[2]) + 1, int(found[1]))
    except ValueError:
        return None


def resolve(
    call: Call,
    underlying: str,
    exchange: str,
    expiry_text: str | None,
    *,
    embedded_wins: bool = False,
    separator: str = ".",
) -> Resolved:
    """Find the underlying and its expiry. Raises ApiError with the server's text."""
    market = call.account.market
    name, embedded = underlying, None
    found = _EMBEDDED.fullmatch(underlying)
    if found is not None:
        name, embedded = found[1], found[2]
    expiry = embedded if embedded_wins and embedded else expiry_text or embedded
    if not expiry:
        raise ApiError("Expiry date is required.", 400)
    known = market.underlyings.get(name)
    spot_exchange = known.exchange if known is not None and exchange != "NSE" else exchange
    quote = call.account.quote(spot_exchange, name, call.endpoint)
    if quote is None:
        text = not_found(name, spot_exchange)
        raise ApiError(f"Failed to fetch LTP for {underlying}{separator} {text}", 400)
    return Resolved(
        market,
        name,
        spot_exchange,
        known.fo_exchange if known is not None else "NFO",
        expiry,
        parse_compact(expiry),
        quote.ltp,
        quote.prev_close,
    )


def require_strikes(chosen: Resolved) -> list[float]:
    strikes = chosen.strikes
    if not strikes:
        raise ApiError(
            f"No strikes found for {chosen.name} expiring {chosen.expiry_text}. "
            "Please check expiry date or update master contract.",
            404,
        )
    return strikes


def pick(chosen: Resolved, offset: str, option_type: str, strike_int: int | None) -> Contract:
    """The contract `offset` steps away from the money. Raises ApiError."""
    strikes = require_strikes(chosen)
    kind, offset = option_type.upper(), offset.upper()
    steps = 0
    if offset != "ATM":
        found = re.fullmatch(r"(ITM|OTM)(\d{1,2})", offset)
        if found is None:
            raise ApiError("Offset must be ATM, ITM1-ITM50, or OTM1-OTM50", 400)
        outward = int(found[2]) if found[1] == "OTM" else -int(found[2])
        steps = outward if kind == "CE" else -outward
    if strike_int:
        strike = round(chosen.ltp / strike_int) * float(strike_int) + steps * strike_int
    else:
        place = strikes.index(chosen.atm) + steps
        if not 0 <= place < len(strikes):
            raise ApiError(f"Offset {offset} is out of range for available strikes. Please use a smaller offset.", 400)
        strike = strikes[place]
    contract = chosen.contract(strike, kind)
    if contract is None:
        symbol = f"{chosen.name}{chosen.expiry_text}{strike_text(strike)}{kind}"
        raise ApiError(f"Option symbol {symbol} not found in {chosen.fo_exchange}.", 404)
    return contract
