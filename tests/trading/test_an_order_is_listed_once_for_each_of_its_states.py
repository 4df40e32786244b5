"""Some brokers' order books have a row for each state an order went through, the newest first or last."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from accounts.gateway.connection import Heard
from accounts.gateway.reports import NoReply
from simulator.rest.core import Outcome
from tests.trading import far_side
from tests.trading.desk import LOT, Desk


@pytest.mark.parametrize("newest_first", [True, False])
def test_an_exit_follows_the_price(live: Desk, monkeypatch: pytest.MonkeyPatch, newest_first: bool) -> None:
    def with_its_past(self: far_side._Server, outcome: Outcome, limit: float) -> Heard | NoReply:
        heard = as_it_is(self, outcome, limit)
        if isinstance(heard, NoReply) or b'"orders"' not in heard.body:
            return heard
        said = json.loads(heard.body)
        rows = [[row, row | {"order_status": "open"}] for row in said["data"]["orders"]]
        said["data"]["orders"] = [row for pair in rows for row in (pair if newest_first else reversed(pair))]
        return replace(heard, body=json.dumps(said).encode())

    as_it_is = far_side._Server._carry_out
    monkeypatch.setattr(far_side._Server, "_carry_out", with_its_past)
    book = live.open(live.line(1, "BUY", "CE"))
    live.run_until(lambda: live.owned(book, "CE") == LOT)
    live.run(2)
    live.fault("slow_fill", seconds=600, count=1)
    live.exit(book)
    assert live.settle()
    assert (live.net("CE"), live.state(book)) == (0, "FLAT")
