"""What the rooms above would do, small enough to see through: a halted account takes no entries, the rest is written down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal

from algomirror.kernel.errors import Denied
from trading.models import Order

halted: dict[int, list[str]] = {}
changed: list[int] = []
gate: Callable[[Order], None] | None = None

NAMES = {
    "entry_gate": "tests.trading.hooks.entry_gate",
    "change_gate": "tests.trading.hooks.change_gate",
    "halt_account": "tests.trading.hooks.halt_account",
    "is_halted": "tests.trading.hooks.is_halted",
    "books_changed": "tests.trading.hooks.books_changed",
    "account_in_use": "trading.selectors.account_in_use",
    "books_forgotten": "trading.services.poll.forget",
}


def reset() -> None:
    global gate
    halted.clear()
    changed.clear()
    gate = None


def entry_gate(order: Order) -> None:
    if order.account_id in halted:
        raise Denied("HALTED", "the account is halted")
    if gate is not None:
        gate(order)


def change_gate(order: Order, units: int, price: Decimal, trigger: Decimal) -> None:
    entry_gate(order)


def halt_account(account_id: int, *, why: str, by: str) -> None:
    halted.setdefault(account_id, []).append(f"{by}: {why}")


def is_halted(account_id: int) -> bool:
    return account_id in halted


def books_changed(book_ids: Iterable[int]) -> None:
    changed.extend(book_ids)
