"""One intention, however many slices and attempts it took: the line above its broker orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from trading.domain.orders import EXITS, LIVE_STATES, OrderState, Purpose

S = OrderState
_DOUBT = (S.UNKNOWN, S.QUEUED)


class HasProgress(Protocol):
    @property
    def purpose(self) -> str: ...

    @property
    def state(self) -> str: ...

    @property
    def units(self) -> int: ...

    @property
    def filled(self) -> int: ...

    @property
    def attempt(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Progress:
    state: OrderState
    units: int
    filled: int


def parent_key(client_order_id: str) -> str:
    """What slices and attempts of one intention have in common: "r12-a1-l2"."""
    return client_order_id.rsplit("-s", 1)[0]


def progress(children: Sequence[HasProgress]) -> Progress:
    """Doubt first, then what still moves, then how it ended. `children` oldest first, at least one."""
    filled = sum(c.filled for c in children)
    units = _wanted(children, filled)
    states = [S(c.state) for c in children]
    live = [state for state in states if state in LIVE_STATES]
    for doubt in _DOUBT:
        if doubt in states:
            return Progress(doubt, units, filled)
    if filled >= units:
        return Progress(S.FILLED, units, filled)
    if live:
        return Progress(S.PARTIALLY_FILLED if filled else live[-1], units, filled)
    if S.INITIALIZED in states:
        return Progress(S.INITIALIZED, units, filled)
    return Progress(S.LAPSED if S.LAPSED in states else states[-1], units, filled)


def _wanted(children: Sequence[HasProgress], filled: int) -> int:
    """An entry wants what its first attempts asked; an exit what is filled and what is still asked for."""
    if Purpose(children[0].purpose) not in EXITS:
        return sum(c.units for c in children if c.attempt == 0) or sum(c.units for c in children)
    open_now = sum(max(c.units - c.filled, 0) for c in children if S(c.state) in LIVE_STATES or c.state == S.INITIALIZED)
    return filled + open_now or children[-1].units
