"""An order of somebody else in words that the server did not translate, or with signs no database keeps."""

from __future__ import annotations

import json
from typing import Any

import pytest

from accounts.gateway import parse
from accounts.gateway.reports import Failed
from tests.trading.desk import LOT, Desk
from trading.models import BrokerOrder


def _at_the_terminal(desk: Desk, **said: Any) -> None:
    order = desk.broker().orders[desk.outside("BUY", "PE", LOT, price=5)]
    for name, value in said.items():
        for place in (order, order.request):
            if hasattr(place, name):
                object.__setattr__(place, name, value)


@pytest.mark.parametrize(
    "said",
    [
        {"pricetype": "STOPLOSS_MARKET"},
        {"product": "CARRYFORWARD"},
        {"exchange": "NSE_FO_SEGMENT_1"},
        {"symbol": "N" * 60},
        {"reason": "RMS:\x00 blocked", "status": "rejected"},
    ],
    ids=lambda said: next(iter(said)),
)
def test_the_account_s_own_orders_are_followed_all_the_same(desk: Desk, said: dict[str, str]) -> None:
    _at_the_terminal(desk, **said)
    book = desk.open(desk.line(1, "BUY", "CE"))
    desk.run_until(lambda: desk.owned(book, "CE") == LOT)
    desk.exit(book)
    assert desk.settle() and desk.state(book) == "FLAT"
    assert BrokerOrder.objects.filter(order=None).count() == 1


@pytest.mark.parametrize("sign", ["\\u0000", "\\ud83d", "\\u001b"])
def test_signs_that_no_database_keeps_become_blanks(sign: str) -> None:
    row = {"orderid": "1", "exchange": "NFO", "symbol": "X", "action": "BUY", "quantity": 65, "order_status": "rejected"}
    said = json.dumps({**row, "rejection_reason": "RMS:?blocked"}).replace("?", sign)
    found = parse.order_book({"status": "success", "data": {"orders": [json.loads(said)]}})
    assert not isinstance(found, Failed) and found[0].reason == "RMS: blocked"
