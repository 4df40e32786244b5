"""After a restore: what the copy says may be older than what the brokers know. Nothing may be sent from memory."""

from __future__ import annotations

from django.db import transaction

from accounts.models import BrokerRead
from algomirror.kernel import clock
from algomirror.ops import alarms, journal
from algomirror.ops.models import Heartbeat, Lease
from risk.services import switch
from trading.domain.orders import OrderState
from trading.models import Order
from trading.services import apply

ACTOR = "command:restore"


def settle(*, taken_at: str) -> str:
    """Entries off everywhere, unsent orders denied, unanswered ones unknown, books to be read anew. Says what it did.

    An order that stood unsent in the copy may have been sent since: sending it from the copy could double a position.
    Exits are asked for again by their goals, sized from a fresh read.
    """
    why = f"restored from a copy of {taken_at}"
    switch.set_state(None, "REDUCING", by=ACTOR, why=f"{why}: compare the books, then release")
    denied = _move_all(OrderState.INITIALIZED, OrderState.DENIED, why)
    unknown = _move_all(OrderState.SUBMITTED, OrderState.UNKNOWN, why)
    with transaction.atomic():
        Lease.objects.update(expires=clock.now(), holder="")
        Heartbeat.objects.all().delete()
        BrokerRead.objects.update(finished_at=None, error=why[:300])
        journal.record("restored", actor=ACTOR, why=why, denied=denied, unknown=unknown)
    alarms.ring("RESTORED", f"The database was {why}. Entries are off until the owner releases.", denied=denied, unknown=unknown)
    return f"Entries are off until the owner releases; {denied} unsent orders denied, {unknown} marked unknown."


def _move_all(old: OrderState, new: OrderState, why: str) -> int:
    moved = 0
    for order in Order.objects.filter(state=old).select_related("book"):
        with transaction.atomic():
            moved += apply.move(order, new, why=why, actor=ACTOR)
        apply.after(order.book_id)
    return moved
