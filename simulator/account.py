"""One OpenAlgo server as its client sees it: a key, a mode, a broker, a queue of order updates."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from simulator.broker import Broker
from simulator.faults import FaultBoard
from simulator.limits import Limits, Windows
from simulator.live import LiveBroker
from simulator.market import Market, Quote
from simulator.orders import NO_TWEAKS, Options, OrderEvent, Tweaks
from simulator.sandbox import SandboxBroker
from simulator.shares import Share
from simulator.view import PRICE_FAULTS, distort

USER = "tester"
Message = dict[str, Any]


def api_key_of(seed: int, index: int) -> str:
    """The deterministic key of account `index` (1-based): 64 hex characters."""
    return hashlib.sha256(f"algomirror-sim:{seed}:{index}".encode()).hexdigest()


class AccountServer:
    """Both brokers behind one analyzer switch, as on the real server: paper when on, the live one when off."""

    def __init__(
        self, index: int, seed: int, market: Market, faults: FaultBoard, limits: Limits | None, broker_name: str
    ) -> None:
        self.index = index
        self.api_key = api_key_of(seed, index)
        self.market = market
        self.faults = faults
        self.broker_name = broker_name
        self.windows = Windows(limits)
        self.options = Options()
        self.paper: Broker = SandboxBroker(market, f"paper:{seed}:{index}", self.options)
        self.real: Broker = LiveBroker(market, f"real:{seed}:{index}", self.options)
        self.analyze = True
        self.latency_ms: dict[str, float] = {}
        self.shares: list[Share] = []
        self.queued = 0
        self.calls = 0
        self.sink: Callable[[Message], None] = lambda message: None
        self._delayed: list[tuple[datetime, Message]] = []
        self._held_back: Message | None = None
        self._stale: dict[tuple[str, str], Quote] = {}
        self.rewire()

    def rewire(self) -> None:
        """Listen to the brokers; called again when they are replaced."""
        self.paper.options = self.real.options = self.options
        self.paper.listener = lambda event: self._tell(event, paper=True)
        self.real.listener = lambda event: self._tell(event, paper=False)

    @property
    def broker(self) -> Broker:
        """The broker of the mode in force."""
        return self.paper if self.analyze else self.real

    @property
    def profile(self) -> str:
        return "sandbox" if self.analyze else "live"

    def use_profile(self, profile: str) -> None:
        self.analyze = profile == "sandbox"

    def on_tick(self) -> None:
        self.paper.on_tick()
        self.real.on_tick()
        self.flush()

    def tweaks(self, endpoint: str, symbol: str) -> Tweaks:
        """The misfortunes the board has in store for the order being placed now."""
        if self.faults.quiet:
            return NO_TWEAKS
        reject = self.faults.hit("reject_later", self.index, endpoint, symbol)
        hidden = self.faults.hit("late_visibility", self.index, endpoint, symbol)
        partial = self.faults.hit("partial_fill", self.index, endpoint, symbol)
        slow = self.faults.hit("slow_fill", self.index, endpoint, symbol)
        return Tweaks(
            reject_after_s=None if reject is None else float(reject.params["after_s"]),
            reject_reason="" if reject is None else str(reject.params["reason"]),
            hidden_s=0.0 if hidden is None else float(hidden.params["seconds"]),
            fill_fraction=None if partial is None else float(partial.params["fraction"]),
            fill_fraction_s=None if partial is None else partial.params["seconds"],
            fill_delay_s=0.0 if slow is None else float(slow.params["seconds"]),
        )

    def quote(self, exchange: str, symbol: str, endpoint: str) -> Quote | None:
        """The quote this account is shown: frozen, zeroed, spiked or honest."""
        quote = self.market.quote(exchange, symbol)
        if quote is None:
            return None
        if self.faults.hit("stale_quotes", self.index, endpoint, symbol) is not None:
            return self._stale.setdefault((exchange, symbol), quote)
        self._stale.pop((exchange, symbol), None)
        if not self.faults.any_armed(PRICE_FAULTS, self.index):
            return quote
        return distort(quote, self.faults, self.index, endpoint, symbol)

    # -- order updates --------------------------------------------------------------------------------------

    def _tell(self, event: OrderEvent, *, paper: bool) -> None:
        message: Message = {
            "type": "order_update",
            "user_id": USER,
            "mode": "analyze" if paper else "live",
            "broker": "sandbox" if paper else self.broker_name,
            "orderid": event.orderid,
            "symbol": event.symbol,
            "exchange": event.exchange,
            "action": event.action,
            "quantity": event.quantity,
            "price": float(event.price),
            "trigger_price": float(event.trigger),
            "pricetype": event.pricetype,
            "product": event.product,
            "order_status": event.status,
            "filled_quantity": event.filled,
            "pending_quantity": event.pending,
            "average_price": round(float(event.average), 2),
            "rejection_reason": event.reason,
        }
        self._send_through_faults(message, event.symbol)

    def _send_through_faults(self, message: Message, symbol: str) -> None:
        if self.faults.hit("lost_order_update", self.index, "stream", symbol) is not None:
            return
        late = self.faults.hit("late_order_update", self.index, "stream", symbol)
        if late is not None:
            due = self.market.clock.now() + timedelta(seconds=float(late.params["seconds"]))
            self._delayed.append((due, message))
            return
        if self._held_back is None and self.faults.hit("reordered_order_update", self.index, "stream", symbol):
            self._held_back = message
            return
        self.sink(message)
        if self.faults.hit("duplicate_order_update", self.index, "stream", symbol) is not None:
            self.sink(message)
        if self._held_back is not None:
            held, self._held_back = self._held_back, None
            self.sink(held)

    def flush(self) -> None:
        """Send the late updates whose time has come."""
        if not self._delayed:
            return
        now = self.market.clock.now()
        due = [m for at, m in self._delayed if at <= now]
        self._delayed = [(at, m) for at, m in self._delayed if at > now]
        for message in due:
            self.sink(message)

    def to_state(self) -> dict[str, Any]:
        return {"analyze": self.analyze, "paper": self.paper.to_state(), "real": self.real.to_state()}

    def adopt(self, state: dict[str, Any]) -> None:
        self.analyze = state["analyze"]
        self.paper.adopt(state["paper"])
        self.real.adopt(state["real"])
