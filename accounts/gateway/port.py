"""The shape of the door. Services depend on this; tests may stand a far side behind it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Protocol

from accounts.gateway.reports import (
    Answer,
    BasketMargin,
    BookOrder,
    BookPosition,
    BookTrade,
    Funds,
    HistoryBar,
    Holdings,
    Identity,
    ListedInstrument,
    MarginPosition,
    OrderReply,
    OrderTicket,
    RestQuote,
)
from accounts.gateway.underway import UnderWay


class Gateway(Protocol):
    """One account's server. No method raises for what the far side does; none may be called in a transaction.

    `exit=True` marks calls that bring a position to flat: they go first and may use the reserve of the budget.
    What begins with `start_` has sent its request when it returns, and its caller reads the answer; it gives None, and has sent
    nothing, where it would have to wait for a connection or the budget: then the plain call does.
    """

    account_id: int

    def identify(self) -> Answer[Identity]: ...

    def funds(self) -> Answer[Funds]: ...

    def order_book(self) -> Answer[list[BookOrder]]: ...

    def start_order_book(self) -> UnderWay[Answer[list[BookOrder]]] | None: ...

    def trade_book(self) -> Answer[list[BookTrade]]: ...

    def start_trade_book(self) -> UnderWay[Answer[list[BookTrade]]] | None: ...

    def position_book(self) -> Answer[list[BookPosition]]: ...

    def start_position_book(self) -> UnderWay[Answer[list[BookPosition]]] | None: ...

    def holdings(self) -> Answer[Holdings]: ...

    def place(self, ticket: OrderTicket, *, exit: bool = False) -> OrderReply: ...

    def start_placing(self, ticket: OrderTicket, *, exit: bool = False) -> UnderWay[OrderReply] | None: ...

    def cancel(self, broker_order_id: str, *, exit: bool = False) -> OrderReply: ...

    def modify(self, broker_order_id: str, ticket: OrderTicket, *, exit: bool = False) -> OrderReply: ...

    def quotes(self, keys: Sequence[tuple[str, str]]) -> Answer[list[RestQuote]]: ...

    def basket_margin(self, positions: Sequence[MarginPosition]) -> Answer[BasketMargin]:
        """1 to 50 positions; always asks the live broker, also on a server in analyzer mode."""
        ...

    def expiries(self, *, underlying: str, exchange: str, kind: str) -> Answer[list[date]]: ...

    def instruments(self, exchange: str) -> Answer[list[ListedInstrument]]: ...

    def instrument(self, *, exchange: str, symbol: str) -> Answer[ListedInstrument]: ...

    def option_chain(self, *, underlying: str, exchange: str, expiry: date, width: int) -> Answer[dict[str, Any]]: ...

    def holidays(self, year: int) -> Answer[list[dict[str, Any]]]: ...

    def history(self, *, exchange: str, symbol: str, start: date, end: date) -> Answer[list[HistoryBar]]: ...
