"""The analyzer's paper broker: whole fills, premium-style margin, no freeze, tick or hours check but MIS."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from simulator.broker import Broker
from simulator.instruments import Contract
from simulator.market import Quote
from simulator.orders import (
    CANCELLED,
    FINAL,
    OPEN,
    REJECTED,
    TRIGGER_PENDING,
    ZERO,
    Order,
    OrderEvent,
    OrderRequest,
    Position,
    Refused,
    money,
)
from simulator.sessions import mis_allowed

LOT_CHECKED = frozenset({"NFO", "BFO", "CDS", "BCD", "MCX", "NCDEX", "CRYPTO"})
CASH = frozenset({"NSE", "BSE"})
MIS_CLOSED = "MIS orders cannot be placed after square-off time (15:15 IST). Trading resumes at 09:00 AM IST."


class SandboxBroker(Broker):
    """Fills at once where it can; a resting limit fills at its limit however far the market gapped."""

    _unrealised_seen = ZERO

    def _order_id(self, now: datetime) -> str:
        while True:
            micros = now.microsecond if now.microsecond else self.rng.randrange(1_000_000)
            orderid = f"{now:%y%m%d}{micros:06d}{self.rng.randrange(100):02d}"
            if orderid not in self.orders:
                return orderid
            now = now.replace(microsecond=self.rng.randrange(1_000_000))

    def _admit(self, request: OrderRequest) -> Contract | None:
        _check_product(request)
        _check_prices(request)
        contract = self.market.find(request.exchange, request.symbol)
        if contract is None:
            raise Refused(f"Symbol {request.symbol} not found on {request.exchange}")
        _check_lot(request.quantity, contract)
        self._check_mis(request)
        self._check_delivery(request)
        self._check_funds(request)
        return contract

    def _check_mis(self, request: OrderRequest) -> None:
        if request.product != "MIS" or self.market.always_open or mis_allowed(self.clock.now()):
            return
        if self.excess(request, request.quantity) > 0:
            raise Refused(MIS_CLOSED)

    def _check_delivery(self, request: OrderRequest) -> None:
        if request.product != "CNC" or request.action != "SELL":
            return
        if self.position_quantity(request.exchange, request.symbol, "CNC") >= request.quantity:
            return
        reason = (
            f"Cannot sell {request.symbol} in CNC. No positions or holdings available. "
            "CNC (delivery) requires existing shares. Use MIS for intraday short selling."
        )
        now = self.clock.now()
        order = Order(
            orderid=self._order_id(now),
            request=request,
            quantity=request.quantity,
            price=request.price,
            trigger=request.trigger,
            pricetype=request.pricetype,
            status=REJECTED,
            placed_at=now,
            reference=self._last_of(request),
            reason=reason,
        )
        self.add(order)
        self.tell(order)
        raise Refused(reason, orderid=order.orderid)

    def _check_funds(self, request: OrderRequest) -> None:
        required = self._blocked(request, request.quantity)
        available = self.funds()["available"]
        if required > available:
            raise Refused(
                f"Insufficient funds. Required: ₹{float(round(required, 2))}, "
                f"Available: ₹{float(round(available, 2))}, Shortage: ₹{float(round(required - available, 2))}"
            )

    def _blocked(self, request: OrderRequest, quantity: int) -> Decimal:
        """Quantity x price / leverage over the part that opens exposure."""
        opening = self.excess(request, quantity)
        if request.pricetype == "MARKET":
            price = self._last_of(request)
        else:
            price = request.price if request.pricetype == "LIMIT" else request.trigger
        return price * opening / self._leverage(request)

    def _leverage(self, request: OrderRequest) -> int:
        if request.exchange in CASH:
            return 5 if request.product == "MIS" else 1
        return 10 if request.symbol.endswith("FUT") else 1

    def _accept(self, order: Order) -> None:
        order.margin = self._blocked(order.request, order.quantity)
        quote = self._quote(order.request)
        if order.pricetype in ("SL", "SL-M"):
            order.status = OPEN if _triggered(order, quote) else TRIGGER_PENDING
        self.add(order)
        self.tell(order)
        price = self._arrival_price(order, quote)
        if price is not None:
            self._fill(order, order.fillable(self.clock.now()), price)

    def _arrival_price(self, order: Order, quote: Quote) -> Decimal | None:
        """MARKET at the touch; a marketable LIMIT or met stop at the last price; else None."""
        last = money(quote.ltp)
        if order.pricetype == "MARKET":
            touch = quote.ask if order.is_buy else quote.bid
            return money(touch) if touch else last
        if order.status == TRIGGER_PENDING:
            return None
        if order.pricetype == "SL-M":
            return last
        return last if _satisfied(order, last) else None

    def _match(self, order: Order, quote: Quote) -> None:
        units = order.fillable(self.clock.now())
        last = money(quote.ltp)
        if order.status == TRIGGER_PENDING:
            if _triggered(order, quote):
                order.status = OPEN
                price = self._arrival_price(order, quote)
                if price is not None and units:
                    self._fill(order, units, price)
                else:
                    self.version += 1
                    self.tell(order)
        elif order.pricetype in ("MARKET", "SL-M"):
            price = self._arrival_price(order, quote)
            if price is not None:
                self._fill(order, units, price)
        elif order.pricetype == "SL":
            # Seen on the server: a triggered SL fills only while trigger and limit both hold, at the last price.
            if _triggered(order, quote) and _satisfied(order, last):
                self._fill(order, units, last)
        elif _satisfied(order, last):
            self._fill(order, units, order.price)

    def _move_margin(self, order: Order, position: Position, quantity: int) -> None:
        signed = quantity if order.is_buy else -quantity
        closing = min(quantity, abs(position.quantity)) if position.quantity * signed < 0 else 0
        if closing:
            position.margin -= position.margin * closing / abs(position.quantity)
        share = order.margin * quantity / (order.pending + quantity)
        order.margin -= share
        # Seen on the server: a reversal keeps only the opening fraction of what it blocked.
        position.margin += share * (quantity - closing) / quantity

    def modify(self, orderid: str, change: OrderRequest) -> None:
        order = self._working("modify", orderid)
        contract = self.market.find(order.request.exchange, order.request.symbol)
        if contract is not None:
            _check_lot(change.quantity, contract)
        if order.pricetype in ("MARKET", "SL-M") and change.price:
            raise Refused(f"{order.pricetype} orders do not accept a price")
        if order.pricetype in ("MARKET", "LIMIT") and change.trigger:
            raise Refused(f"{order.pricetype} orders do not accept a trigger price")
        # The type is silently kept and the blocked margin untouched, as on the server.
        self._amend(order, change.quantity)
        order.price = change.price or order.price
        order.trigger = change.trigger or order.trigger
        self.version += 1

    def cancel(self, orderid: str) -> None:
        self._finish(self._working("cancel", orderid), CANCELLED, "")

    def _working(self, verb: str, orderid: str) -> Order:
        order = self.order(orderid)
        if order is None:
            raise Refused(f"Order {orderid} not found", 404)
        if order.status in FINAL:
            raise Refused(f"Cannot {verb} order in {order.status} status")
        return order

    def on_tick(self) -> None:
        super().on_tick()
        if self.open_positions():
            self.mark()

    def mark(self) -> None:
        """Refresh the unrealised figure /funds shows; after going flat it stays stale until this is called."""
        self._unrealised_seen = self.unrealised()

    def funds(self) -> dict[str, Decimal]:
        if self.open_positions():
            self.mark()
        held = [p.margin for p in self.positions.values()] + [o.margin for o in self.working.values()]
        used = sum(held, ZERO)
        return {
            "available": self.options.capital + self.realised_total - used,
            "used": used,
            "collateral": ZERO,
            "unrealised": self._unrealised_seen,
            "realised_today": self.realised_today(),
            "realised_total": self.realised_total,
        }

    def _event(self, order: Order) -> OrderEvent:
        r = order.request
        price = order.reference if order.pricetype == "MARKET" else order.price
        return OrderEvent(
            orderid=order.orderid,
            symbol=r.symbol,
            exchange=r.exchange,
            action=r.action,
            quantity=order.quantity,
            price=order.last_fill if order.filled else price,
            trigger=order.trigger,
            pricetype=order.pricetype,
            product=r.product,
            status=order.status,
            filled=order.filled,
            # Zero even while resting: seen on the server.
            pending=order.pending if order.filled else 0,
            average=order.average,
            reason=order.reason,
        )


def _check_product(request: OrderRequest) -> None:
    if request.exchange in CASH and request.product == "NRML":
        raise Refused(
            f"NRML product not allowed for {request.exchange} equity segment. Use CNC for delivery or MIS for intraday."
        )
    if request.exchange in LOT_CHECKED and request.product == "CNC":
        raise Refused(
            f"CNC product not allowed for {request.exchange} derivatives segment. Use NRML for carryforward or MIS for intraday."
        )


def _check_prices(request: OrderRequest) -> None:
    if request.pricetype in ("LIMIT", "SL") and not request.price:
        raise Refused(f"{request.pricetype} orders require price")
    if request.pricetype in ("SL", "SL-M") and not request.trigger:
        raise Refused(f"{request.pricetype} orders require trigger_price")


def _check_lot(quantity: int, contract: Contract) -> None:
    if contract.exchange in LOT_CHECKED and quantity % contract.lot:
        raise Refused(f"Quantity must be in multiples of lot size {contract.lot}")


def _triggered(order: Order, quote: Quote) -> bool:
    last = money(quote.ltp)
    return last >= order.trigger if order.is_buy else last <= order.trigger


def _satisfied(order: Order, last: Decimal) -> bool:
    return last <= order.price if order.is_buy else last >= order.price
