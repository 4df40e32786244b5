"""The broker behind one account: books, fills and funds. Pure and synchronous; time and prices are given."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from simulator.clock import SimClock
from simulator.gtt import Gtt
from simulator.instruments import Contract
from simulator.market import Market, Quote
from simulator.orders import (
    CANCELLED,
    COMPLETE,
    FINAL,
    NO_TWEAKS,
    OPEN,
    REJECTED,
    ZERO,
    Options,
    Order,
    OrderEvent,
    OrderRequest,
    Position,
    Refused,
    Trade,
    Tweaks,
    freeze,
    money,
    thaw,
    thaw_order,
)
from simulator.sessions import books_since, mis_allowed

SQUARE_OFF = "AUTO_SQUARE_OFF"


class Broker(ABC):
    """Common life of orders; the two profiles differ in admission, matching, margin and ids."""

    def __init__(self, market: Market, seed: str, options: Options | None = None) -> None:
        self.market = market
        self.options = options or Options()
        self.rng = random.Random(seed)
        self.orders: dict[str, Order] = {}
        self.working: dict[str, Order] = {}
        self.trades: list[Trade] = []
        self.positions: dict[tuple[str, str, str], Position] = {}
        self.gtts: dict[str, Gtt] = {}
        self.realised_total = ZERO
        self.started_at = self.clock.now()
        self.version = 0
        self.listener: Callable[[OrderEvent], None] = lambda event: None
        self._day = self._books_since()
        self._mis_was_allowed = mis_allowed(self.clock.now())

    @property
    def clock(self) -> SimClock:
        return self.market.clock

    def _books_since(self) -> datetime:
        return books_since(self.clock.now(), self.options.books_roll_at)

    # -- orders ---------------------------------------------------------------------------------------------

    def place(self, request: OrderRequest, tweaks: Tweaks = NO_TWEAKS) -> str:
        """Accept an order and return its id. Raises Refused."""
        self.settle()
        contract = self._admit(request)
        now = self.clock.now()
        order = Order(
            orderid=self._order_id(now),
            request=request,
            quantity=request.quantity,
            price=request.price if request.pricetype in ("LIMIT", "SL") else ZERO,
            trigger=request.trigger if request.pricetype in ("SL", "SL-M") else ZERO,
            pricetype=request.pricetype,
            status=OPEN,
            placed_at=now,
            reference=self._last_of(request) if contract is not None else ZERO,
        )
        order.burden(tweaks, contract.lot if contract is not None else 1)
        self._accept(order)
        return order.orderid

    @abstractmethod
    def _admit(self, request: OrderRequest) -> Contract | None:
        """Check the request as this profile does; raise Refused or return the contract."""

    @abstractmethod
    def _accept(self, order: Order) -> None:
        """Store an admitted order, block margin, fill what fills on arrival, tell the stream."""

    @abstractmethod
    def _order_id(self, now: datetime) -> str: ...

    @abstractmethod
    def modify(self, orderid: str, change: OrderRequest) -> None:
        """Change a working order. Raises Refused."""

    @abstractmethod
    def cancel(self, orderid: str) -> None:
        """Cancel a working order. Raises Refused."""

    def rename(self, orderid: str) -> str:
        """Give a modified order another id, as some brokers do; its trades go with it."""
        new_id = self._order_id(self.clock.now())
        order = self.orders.pop(orderid)
        self.working.pop(orderid, None)
        order.orderid = new_id
        self.trades = [replace(t, orderid=order.orderid) if t.orderid == orderid else t for t in self.trades]
        self.add(order)
        return order.orderid

    def _amend(self, order: Order, quantity: int) -> None:
        """Take another total quantity; never less than traded, and complete when nothing is left."""
        if quantity < order.filled:
            raise Refused("Failed to modify order: quantity is below the filled quantity", 400)
        order.quantity = quantity
        if order.pending == 0:
            order.status = COMPLETE
            self.working.pop(order.orderid, None)

    @abstractmethod
    def _match(self, order: Order, quote: Quote) -> None:
        """Advance one working order against the current quote."""

    @abstractmethod
    def funds(self) -> dict[str, Decimal]:
        """Rupees: available, used, collateral, unrealised, realised_today, realised_total."""

    def add(self, order: Order) -> None:
        self.orders[order.orderid] = order
        if order.status not in FINAL:
            self.working[order.orderid] = order
        self.version += 1

    def order(self, orderid: str) -> Order | None:
        """A visible order, settled to now."""
        self.settle()
        order = self.orders.get(orderid)
        return order if order is not None and self._visible(order) else None

    def visible_orders(self) -> list[Order]:
        """Orders since 03:00, oldest first, without the ones a fault hides."""
        self.settle()
        since = self._books_since()
        return [o for o in self.orders.values() if o.placed_at >= since and self._visible(o)]

    def visible_trades(self) -> list[Trade]:
        self.settle()
        since = self._books_since()
        return [t for t in self.trades if t.at >= since and self._visible(self.orders[t.orderid])]

    def open_positions(self) -> list[Position]:
        return [p for p in self.positions.values() if p.quantity]

    def visible_positions(self) -> list[Position]:
        self.settle()
        return list(self.positions.values())

    def _visible(self, order: Order) -> bool:
        return order.visible_from is None or self.clock.now() >= order.visible_from

    # -- time -----------------------------------------------------------------------------------------------

    def on_tick(self) -> None:
        """Match every working order against the market as it stands."""
        self.settle()
        for order in list(self.working.values()):
            quote = self.market.quote(order.request.exchange, order.request.symbol)
            if quote is None:
                self._finish(order, CANCELLED, "Contract expired")
            elif order.orderid in self.working:
                self._match(order, quote)
        for gtt in [g for g in self.gtts.values() if g.is_active]:
            fired = gtt.fires(self._last(gtt.exchange, gtt.symbol))
            if fired is not None:
                self._try_place(fired)

    def settle(self) -> None:
        """What time alone brings about: late rejections, the day's roll, square-off, expiry."""
        now = self.clock.now()
        for order in [o for o in self.working.values() if o.reject_at is not None and now >= o.reject_at]:
            self._finish(order, REJECTED, order.reject_reason)
        allowed, day = mis_allowed(now), self._books_since()
        closing = (self._mis_was_allowed and not allowed) or day != self._day
        new_day, self._day, self._mis_was_allowed = day != self._day, day, allowed
        if closing and not self.market.always_open:
            self.square_off(("MIS",))
        if new_day:
            self._roll_day()
        self._settle_expired()

    def _roll_day(self) -> None:
        for key in [k for k, p in self.positions.items() if p.quantity == 0]:
            del self.positions[key]
        for position in self.positions.values():
            position.realised_today = ZERO
        for order in [o for o in self.working.values() if o.placed_at < self._day]:
            self._finish(order, CANCELLED, "")

    def _settle_expired(self) -> None:
        for p in self.open_positions():
            if self.market.find(p.exchange, p.symbol) is None:
                price = money(self.market.settlement(p.symbol))
                self._book_fill(p, -p.quantity, price)
                self.version += 1

    # -- fills ----------------------------------------------------------------------------------------------

    def _fill(self, order: Order, quantity: int, price: Decimal) -> None:
        """Trade `quantity` units of the order at `price`, move the position, tell the stream."""
        if quantity <= 0:
            return
        now = self.clock.now()
        order.filled += quantity
        order.value += price * quantity
        order.last_fill = price
        r = order.request
        trade = Trade(self._trade_id(now), order.orderid, *order.key, r.action, quantity, price, now, r.strategy)
        self.trades.append(trade)
        position = self.positions.setdefault(order.key, Position(*order.key))
        self._move_margin(order, position, quantity)
        self._book_fill(position, quantity if order.is_buy else -quantity, price)
        if order.filled >= order.quantity:
            order.status = COMPLETE
            self.working.pop(order.orderid, None)
        self.version += 1
        self.tell(order)

    def _book_fill(self, position: Position, signed: int, price: Decimal) -> None:
        self.realised_total += position.fold(signed, price)
        position.updated_at = self.clock.now()
        if position.quantity == 0:
            position.margin = ZERO

    @abstractmethod
    def _move_margin(self, order: Order, position: Position, quantity: int) -> None:
        """Hand blocked margin from the order to the position, where margin is blocked at all."""

    def _finish(self, order: Order, status: str, reason: str) -> None:
        order.status, order.reason = status, reason
        order.margin = ZERO
        self.working.pop(order.orderid, None)
        self.version += 1
        self.tell(order)

    def tell(self, order: Order) -> None:
        self.listener(self._event(order))

    def _event(self, order: Order) -> OrderEvent:
        r = order.request
        return OrderEvent(
            orderid=order.orderid,
            symbol=r.symbol,
            exchange=r.exchange,
            action=r.action,
            quantity=order.quantity,
            price=order.price,
            trigger=order.trigger,
            pricetype=order.pricetype,
            product=r.product,
            status=order.status,
            filled=order.filled,
            pending=order.pending if order.status not in FINAL else 0,
            average=order.average,
            reason=order.reason,
        )

    # -- whole-account acts ---------------------------------------------------------------------------------

    def cancel_all(self, statuses: frozenset[str]) -> tuple[list[str], list[tuple[str, str]]]:
        """Cancel working orders in those states; ids done and (id, why) failed."""
        done: list[str] = []
        failed: list[tuple[str, str]] = []
        for order in [o for o in self.visible_orders() if o.status in statuses]:
            try:
                self.cancel(order.orderid)
                done.append(order.orderid)
            except Refused as refusal:
                failed.append((order.orderid, refusal.message))
        return done, failed

    def close_all(self, products: tuple[str, ...] | None = None, origin: str = "api") -> tuple[int, int]:
        """Flatten open positions at market; (closed, failed)."""
        closed = failed = 0
        for p in self.open_positions():
            if products is not None and p.product not in products:
                continue
            side = "SELL" if p.quantity > 0 else "BUY"
            request = OrderRequest(
                p.exchange, p.symbol, side, abs(p.quantity), "MARKET", p.product, strategy=SQUARE_OFF, origin=origin
            )
            if self._try_place(request):
                closed += 1
            else:
                failed += 1
        return closed, failed

    def square_off(self, products: tuple[str, ...] | None) -> tuple[int, int]:
        """The broker's own square-off: working orders of those products first, then the positions."""
        for order in list(self.working.values()):
            if products is None or order.request.product in products:
                self._finish(order, CANCELLED, "")
        return self.close_all(products, origin="broker")

    def _try_place(self, request: OrderRequest) -> bool:
        try:
            self.place(request)
        except Refused:
            return False
        return True

    # -- odds and ends --------------------------------------------------------------------------------------

    def position_quantity(self, exchange: str, symbol: str, product: str) -> int:
        position = self.positions.get((exchange, symbol, product))
        return 0 if position is None else position.quantity

    def excess(self, request: OrderRequest, quantity: int) -> int:
        """Units of an order that open exposure rather than reduce it."""
        held = self.position_quantity(request.exchange, request.symbol, request.product)
        signed = quantity if request.action == "BUY" else -quantity
        return quantity if held * signed >= 0 else max(quantity - abs(held), 0)

    def _quote(self, request: OrderRequest) -> Quote:
        quote = self.market.quote(request.exchange, request.symbol)
        if quote is None:
            raise Refused(f"Symbol {request.symbol} not found on {request.exchange}")
        return quote

    def _last_of(self, request: OrderRequest) -> Decimal:
        last = self._last(request.exchange, request.symbol)
        if last is None:
            raise Refused(f"Symbol {request.symbol} not found on {request.exchange}")
        return last

    def _last(self, exchange: str, symbol: str) -> Decimal | None:
        last = self.market.last(exchange, symbol)
        return None if last is None else money(last)

    def last_or_average(self, position: Position) -> Decimal:
        last = self._last(position.exchange, position.symbol)
        return position.average if last is None else last

    def unrealised(self) -> Decimal:
        return sum((p.unrealised(self.last_or_average(p)) for p in self.open_positions()), ZERO)

    def realised_today(self) -> Decimal:
        return sum((p.realised_today for p in self.positions.values()), ZERO)

    def _trade_id(self, now: datetime) -> str:
        return f"TRADE-{now:%Y%m%d-%H%M%S}-{self.rng.getrandbits(32):08x}"

    def to_state(self) -> dict[str, Any]:
        return {
            "orders": [freeze(o) for o in self.orders.values()],
            "trades": [freeze(t) for t in self.trades],
            "positions": [freeze(p) for p in self.positions.values()],
            "gtts": [freeze(g) for g in self.gtts.values()],
            "realised_total": str(self.realised_total),
            "started_at": self.started_at.isoformat(),
            "day": self._day.isoformat(),
        }

    def adopt(self, state: dict[str, Any]) -> None:
        orders = [thaw_order(row) for row in state["orders"]]
        self.orders = {o.orderid: o for o in orders}
        self.working = {o.orderid: o for o in orders if o.status not in FINAL}
        self.trades = [thaw(Trade, row) for row in state["trades"]]
        positions = [thaw(Position, row) for row in state["positions"]]
        self.positions = {(p.exchange, p.symbol, p.product): p for p in positions}
        self.gtts = {row["trigger_id"]: thaw(Gtt, row) for row in state["gtts"]}
        self.realised_total = Decimal(state["realised_total"])
        self.started_at = datetime.fromisoformat(state["started_at"])
        self._day = datetime.fromisoformat(state["day"])
        # Not the sequence of the first run again: ids made from it would repeat.
        self.rng.seed(f"{self.rng.random()}:{len(self.orders)}:{len(self.trades)}:{len(self.gtts)}")
