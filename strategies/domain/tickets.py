"""A ticket: chosen contracts for chosen accounts, priced as the trader says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from algomirror.kernel.money import Action, on_tick
from strategies.domain.legs import MAX_LEGS, MAX_LOTS, LegSpec, propose_hedges
from strategies.domain.resolve import Contract

TicketPrice = Literal["MARKET_PROTECTED", "SMART", "LIMIT", "SL", "SL-M"]
PRICE_TYPES: Final = ("MARKET_PROTECTED", "SMART", "LIMIT", "SL", "SL-M")
WORDS: Final = {
    "MARKET_PROTECTED": "market, protected",
    "SMART": "smart",
    "LIMIT": "limit",
    "SL": "stop, limit (SL)",
    "SL-M": "stop (SL-M)",
}
NEEDS_PRICE: Final = frozenset({"LIMIT", "SL"})
NEEDS_TRIGGER: Final = frozenset({"SL", "SL-M"})


@dataclass(frozen=True, slots=True)
class TicketLeg:
    exchange: str
    symbol: str
    action: Action
    lots: int

    @property
    def key(self) -> str:
        return f"{self.exchange}:{self.symbol}"


@dataclass(frozen=True, slots=True)
class Ticket:
    legs: tuple[TicketLeg, ...]
    account_ids: tuple[int, ...]
    product: Literal["NRML", "MIS"]
    price_type: TicketPrice = "MARKET_PROTECTED"
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    reduce_only: bool = False


def faults(ticket: Ticket) -> dict[str, str]:
    """What forbids previewing this ticket, by field."""
    found: dict[str, str] = {}
    if not 1 <= len(ticket.legs) <= MAX_LEGS:
        found["legs"] = f"1 to {MAX_LEGS} contracts"
    if len({leg.key for leg in ticket.legs}) < len(ticket.legs):
        found["legs"] = "each contract once"
    if any(not 1 <= leg.lots <= MAX_LOTS for leg in ticket.legs):
        found["lots"] = f"1 to {MAX_LOTS} lots"
    if not ticket.account_ids:
        found["accounts"] = "choose at least one account"
    if ticket.product not in ("NRML", "MIS"):
        found["product"] = "NRML or MIS"
    found.update(_price_faults(ticket))
    return found


def _price_faults(ticket: Ticket) -> dict[str, str]:
    found: dict[str, str] = {}
    if ticket.price_type not in PRICE_TYPES:
        return {"price_type": "choose a price type"}
    if ticket.price_type != "MARKET_PROTECTED" and len(ticket.legs) != 1:
        found["price_type"] = "several contracts go out market-protected only"
    if ticket.reduce_only and ticket.price_type != "MARKET_PROTECTED":
        found["price_type"] = "a reduce-only order is worked by the exit ladder: choose market-protected"
    for name, value, needed in (
        ("price", ticket.price, ticket.price_type in NEEDS_PRICE),
        ("trigger_price", ticket.trigger_price, ticket.price_type in NEEDS_TRIGGER),
    ):
        if needed and (value is None or value <= 0):
            found[name] = f"{ticket.price_type} needs a {name.replace('_', ' ')} above 0"
        if not needed and value is not None:
            found[name] = f"{ticket.price_type} takes no {name.replace('_', ' ')}"
    if ticket.price_type == "SL" and ticket.price and ticket.trigger_price and len(ticket.legs) == 1:
        buys = ticket.legs[0].action == "BUY"
        if (buys and ticket.price < ticket.trigger_price) or (not buys and ticket.price > ticket.trigger_price):
            found["price"] = f"a stop to {ticket.legs[0].action} fills at or {'above' if buys else 'below'} its trigger"
    return found


def tick_faults(ticket: Ticket, contract: Contract) -> dict[str, str]:
    return {
        name: f"not on the tick of {contract.tick}"
        for name, value in (("price", ticket.price), ("trigger_price", ticket.trigger_price))
        if value is not None and not on_tick(value, contract.tick)
    }


def hedges(legs: Sequence[TicketLeg], contracts: Mapping[str, tuple[str, Contract]]) -> dict[int, tuple[int, ...]]:
    """Which long of a basket covers which shorts (numbers from 1): the same proposal as for strategies, by exact date.

    `contracts` by key: underlying and contract.
    """
    specs = [
        LegSpec(
            number=n,
            underlying=contracts[leg.key][0],
            kind=contracts[leg.key][1].kind,
            slot=contracts[leg.key][1].expiry.isoformat(),
            action=leg.action,
            strike_mode="ATM",
            strike_offset=0,
            lots=leg.lots,
        )
        for n, leg in enumerate(legs, start=1)
    ]
    return propose_hedges(specs)
