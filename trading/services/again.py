"""Who asks again for an order whose cancel had no effect, in the words of the alarm."""

from __future__ import annotations

from algomirror.kernel import clock
from trading.domain.orders import EXITS, Purpose
from trading.models import Book, ExitGoal, Order

BY_ITSELF = "the engine cancels it again by itself"
BY_HAND = "nothing cancels it by itself: cancel it again"
State = Book.State


def after_no_effect(order: Order) -> str:
    """Empty where nothing need be said: it follows its price, or a whole exit drives its book and says when it is stuck."""
    book = order.book
    if book.state in (State.EXITING, State.FLAT) or (order.follows_price and book.state == State.OPEN):
        return ""
    if book.state == State.FROZEN:
        return f"its book is frozen, {BY_HAND}"
    is_stray = Purpose(order.purpose) in EXITS or order.revived_at is not None
    is_too_late = book.entry_until is not None and clock.now() > book.entry_until
    return BY_ITSELF if is_stray or is_too_late or _is_being_closed(order) else BY_HAND


def _is_being_closed(order: Order) -> bool:
    """An open exit of its book has this instrument in scope."""
    key = f"{order.exchange}:{order.symbol}:{order.product}"
    goals = ExitGoal.objects.filter(book_id=order.book_id).exclude(state=ExitGoal.State.DONE)
    return any(targets is None or key in targets for targets in goals.values_list("targets", flat=True))
