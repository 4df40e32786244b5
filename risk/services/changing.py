"""The gate's look at a change of a working order: who may trade is asked again; what is added is judged like a new entry."""

from __future__ import annotations

from decimal import Decimal

from algomirror.kernel import clock
from algomirror.kernel.errors import Denied, Refused
from marketdata import quotes
from marketdata.models import Instrument
from risk.domain.pretrade import Code, Denial, LineFacts
from risk.domain.sizing import Part, is_option_buying, requirement
from risk.services import gate, margins, reserving
from trading.models import Order


def permit_change(order: Order, units: int, price: Decimal, trigger: Decimal) -> None:
    """Raise Denied unless this working order may be given these terms. Reads stored facts only; outside any transaction."""
    gate.recheck(order)
    if units <= order.units:
        return
    now = clock.now()
    row = Instrument.objects.filter(exchange=order.exchange, symbol=order.symbol).first()
    quote = quotes.fresh([order.key], now).get(order.key)
    added = units - order.units
    line = LineFacts(
        leg=order.leg,
        symbol=order.symbol,
        is_listed=row is not None,
        expiry=None if row is None else row.expiry,
        today=clock.today(),
        units=added,
        lot_units=order.lot_units,
        tick=order.tick,
        price_type=order.price_type,
        price=price,
        trigger_price=trigger,
        quote_is_fresh=quote is not None,
        has_unacknowledged=False,
        reference=None if quote is None else quote.deciding_price,
        exchange=order.exchange,
        product=order.product,
    )
    denials = gate.check_plan(
        accounts=[order.account],
        mode=order.book.mode,
        lines={order.account_id: [line]},
        exchanges=[order.exchange],
        now=now,
        with_books=False,
    )
    gate.refuse(denials or _margin(order, row, added, price))


def _margin(order: Order, row: Instrument | None, added: int, price: Decimal) -> list[Denial]:
    """What our table wants for the added lots, against what is free."""
    if row is None or row.expiry is None or row.kind not in ("CE", "PE", "FUT"):
        return [Denial(Code.TERMS_UNKNOWN, f"{order.symbol}: its terms are not known.", account_id=order.account_id)]
    part = Part(
        underlying=row.underlying,
        kind="CE" if row.kind == "CE" else "PE" if row.kind == "PE" else "FUT",
        action="BUY" if order.action == "BUY" else "SELL",
        lots=added // order.lot_units,
        lot_units=order.lot_units,
        ask=price or order.trigger_price or None,
        is_expiry=row.expiry == clock.today(),
        freeze_units=order.freeze_units,
    )
    try:
        needed = requirement([part], margins.table()).rupees
    except Refused as refused:
        raise Denied(Code.MARGIN_UNKNOWN, refused.message) from refused
    return reserving.check({order.account_id: needed}, buys_only=is_option_buying([part]))
