"""States of an order and the only moves between them."""

from __future__ import annotations

from enum import StrEnum

from algomirror.kernel.errors import IllegalMove


class Purpose(StrEnum):
    ENTRY = "ENTRY"
    HEDGE = "HEDGE"
    EXIT = "EXIT"
    UNWIND = "UNWIND"


ENTRIES = frozenset({Purpose.ENTRY, Purpose.HEDGE})
EXITS = frozenset({Purpose.EXIT, Purpose.UNWIND})


class OrderState(StrEnum):
    INITIALIZED = "INITIALIZED"
    DENIED = "DENIED"
    SUBMITTED = "SUBMITTED"
    UNKNOWN = "UNKNOWN"
    QUEUED = "QUEUED"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    LAPSED = "LAPSED"


class ChangeState(StrEnum):
    """What became of a modify. REFUSED: surely nothing. UNSURE: nothing was seen of it, but it may still come true."""

    ASKED = "ASKED"
    DONE = "DONE"
    REFUSED = "REFUSED"
    UNSURE = "UNSURE"


# A modify that may still take hold of the order at the broker.
CHANGE_IN_DOUBT = frozenset({ChangeState.ASKED, ChangeState.UNSURE})

S = OrderState
_TURNED_UP = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED, S.PENDING_CANCEL, S.CANCELED, S.REJECTED})

MOVES: dict[OrderState, frozenset[OrderState]] = {
    S.INITIALIZED: frozenset({S.DENIED, S.SUBMITTED}),
    # INITIALIZED again: proven not sent (429, no connection), may be tried once more.
    S.SUBMITTED: _TURNED_UP - {S.PENDING_CANCEL} | {S.UNKNOWN, S.QUEUED, S.INITIALIZED},
    S.UNKNOWN: _TURNED_UP - {S.PENDING_CANCEL} | {S.LAPSED},
    S.QUEUED: _TURNED_UP - {S.PENDING_CANCEL} | {S.UNKNOWN},
    S.ACCEPTED: frozenset({S.PARTIALLY_FILLED, S.FILLED, S.PENDING_CANCEL, S.CANCELED, S.REJECTED}),
    S.PARTIALLY_FILLED: frozenset({S.PARTIALLY_FILLED, S.FILLED, S.PENDING_CANCEL, S.CANCELED}),
    S.PENDING_CANCEL: frozenset({S.PENDING_CANCEL, S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED, S.CANCELED, S.REJECTED}),
    # Late truths: legal, labelled, alarmed.
    S.CANCELED: frozenset({S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED}),
    S.REJECTED: frozenset({S.ACCEPTED, S.PARTIALLY_FILLED, S.FILLED}),
    S.LAPSED: _TURNED_UP,
    S.DENIED: frozenset(),
    S.FILLED: frozenset(),
}

# Sent, and the broker's order not yet known.
UNACKNOWLEDGED = frozenset({S.SUBMITTED, S.UNKNOWN, S.QUEUED})
WORKING = frozenset({S.ACCEPTED, S.PARTIALLY_FILLED, S.PENDING_CANCEL})
# May still fill as far as we know; LAPSED may too, which is why an exit after it needs fresh position evidence.
LIVE_STATES = UNACKNOWLEDGED | WORKING
# Those, and what was not sent yet.
UNFINISHED = LIVE_STATES | {S.INITIALIZED}
FINAL = frozenset({S.DENIED, S.FILLED, S.CANCELED, S.REJECTED, S.LAPSED})


def is_late_truth(old: OrderState, new: OrderState) -> bool:
    return old in {S.CANCELED, S.REJECTED, S.LAPSED} and new != old


def check_move(old: OrderState, new: OrderState) -> None:
    """Raise IllegalMove unless the table allows it; standing still is no move and is allowed."""
    if old != new and new not in MOVES[old]:
        raise IllegalMove(f"an order may not go from {old} to {new}")
