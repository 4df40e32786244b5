"""One account's OpenAlgo server over REST: the only sender of orders in the product."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeVar

from django.conf import settings

from accounts.crypto import unseal
from accounts.gateway import limits, listing, parse
from accounts.gateway.classify import classify, classify_change
from accounts.gateway.line import Far
from accounts.gateway.reports import (
    Answer,
    BasketMargin,
    BookOrder,
    BookPosition,
    BookTrade,
    Failed,
    Funds,
    HistoryBar,
    Holdings,
    Identity,
    ListedInstrument,
    MarginPosition,
    NoReply,
    OrderReply,
    OrderTicket,
    RawReply,
    Read,
    RestQuote,
    Why,
)
from accounts.gateway.underway import UnderWay
from accounts.gateway.wire import Wire
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import seats
from algomirror.ops.outgoing import refuse_in_transaction

T = TypeVar("T")

LABEL = "algomirror"
ENTRY_WAIT_S = 2.0
EXIT_WAIT_S = 5.0
READ_WAIT_S = 1.0
HELD_UP_S = 1.0
# The contract list is tens of thousands of rows; a chain makes a small-batch broker take many calls.
SLOW_READ_S = 60.0
QUOTES_PER_CALL = 100
HISTORY_PER_SECOND = 2
HISTORY_WAIT_S = 5.0
HISTORY_TIMEOUT_S = 30.0


class OpenAlgoGateway:
    """See accounts.gateway.port.Gateway. Thread-safe; order calls are never repeated here."""

    def __init__(
        self,
        account_id: int,
        host_url: str,
        key: str,
        *,
        orders_per_second: int | None = None,
        transport: Far | None = None,
    ) -> None:
        self.account_id = account_id
        self._orders_per_second = orders_per_second or settings.ORDERS_PER_SECOND
        self._wire = Wire(host_url, key, transport=transport)

    @classmethod
    def of(cls, account: Account, *, transport: Far | None = None) -> OpenAlgoGateway:
        return cls(
            account.pk or 0,
            account.host_url,
            unseal(account.sealed_key),
            orders_per_second=account.orders_per_second,
            transport=transport,
        )

    def __repr__(self) -> str:
        return f"OpenAlgoGateway(account={self.account_id})"

    def close(self) -> None:
        self._wire.close()

    # Orders

    def place(self, ticket: OrderTicket, *, exit: bool = False) -> OrderReply:
        return classify(self._order_call("placeorder", _ticket_fields(ticket), exit=exit))

    def cancel(self, broker_order_id: str, *, exit: bool = False) -> OrderReply:
        return classify_change(self._order_call("cancelorder", {"strategy": LABEL, "orderid": broker_order_id}, exit=exit))

    def modify(self, broker_order_id: str, ticket: OrderTicket, *, exit: bool = False) -> OrderReply:
        body = {"orderid": broker_order_id, **_ticket_fields(ticket)}
        return classify_change(self._order_call("modifyorder", body, exit=exit))

    def start_placing(self, ticket: OrderTicket, *, exit: bool = False) -> UnderWay[OrderReply] | None:
        refuse_in_transaction()
        return self._wire.start(
            "placeorder",
            _ticket_fields(ticket),
            classify,
            timeout_s=settings.ORDER_TIMEOUT_S,
            may_go=lambda: self._is_granted(exit=exit, wait_s=0.0),
        )

    def _is_granted(self, *, exit: bool, wait_s: float) -> bool:
        """The right to make one order call now. Who was held up while waiting for it sends nothing any more: what it was to send
        may have been given up, and asked anew, by the rest of the house."""
        since = clock.monotonic()
        granted = limits.take(self.account_id, "orders", self._orders_per_second, exit=exit, wait_s=wait_s)
        return granted and clock.monotonic() - since <= max(wait_s, HELD_UP_S)

    def _order_call(self, endpoint: str, body: dict[str, Any], *, exit: bool) -> RawReply | NoReply:
        refuse_in_transaction()
        wait_s = EXIT_WAIT_S if exit else ENTRY_WAIT_S
        with seats.left():
            if not self._is_granted(exit=exit, wait_s=wait_s):
                return NoReply(reached=False, text="order budget of this account is used up", over_budget=True)
            return self._wire.post(endpoint, body, timeout_s=settings.ORDER_TIMEOUT_S)

    # Reads

    def identify(self) -> Answer[Identity]:
        """Two calls: the key check, which names the broker, and the analyzer, which names the world."""
        who = self._ask("ping", {}, _broker_name)
        if isinstance(who, Failed):
            return who
        world = self._ask("analyzer", {}, _mode_name)
        if isinstance(world, Failed):
            return world
        mode = "PAPER" if world.value else "LIVE"
        return Read(Identity(who.value, mode), who.started_at, world.finished_at, mode)  # type: ignore[arg-type]

    def funds(self) -> Answer[Funds]:
        return self._ask("funds", {}, parse.funds, of_a_world=True)

    def order_book(self) -> Answer[list[BookOrder]]:
        return self._proven(self._ask("orderbook", {}, parse.order_book, of_a_world=True))

    def start_order_book(self) -> UnderWay[Answer[list[BookOrder]]] | None:
        return self._start_book("orderbook", parse.order_book)

    def trade_book(self) -> Answer[list[BookTrade]]:
        return self._proven(self._ask("tradebook", {}, parse.trade_book, of_a_world=True))

    def start_trade_book(self) -> UnderWay[Answer[list[BookTrade]]] | None:
        return self._start_book("tradebook", parse.trade_book)

    def position_book(self) -> Answer[list[BookPosition]]:
        return self._proven(self._ask("positionbook", {}, parse.position_book, of_a_world=True))

    def start_position_book(self) -> UnderWay[Answer[list[BookPosition]]] | None:
        return self._start_book("positionbook", parse.position_book)

    def _start_book(self, endpoint: str, understand: Callable[[Any], list[T] | Failed]) -> UnderWay[Answer[list[T]]] | None:
        refuse_in_transaction()
        started: list[datetime] = []

        def may_go() -> bool:
            goes = limits.take(self.account_id, "reads", settings.READS_PER_SECOND, exit=False, wait_s=0.0)
            started.append(clock.now())
            return goes

        def answer(outcome: RawReply | NoReply) -> Answer[list[T]]:
            return self._proven(_understood(outcome, understand, started_at=started[0], of_a_world=True))

        return self._wire.start(endpoint, {}, answer, timeout_s=settings.READ_TIMEOUT_S, may_go=may_go)

    def holdings(self) -> Answer[Holdings]:
        answer = self._ask("holdings", {}, parse.holdings, of_a_world=True)
        if isinstance(answer, Read) and not answer.value.rows:
            alive = self.funds()
            if isinstance(alive, Failed):
                return replace(alive, text=f"no holdings, and no proof of a broker session: {alive.text}"[:300])
        return answer

    def quotes(self, keys: Sequence[tuple[str, str]]) -> Answer[list[RestQuote]]:
        """Quotes of those (exchange, symbol) pairs the server could price; the others are simply not there."""
        wanted = list(dict.fromkeys(keys))
        started = clock.now()
        found: list[RestQuote] = []
        first_failure: Failed | None = None
        for at in range(0, len(wanted), QUOTES_PER_CALL):
            part = wanted[at : at + QUOTES_PER_CALL]
            asked = set(part)
            answer = self._ask("multiquotes", {"symbols": [{"symbol": s, "exchange": e} for e, s in part]}, parse.quotes)
            if isinstance(answer, Failed):
                first_failure = first_failure or answer
            else:
                found += [q for q in answer.value if (q.exchange, q.symbol) in asked]
        if first_failure is not None and not found:
            return first_failure
        return Read(found, started, clock.now())

    def basket_margin(self, positions: Sequence[MarginPosition]) -> Answer[BasketMargin]:
        return self._ask("margin", {"positions": [_margin_fields(position) for position in positions]}, parse.basket_margin)

    def expiries(self, *, underlying: str, exchange: str, kind: str) -> Answer[list[date]]:
        """`kind` is futures or options; `exchange` the derivatives exchange."""
        body = {"symbol": underlying, "exchange": exchange, "instrumenttype": kind}
        return self._ask("expiry", body, listing.expiries)

    def instruments(self, exchange: str) -> Answer[list[ListedInstrument]]:
        return self._ask_with(
            lambda: self._wire.get("instruments", {"exchange": exchange, "format": "csv"}, timeout_s=SLOW_READ_S),
            listing.instruments,
        )

    def instrument(self, *, exchange: str, symbol: str) -> Answer[ListedInstrument]:
        return self._ask("symbol", {"symbol": symbol, "exchange": exchange}, listing.instrument)

    def option_chain(self, *, underlying: str, exchange: str, expiry: date, width: int) -> Answer[dict[str, Any]]:
        body = {
            "underlying": underlying,
            "exchange": exchange,
            "expiry_date": listing.wire_expiry(expiry),
            "strike_count": max(1, min(width, 100)),
        }
        return self._ask("optionchain", body, listing.option_chain, timeout_s=SLOW_READ_S)

    def holidays(self, year: int) -> Answer[list[dict[str, Any]]]:
        return self._ask("market/holidays", {"year": year}, listing.holidays)

    def history(self, *, exchange: str, symbol: str, start: date, end: date) -> Answer[list[HistoryBar]]:
        """One-minute candles of both dates and all between, oldest first; empty when nothing traded.

        Servers read history one call at a time, so it has a budget of its own beside that of all reads.
        """
        if not limits.take(self.account_id, "history", HISTORY_PER_SECOND, exit=False, wait_s=HISTORY_WAIT_S):
            return Failed(Why.BUDGET, "history budget of this account is used up", at=clock.now())
        body = {
            "symbol": symbol,
            "exchange": exchange,
            "interval": "1m",
            "start_date": start.isoformat(),
            "end_date": end.isoformat(),
        }
        return self._ask("history", body, listing.history, timeout_s=HISTORY_TIMEOUT_S)

    def _proven(self, answer: Answer[list[T]]) -> Answer[list[T]]:
        """An empty book counts only with a live broker session behind it: a dead one also answers success and []."""
        if isinstance(answer, Failed) or answer.value:
            return answer
        alive = self.funds()
        if isinstance(alive, Failed):
            return replace(alive, text=f"an empty book, and no proof of a broker session: {alive.text}"[:300])
        return answer

    def _ask(
        self,
        endpoint: str,
        body: dict[str, Any],
        understand: Callable[[Any], T | Failed],
        *,
        timeout_s: float | None = None,
        of_a_world: bool = False,
    ) -> Answer[T]:
        timeout = timeout_s or settings.READ_TIMEOUT_S
        return self._ask_with(lambda: self._wire.post(endpoint, body, timeout_s=timeout), understand, of_a_world=of_a_world)

    def _ask_with(
        self, call: Callable[[], RawReply | NoReply], understand: Callable[[Any], T | Failed], *, of_a_world: bool = False
    ) -> Answer[T]:
        """`of_a_world`: the server marks these replies live or paper; all others are live data in both."""
        refuse_in_transaction()
        with seats.left():
            if not limits.take(self.account_id, "reads", settings.READS_PER_SECOND, exit=False, wait_s=READ_WAIT_S):
                return Failed(Why.BUDGET, "call budget of this account is used up", at=clock.now())
            started = clock.now()
            outcome = call()
        return _understood(outcome, understand, started_at=started, of_a_world=of_a_world)


def _understood(
    outcome: RawReply | NoReply, understand: Callable[[Any], T | Failed], *, started_at: datetime, of_a_world: bool
) -> Answer[T]:
    failed = parse.failure(outcome)
    if failed is not None or isinstance(outcome, NoReply):
        return replace(failed or Failed(Why.UNREADABLE, "no answer"), at=clock.now())
    value = understand(outcome.body)
    if isinstance(value, Failed):
        return replace(value, at=clock.now())
    return Read(value, started_at, clock.now(), parse.mode_of(outcome.body) if of_a_world else None)


def _ticket_fields(ticket: OrderTicket) -> dict[str, Any]:
    """Floats appear here only: prices are on tick, and JSON numbers carry two decimals exactly."""
    return {
        "strategy": ticket.label,
        "exchange": ticket.exchange,
        "symbol": ticket.symbol,
        "action": ticket.action,
        "product": ticket.product,
        "pricetype": ticket.price_type,
        "quantity": ticket.units,
        "price": float(ticket.price),
        "trigger_price": float(ticket.trigger_price),
        "disclosed_quantity": 0,
    }


def _margin_fields(position: MarginPosition) -> dict[str, str]:
    """All strings: this endpoint refuses numbers."""
    return {
        "exchange": position.exchange,
        "symbol": position.symbol,
        "action": position.action,
        "quantity": str(position.units),
        "product": position.product,
        "pricetype": "LIMIT" if position.price else "MARKET",
        "price": str(position.price),
        "trigger_price": "0",
    }


def _broker_name(body: Any) -> str | Failed:
    found = parse.payload(body)
    if isinstance(found, Failed):
        return found
    name = parse.words(found, "broker") if isinstance(found, dict) else ""
    return name[:40] or parse.unreadable("the broker's name")


def _mode_name(body: Any) -> bool | Failed:
    found = parse.payload(body)
    if isinstance(found, Failed):
        return found
    is_paper = found.get("analyze_mode") if isinstance(found, dict) else None
    return is_paper if isinstance(is_paper, bool) else parse.unreadable("the server's mode")
