"""The server answers with the id in another form than its order book has: what fills under it is not ours to see."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from accounts.gateway.connection import Heard
from accounts.gateway.reports import NoReply
from simulator.rest.core import Outcome
from tests.trading import far_side
from tests.trading.desk import LOT, a_desk
from trading.models import Order
from trading.services import apply


def test_an_accepted_order_that_no_book_shows_rings(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def in_another_form(self: far_side._Server, outcome: Outcome, limit: float) -> Heard | NoReply:
        heard = as_it_is(self, outcome, limit)
        if isinstance(heard, NoReply) or b'"orderid"' not in heard.body or b'"orders"' in heard.body:
            return heard
        said = json.loads(heard.body)
        if isinstance(said, dict) and "orderid" in said:
            said["orderid"] = f"000{said['orderid']}"
        return replace(heard, body=json.dumps(said).encode())

    as_it_is = far_side._Server._carry_out
    monkeypatch.setattr(far_side._Server, "_carry_out", in_another_form)
    with a_desk("live") as desk:
        desk.poll()
        desk.open(desk.line(1, "BUY", "CE"))
        desk.run(30)
        assert desk.net("CE") == LOT and "ORDER_NOT_SHOWN" in desk.alarms()
        desk.run(5)
        Order.objects.update(missing_reads=apply.MOST_COUNTED)
        desk.run(5)
        assert Order.objects.get().missing_reads == apply.MOST_COUNTED
