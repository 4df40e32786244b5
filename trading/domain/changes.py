"""Changing an order that works at the broker: who may, to what, and what the books then say of it.

An answer to a modify decides nothing. What was asked stands beside what the order is, until the order book shows it, or
does not show it for long enough. Success does not mean applied, and silence does not mean refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from algomirror.kernel.money import on_tick
from trading.domain.orders import CHANGE_IN_DOUBT, EXITS, ChangeState, OrderState, Purpose

CHANGEABLE = (OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED)
PRICED = frozenset({"LIMIT", "SL"})
TRIGGERED = frozenset({"SL", "SL-M"})


@dataclass(frozen=True, slots=True)
class Terms:
    """Units (the order's total, not what is left of it), limit and trigger; a price that the type lacks is 0."""

    units: int
    price: Decimal
    trigger: Decimal


@dataclass(frozen=True, slots=True)
class Change:
    """A modify that may still take hold. `refused`: the broker plainly said no; `in_doubt`: not given up yet."""

    asked: Terms
    asked_at: datetime
    answered_at: datetime | None
    refused: bool
    in_doubt: bool


class Workable(Protocol):
    """What must be known of an order to say whether it may be changed."""

    @property
    def state(self) -> str: ...

    @property
    def purpose(self) -> str: ...

    @property
    def protected(self) -> bool: ...

    @property
    def to_market(self) -> bool: ...

    @property
    def change_state(self) -> str: ...

    @property
    def broker_order_id(self) -> str: ...


def why_fixed(order: Workable, book_state: str) -> str:
    """Why this order can neither be modified nor sent to the market now; empty when it can."""
    state = OrderState(order.state)
    if Purpose(order.purpose) in EXITS:
        return "an exit walks to the market by itself"
    if state not in CHANGEABLE or not order.broker_order_id:
        return _of_state(state)
    if order.protected:
        return "a market-protected order follows the price by itself"
    if order.to_market:
        return "it is on its way to the market"
    if order.change_state == ChangeState.ASKED:
        return "a change of it is not decided yet"
    if book_state != "OPEN":
        return f"its book is {book_state.lower()}"
    return ""


def why_not_modify(order: Workable, book_state: str) -> str:
    """Why this order may not be modified now; empty when it may."""
    if why := why_fixed(order, book_state):
        return why
    if order.change_state in CHANGE_IN_DOUBT:
        return "an earlier change may still come true: cancel it, or send it to the market"
    return ""


def _of_state(state: OrderState) -> str:
    if state is OrderState.INITIALIZED:
        return "it was not sent yet"
    if state is OrderState.PENDING_CANCEL:
        return "it is being cancelled"
    if state in (OrderState.SUBMITTED, OrderState.UNKNOWN, OrderState.QUEUED):
        return "the broker has not shown it yet"
    return "it is finished"


def faults(
    now: Terms,
    wanted: Terms,
    *,
    action: str,
    price_type: str,
    filled_units: int,
    lot_units: int,
    freeze_units: int | None,
    tick: Decimal,
    is_linked: bool,
) -> dict[str, str]:
    """What forbids these terms, by field; the exchange's range is another matter.

    `is_linked`: a hedge or what waits for one: its quantity belongs to a structure.
    """
    found: dict[str, str] = {}
    for name, old, new, types in (
        ("price", now.price, wanted.price, PRICED),
        ("trigger_price", now.trigger, wanted.trigger, TRIGGERED),
    ):
        if price_type not in types:
            if new != old:
                found[name] = f"{price_type} takes no {name.replace('_', ' ')}"
        elif new <= 0:
            found[name] = f"{price_type} needs a {name.replace('_', ' ')} above 0"
        elif not on_tick(new, tick):
            found[name] = f"not on the tick of {tick}"
    if price_type == "SL" and not found and (said := side_fault(action, wanted.price, wanted.trigger)):
        found["price"] = said
    if wanted.units != now.units and (said := _units_fault(wanted.units, filled_units, lot_units, freeze_units, is_linked)):
        found["units"] = said
    return found


def side_fault(action: str, price: Decimal, trigger: Decimal) -> str:
    """A stop's limit must lie where it fills once triggered."""
    if (price < trigger) if action == "BUY" else (price > trigger):
        return f"a stop to {action} fills at or {'above' if action == 'BUY' else 'below'} its trigger"
    return ""


def met_fault(action: str, trigger: Decimal, last: Decimal) -> str:
    """A trigger that the market has met already is no stop: it would go out at once."""
    if (trigger <= last) if action == "BUY" else (trigger >= last):
        side = "above" if action == "BUY" else "below"
        return f"the last price {last} has met this trigger already: a stop to {action} waits {side} it"
    return ""


def _units_fault(units: int, filled: int, lot: int, freeze: int | None, is_linked: bool) -> str:
    if is_linked:
        return "its quantity belongs to a hedged structure: change the price, or close and enter anew"
    if units <= 0 or units % lot:
        return f"not whole lots of {lot}"
    if units <= filled:
        return f"{filled} units are filled already: cancel the rest instead"
    if freeze is not None and units > freeze:
        return f"above the freeze quantity of {freeze} an order"
    return ""


# --- what the order book says of a change --------------------------------------------------------


def shows(now: Terms, asked: Terms, row: Terms) -> bool:
    """The book's row has everything that was to change as it was asked; of the rest books differ in what they show."""
    pairs = ((now.units, asked.units, row.units), (now.price, asked.price, row.price), (now.trigger, asked.trigger, row.trigger))
    return now != asked and all(shown == new for old, new, shown in pairs if old != new)


def as_shown(now: Terms, asked: Terms, row: Terms) -> Terms:
    """Where the book shows something between the two: what it shows, for units only what we had or asked.

    A price that it does not show at all stays ours.
    """
    units = row.units if row.units in (now.units, asked.units) else max(now.units, asked.units)
    return Terms(
        units if asked.units != now.units else now.units,
        row.price if asked.price != now.price and row.price else now.price,
        row.trigger if asked.trigger != now.trigger and row.trigger else now.trigger,
    )
