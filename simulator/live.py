"""A real broker's manners: transit states, partial fills, late rejections, SPAN-like margin."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from simulator.broker import Broker
from simulator.instruments import Contract
from simulator.margins import need
from simulator.market import Quote
from simulator.orders import CANCELLED, FINAL, OPEN, TRIGGER_PENDING, ZERO, Order, OrderRequest, Position, Refused, money

TRANSIT = ("put order req received", "validation pending", "open pending")
UNKNOWN_INSTRUMENT = "The instrument you are placing an order for has either expired or does not exist."
BEING_PROCESSED = "Order cannot be cancelled as it is being processed. Try later."
MARKET_REFUSED = "Market orders through API are not allowed. Place a limit order with market protection."
CLOSED = "Your order could not be processed. Markets are closed right now."


class LiveBroker(Broker):
    """Accepts first and judges later: an id is no promise, and a fill comes in pieces."""

    def _order_id(self, now: datetime) -> str:
        number = len(self.orders) + 1
        while (orderid := f"{now:%y%m%d}19{number:07d}") in self.orders:
            number += 1
        return orderid

    def _admit(self, request: OrderRequest) -> Contract | None:
        contract = self.market.find(request.exchange, request.symbol)
        if contract is None or contract.kind == "INDEX":
            raise Refused(UNKNOWN_INSTRUMENT)
        if self.options.refuse_market and request.pricetype == "MARKET" and request.origin == "api":
            raise Refused(MARKET_REFUSED)
        if not self.market.is_open() and request.origin != "broker":
            raise Refused(CLOSED)
        required = self._required(request, contract)
        available = self.funds()["available"]
        if required > available:
            raise Refused(f"Insufficient funds. Required margin is {required:.2f} but available margin is {available:.2f}.")
        return contract

    def _required(self, request: OrderRequest, contract: Contract) -> Decimal:
        opening = self.excess(request, request.quantity)
        price = request.price or request.trigger or money(self._quote(request).ltp)
        signed = opening if request.action == "BUY" else -opening
        return need(self.market, contract, signed, price, request.product).total

    def _accept(self, order: Order) -> None:
        contract = self.market.find(order.request.exchange, order.request.symbol)
        order.status = TRANSIT[0]
        order.ready_at = order.placed_at + timedelta(seconds=self.options.transit_s)
        reason = self._late_judgement(order, contract)
        if reason and order.reject_at is None:
            order.reject_at, order.reject_reason = order.ready_at, reason
        self.add(order)
        self.tell(order)
        self.settle()

    def _late_judgement(self, order: Order, contract: Contract | None) -> str:
        return _rules(contract, order.quantity, order.pricetype, order.price, order.trigger)

    def settle(self) -> None:
        super().settle()
        now = self.clock.now()
        for order in list(self.working.values()):
            if order.status in TRANSIT:
                self._through_transit(order, now)

    def _through_transit(self, order: Order, now: datetime) -> None:
        ready = order.ready_at or order.placed_at
        if now >= ready:
            order.status = TRIGGER_PENDING if order.pricetype in ("SL", "SL-M") else OPEN
            order.ready_at = None
            self.version += 1
            self.tell(order)
            return
        total = (ready - order.placed_at).total_seconds()
        elapsed = (now - order.placed_at).total_seconds()
        order.status = TRANSIT[min(int(elapsed / total * len(TRANSIT)), len(TRANSIT) - 1)]

    def _match(self, order: Order, quote: Quote) -> None:
        if order.status in TRANSIT:
            return
        last = money(quote.ltp)
        if order.status == TRIGGER_PENDING:
            if not (last >= order.trigger if order.is_buy else last <= order.trigger):
                return
            order.status = OPEN
            self.version += 1
            self.tell(order)
        touch = money(quote.ask if order.is_buy else quote.bid) or last
        if order.pricetype in ("LIMIT", "SL") and not (touch <= order.price if order.is_buy else touch >= order.price):
            return
        self._fill(order, min(self._slice(order), order.fillable(self.clock.now())), touch)

    def _slice(self, order: Order) -> int:
        contract = self.market.find(order.request.exchange, order.request.symbol)
        lot = contract.lot if contract is not None else 1
        lots = -(-order.quantity // lot)
        return -(-lots // self.options.slices) * lot

    def _move_margin(self, order: Order, position: Position, quantity: int) -> None:
        """Nothing to move: `funds` computes margin from what is held and working."""

    def modify(self, orderid: str, change: OrderRequest) -> None:
        order = self.order(orderid)
        if order is None or order.status in FINAL:
            raise Refused("Failed to modify order: Order cannot be modified as it is being processed. Try later.", 500)
        contract = self.market.find(order.request.exchange, order.request.symbol)
        reason = _rules(contract, change.quantity, change.pricetype, change.price, change.trigger)
        if reason:
            raise Refused(f"Failed to modify order: {reason}", 400)
        self._amend(order, change.quantity)
        order.pricetype = change.pricetype
        order.price = change.price if change.pricetype in ("LIMIT", "SL") else ZERO
        order.trigger = change.trigger if change.pricetype in ("SL", "SL-M") else ZERO
        if order.status in (OPEN, TRIGGER_PENDING) and not order.filled:
            order.status = TRIGGER_PENDING if change.pricetype in ("SL", "SL-M") else OPEN
        self.version += 1
        self.tell(order)

    def cancel(self, orderid: str) -> None:
        order = self.order(orderid)
        if order is None or order.status in FINAL:
            raise Refused(f"Failed to cancel order: {BEING_PROCESSED}", 500)
        self._finish(order, CANCELLED, "")

    def funds(self) -> dict[str, Decimal]:
        used = ZERO
        for p in self.open_positions():
            contract = self.market.find(p.exchange, p.symbol)
            if contract is not None:
                used += need(self.market, contract, p.quantity, p.average, p.product).total
        for order in self.working.values():
            contract = self.market.find(order.request.exchange, order.request.symbol)
            if contract is None:
                continue
            units = self.excess(order.request, order.pending)
            price = order.price or order.trigger or order.reference
            used += need(self.market, contract, units if order.is_buy else -units, price, order.request.product).total
        realised = self.realised_today()
        return {
            "available": self.options.capital + self.realised_total - used,
            "used": used,
            "collateral": ZERO,
            "unrealised": self.unrealised(),
            "realised_today": realised,
            "realised_total": self.realised_total,
        }


def _rules(contract: Contract | None, quantity: int, pricetype: str, price: Decimal, trigger: Decimal) -> str:
    """What the broker's risk desk has against these terms; empty when nothing."""
    if contract is None:
        return ""
    if contract.freeze is not None and quantity > contract.freeze:
        return f"RMS:Rule: Check freeze quantity, order quantity {quantity} exceeds {contract.freeze}"
    if quantity % contract.lot:
        return f"RMS:Rule: quantity is not a multiple of the lot size {contract.lot}"
    if pricetype in ("LIMIT", "SL") and price <= 0:
        return "RMS:Rule: limit price is missing"
    if price % money(contract.tick) or trigger % money(contract.tick):
        return f"RMS:Rule: price is not a multiple of the tick size {contract.tick}"
    return ""
