"""The smart price: a limit a little beyond the touch, or in the middle of a wide spread. Set once; it rests as a limit."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from algomirror.kernel.money import Action, round_to_tick
from marketdata.domain.quotes import Quote
from trading.domain.prices import in_range

BEYOND: Final = Decimal("0.001")
WIDE: Final = Decimal("0.02")
RULE: Final = (
    "Smart: ask + 0.1 % to buy, bid − 0.1 % to sell; the middle where the spread is over 2 % of the last price. Set at the "
    "preview; then it rests as a limit."
)


def smart_price(quote: Quote, action: Action, tick: Decimal, *, future: bool = False) -> Decimal | None:
    """Rupees on tick (up for BUY, down for SELL), inside the exchange's range; None without both sides of the quote."""
    bid, ask, last = quote.bid, quote.ask, quote.last_price
    if bid is None or ask is None or bid <= 0 or ask < bid or last <= 0:
        return None
    if (ask - bid) / last > WIDE:
        wanted = (bid + ask) / 2
    else:
        wanted = ask * (1 + BEYOND) if action == "BUY" else bid * (1 - BEYOND)
    return in_range(round_to_tick(wanted, tick, action), quote.deciding_price, tick, future=future)
