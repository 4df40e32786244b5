"""What state a run is in, derived from its books; never remembered from what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BookFacts:
    """One book of a run. `is_over`: nothing open, nothing that may still fill, no goal."""

    state: str
    has_entries_pending: bool
    has_open_goal: bool
    has_stuck_goal: bool
    is_over: bool
    owns_something: bool = False


def next_state(present: str, books: Sequence[BookFacts]) -> str:
    """CLOSED when every book is over; STUCK while a person is needed; EXITING when all that is left leaves."""
    if present == "CLOSED" or not books:
        return present
    live = [book for book in books if not book.is_over]
    if not live:
        return "CLOSED"
    if any(book.state == "FROZEN" or book.has_stuck_goal for book in live):
        return "STUCK"
    if all(book.has_open_goal or book.state == "EXITING" for book in live):
        return "EXITING"
    if any(book.has_entries_pending for book in live):
        return "ENTERING"
    return "OPEN"
