"""How faults bend a quote on its way to one account."""

from __future__ import annotations

from dataclasses import replace

from simulator.faults import FaultBoard
from simulator.market import Quote

PRICE_FAULTS = ("zero_price", "nan_price", "price_spike")


def distort(quote: Quote, faults: FaultBoard, account: int, endpoint: str, symbol: str) -> Quote:
    """The quote after at most one price fault; the true market is untouched."""
    if faults.hit("zero_price", account, endpoint, symbol) is not None:
        if endpoint == "optionchain":
            # A chain shows a failed quote as zeros throughout.
            return Quote(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0)
        return replace(quote, ltp=0.0, bid=0.0, ask=0.0)
    if faults.hit("nan_price", account, endpoint, symbol) is not None:
        return replace(quote, ltp=float("nan"))
    spike = faults.hit("price_spike", account, endpoint, symbol)
    if spike is None:
        return quote
    factor = 1.0 + float(spike.params["percent"]) / 100.0
    return replace(quote, ltp=max(round(quote.ltp * factor / 0.05) * 0.05, 0.05))
