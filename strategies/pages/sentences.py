"""The journal of a run in plain sentences. A row of a kind we have no sentence for is still shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from algomirror.ops.models import Journal
from risk.domain.sentences import RULE_NAMES, rupees


@dataclass(frozen=True, slots=True)
class Said:
    at: datetime
    kind: str
    text: str
    actor: str
    is_decision: bool


DECISIONS = frozenset(
    {"run", "run.started", "run.exit_asked", "risk.tripped", "risk.blind", "exit.requested", "exit.done", "exit.stuck"}
    | {"kill.asked", "guard.armed", "limits.changed", "book.frozen", "book.thawed", "book.reducing", "book.settled"}
    | {"entries.stopped", "guard.paused", "guard.resumed"}
)

# The words that docs/WORDS.md gives the states of orders; others are their own words.
WORDS = {
    "INITIALIZED": "requested",
    "SUBMITTED": "sent",
    "UNKNOWN": "unknown, checking",
    "PARTIALLY_FILLED": "part filled",
    "PENDING_CANCEL": "cancelling",
    "CANCELED": "cancelled",
}


def said(row: Journal, accounts: Mapping[int, str]) -> Said:
    name = None if row.account_id is None else accounts.get(row.account_id)
    where = f"{name}: " if name else ""
    return Said(row.at, row.kind, f"{where}{_text(row)}", row.actor, row.kind in DECISIONS)


def _text(row: Journal) -> str:
    numbers = row.numbers
    match row.kind:
        case "run.started":
            return f"Started {row.why}: {numbers.get('orders')} orders on {len(numbers.get('accounts', []))} accounts."
        case "run":
            why = f": {row.why}" if row.why else ""
            return f"Run {_words(row.moved_from)} → {_words(row.moved_to)}{why}."
        case "fill":
            price = _rupees(numbers.get("price"))
            return f"{numbers.get('action')} {numbers.get('units')} {numbers.get('symbol')} filled at {price}."
        case "risk.tripped" | "risk.blind":
            return row.why
        case "guard.armed":
            name = RULE_NAMES.get(row.subject, row.subject)
            if numbers.get("level") is None:
                return f"{name} armed."
            return f"{name} armed at {_rupees(numbers.get('level'))} (P&L {_rupees(numbers.get('value'))})."
        case "guard.paused":
            name, until = RULE_NAMES.get(row.subject, row.subject), datetime.fromisoformat(str(numbers.get("until")))
            return f"{row.actor} paused {name} for {(until - row.at).total_seconds() / 60:.0f} minutes: {row.why}."
        case "guard.resumed":
            return f"{row.actor} let {RULE_NAMES.get(row.subject, row.subject)} act again{': ' + row.why if row.why else ''}."
        case "entries.stopped":
            return f"{row.actor} stopped the entries of {len(numbers.get('books', []))} accounts."
        case "book.settled":
            what, worth = f"{numbers.get('units')} units of {numbers.get('symbol')}", _rupees(numbers.get("price"))
            return f"Expired: {what} settled at {worth}, the index closed at {numbers.get('index')}; provisional."
        case "settlement.confirmed":
            return f"Settlement confirmed: {row.why}."
        case "exit.requested":
            return f"Exit asked by {row.actor}: {RULE_NAMES.get(row.subject, row.subject)}."
        case "exit.order":
            price, rung = _rupees(numbers.get("price")), numbers.get("rung")
            return f"Exit order {numbers.get('action')} {numbers.get('units')} {numbers.get('symbol')} at {price} (rung {rung})."
        case "exit.done":
            return f"Flat, confirmed by fills, {numbers.get('seconds')} s after it was asked."
        case "exit.stuck":
            return f"Exit is stuck after {numbers.get('waited_s')} s and goes on; a person is needed."
        case "run.exit_asked":
            return f"{row.actor} asked for the exit: {row.why}."
        case "limits.changed":
            loss, profit = numbers.get("max_loss", {}), numbers.get("max_profit", {})
            return f"{row.actor} changed limits: max loss {_change(loss)}, max profit {_change(profit)}. {row.why}".strip()
        case "order" | "order.late":
            late = "late truth: " if row.kind == "order.late" else ""
            why = f" ({row.why})" if row.why else ""
            return f"{late}{row.subject} {_words(row.moved_from)} → {_words(row.moved_to)}{why}"
    moved = f" {_words(row.moved_from)} → {_words(row.moved_to)}" if row.moved_to else ""
    return f"{row.kind.replace('.', ' ').replace('_', ' ')}{moved}{': ' + row.why if row.why else ''}"


def _words(state: str) -> str:
    return WORDS.get(state, state.lower().replace("_", " "))


def _rupees(value: object) -> str:
    try:
        return rupees(Decimal(str(value)))
    except InvalidOperation:
        return "–"


def _change(pair: Mapping[str, object]) -> str:
    def word(value: object) -> str:
        return "off" if value is None else _rupees(value)

    before, after = word(pair.get("from")), word(pair.get("to"))
    return before if before == after else f"{before} → {after}"
