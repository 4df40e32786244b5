"""Five made-up levels a side around the touch; quantities follow the tape so that they are reproducible."""

from __future__ import annotations

from simulator.instruments import TICK, Contract
from simulator.market import Quote

LEVELS = 5
Level = tuple[float, int, int]


def levels(contract: Contract, quote: Quote) -> tuple[list[Level], list[Level]]:
    """(buy, sell) as (price, units, orders), best first; zeros for an index."""
    if contract.kind == "INDEX" or quote.bid <= 0:
        return [(0, 0, 0)] * LEVELS, [(0, 0, 0)] * LEVELS
    return _side(contract, quote, quote.bid, -1), _side(contract, quote, quote.ask, 1)


def _side(contract: Contract, quote: Quote, best: float, direction: int) -> list[Level]:
    side: list[Level] = []
    for i in range(LEVELS):
        price = round(best + direction * i * TICK, 2)
        if price < TICK:
            side.append((0, 0, 0))
            continue
        mixed = (quote.volume // contract.lot * 31 + i * 17 + (7 if direction > 0 else 0)) % 39
        side.append((price, contract.lot * (1 + mixed), 1 + mixed % 9))
    return side
