"""Changing the price, trigger or quantity of an order that works at the broker."""

from __future__ import annotations

from decimal import Decimal

from accounts.gateway.directory import gateway_for
from accounts.gateway.reports import OrderReply, Verdict
from algomirror.kernel import clock
from algomirror.kernel.errors import Conflict, Refused
from algomirror.ops import hooks
from marketdata import quotes
from trading.domain.changes import TRIGGERED, Terms, faults, met_fault, why_not_modify
from trading.domain.orders import ChangeState, Purpose
from trading.domain.prices import range_faults
from trading.models import ExitGoal, Order
from trading.services import apply, halt, submit, terms, wake

NOT_CHANGED = "The order was not changed."


def request(
    order_id: int,
    *,
    by: str,
    units: int | None = None,
    price: Decimal | None = None,
    trigger_price: Decimal | None = None,
) -> Order:
    """Ask the broker for other terms; what is None stays. Returns the order as it stands then. Outside any transaction.

    The answer decides nothing: `change_state` is ASKED until the order book shows the new terms, or does not show them for
    long enough. The same wish again is no second request. Raises Refused with fields, or Denied by the gate.
    """
    order = _get(order_id)
    now = terms.of(order)
    wanted = Terms(
        now.units if units is None else units,
        now.price if price is None else price,
        now.trigger if trigger_price is None else trigger_price,
    )
    if order.change_state == ChangeState.ASKED and wanted == terms.asked(order):
        return order
    if why := why_not_modify(order, order.book.state) or _why_closing(order):
        raise Refused(f"{NOT_CHANGED} {order.symbol}: {why}.", fields={"order": why})
    if wanted == now:
        return order
    _judge(order, now, wanted)
    if not terms.ask(order, wanted, by=by):
        raise Conflict(f"{NOT_CHANGED} {order.symbol} moved on meanwhile: look again.")
    started = clock.monotonic()
    _send(order, wanted, started)
    wake.wake([order.account_id])
    apply.after(order.book_id)
    return _get(order_id)


def _get(order_id: int) -> Order:
    order = Order.objects.select_related("book__run", "account").filter(pk=order_id).first()
    if order is None:
        raise Refused("There is no such order.", fields={"order": "unknown"})
    return order


def _why_closing(order: Order) -> str:
    """An exit of this instrument cancels the order anyway."""
    key = f"{order.exchange}:{order.symbol}:{order.product}"
    goals = ExitGoal.objects.filter(book_id=order.book_id).exclude(state=ExitGoal.State.DONE)
    closing = any(targets is None or key in targets for targets in goals.values_list("targets", flat=True))
    return "its position is being closed" if closing else ""


def _judge(order: Order, now: Terms, wanted: Terms) -> None:
    """Raise unless these terms may be asked. Whatever does more than lower the quantity passes the gate like a new entry."""
    found = faults(
        now,
        wanted,
        action=order.action,
        price_type=order.price_type,
        filled_units=order.filled_units,
        lot_units=order.lot_units,
        freeze_units=order.freeze_units,
        tick=order.tick,
        is_linked=bool(order.hedge_legs) or order.purpose == Purpose.HEDGE,
    )
    if found:
        raise Refused(NOT_CHANGED, fields=found)
    if wanted.units < now.units and (wanted.price, wanted.trigger) == (now.price, now.trigger):
        return
    if (wanted.price, wanted.trigger) != (now.price, now.trigger):
        _judge_prices(order, wanted)
    hooks.call("change_gate", order, wanted.units, wanted.price, wanted.trigger)


def _judge_prices(order: Order, wanted: Terms) -> None:
    quote = quotes.fresh([order.key], clock.now()).get(order.key)
    if quote is None:
        raise Refused(NOT_CHANGED, fields={"price": f"no fresh price of {order.symbol} to judge it by"})
    found = range_faults(
        price_type=order.price_type,
        price=wanted.price or None,
        trigger=wanted.trigger or None,
        reference=quote.deciding_price,
        tick=order.tick,
        exchange=order.exchange,
        symbol=order.symbol,
    )
    waits = order.price_type in TRIGGERED and wanted.trigger != order.trigger_price
    if waits and "trigger_price" not in found and (said := met_fault(order.action, wanted.trigger, quote.deciding_price)):
        found["trigger_price"] = said
    if found:
        raise Refused(NOT_CHANGED, fields=found)


def _send(order: Order, wanted: Terms, started: float) -> None:
    if clock.monotonic() - started > submit.STALE_SENDER_S:
        terms.withdraw(order.pk, why="the sender was held up")
        return
    _heard(order, gateway_for(order.account).modify(order.broker_order_id, submit.ticket_of(order, wanted)))


def _heard(order: Order, answer: OrderReply) -> None:
    if answer.verdict is Verdict.NOT_SENT:
        terms.withdraw(order.pk, why=answer.text)
        return
    terms.answer(order.pk, text=(answer.text or "refused") if answer.verdict is Verdict.REFUSED else "")
    if answer.verdict is Verdict.QUEUED:
        halt.account(order.account_id, why=f"{order}: the server queued its change for a person's approval")
    if answer.mode is not None and answer.mode != order.book.mode:
        halt.account(order.account_id, why=f"{order}: the server acted in {answer.mode}, the account is {order.book.mode}")
    if answer.broker_order_id and answer.broker_order_id != order.broker_order_id:
        why = (
            f"{order}: the change was answered under another id, {answer.broker_order_id}; which of them works, a person must see"
        )
        apply.freeze(order.book_id, kind="AMBIGUOUS", why=why)
