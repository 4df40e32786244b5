"""Threads that compute are few; one whose server says nothing must not be counted among them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from threading import Event, Thread

import httpx
import pytest

from accounts.gateway.openalgo import OpenAlgoGateway
from accounts.gateway.reports import OrderTicket
from algomirror.ops import seats
from tests.accounts.far import Httpx
from tests.patience import PATIENCE_S

TICKET = OrderTicket("NFO", "NIFTY24NOV2626000CE", "BUY", "NRML", "LIMIT", 65, Decimal("100"), Decimal(0))
CALLS: dict[str, Callable[[OpenAlgoGateway], object]] = {
    "place": lambda gateway: gateway.place(TICKET),
    "modify": lambda gateway: gateway.modify("1", TICKET),
    "cancel": lambda gateway: gateway.cancel("1", exit=True),
    "positions": lambda gateway: gateway.position_book(),
    "orders": lambda gateway: gateway.order_book(),
    "funds": lambda gateway: gateway.funds(),
}


class Silent(httpx.BaseTransport):
    def __init__(self) -> None:
        self.asked, self.enough = Event(), Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.set()
        self.enough.wait(PATIENCE_S)
        raise httpx.ReadTimeout("silent", request=request)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", CALLS)
def test_its_seat_is_free_while_it_waits(name: str) -> None:
    servers = [Silent() for _ in range(seats.number())]
    waiting = [Thread(target=_call, args=(n, server, CALLS[name])) for n, server in enumerate(servers, 1)]
    for thread in waiting:
        thread.start()
    try:
        assert all(server.asked.wait(PATIENCE_S) for server in servers)
        computed = Event()
        another = Thread(target=_compute, args=(computed,))
        another.start()
        assert computed.wait(PATIENCE_S)
    finally:
        for server in servers:
            server.enough.set()
        for thread in (*waiting, another):
            thread.join()


def _call(account_id: int, server: Silent, call: Callable[[OpenAlgoGateway], object]) -> None:
    gateway = OpenAlgoGateway(account_id, "http://127.0.0.1:1", "k" * 20, transport=Httpx(server))
    with seats.taken():
        call(gateway)


def _compute(computed: Event) -> None:
    with seats.taken():
        computed.set()
