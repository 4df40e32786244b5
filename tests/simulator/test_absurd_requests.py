"""Nothing a client can send makes the dispatcher raise."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from simulator.rest.dispatch import dispatch
from simulator.rest.routes import ENDPOINTS
from tests.simulator.desk import CALL, LOT, Desk

LEG = {"offset": "ATM", "option_type": "CE", "action": "BUY", "quantity": LOT}
ORDER: dict[str, Any] = {"symbol": CALL, "exchange": "NFO", "action": "BUY", "quantity": LOT}
USUAL: dict[str, Any] = {
    **ORDER,
    "strategy": "t",
    "pricetype": "LIMIT",
    "product": "NRML",
    "price": 100,
    "trigger_price": 90,
    "orderid": "1",
    "underlying": "NIFTY",
    "expiry_date": "01DEC26",
    "offset": "ATM",
    "option_type": "CE",
    "interval": "1m",
    "start_date": "2026-11-19",
    "end_date": "2026-11-20",
    "from": "2026-11-19",
    "to": "2026-11-20",
    "query": "NIFTY",
    "instrumenttype": "options",
    "mode": True,
    "splitsize": LOT,
    "position_size": 0,
    "symbols": [{"symbol": "NIFTY", "exchange": "NSE_INDEX"}],
    "orders": [ORDER],
    "legs": [LEG],
    "date": "2026-11-20",
    "year": 2026,
    "trigger_type": "SINGLE",
    "triggerprice_sl": 90,
    "trigger_id": "x",
    "disclosed_quantity": 0,
    "positions": [{**ORDER, "quantity": str(LOT), "product": "NRML", "pricetype": "MARKET"}],
}
ABSURD: list[Any] = [
    None,
    True,
    0,
    -1,
    75.5,
    1e308,
    10**30,
    "",
    "NaN",
    "1e999",
    [],
    {},
    [1],
    [{}],
    "0001-01-01",
    "9999-12-31",
    CALL,
]


@pytest.mark.parametrize("profile", ["sandbox", "live"])
@pytest.mark.parametrize("name", sorted(ENDPOINTS))
def test_it_always_answers(name: str, profile: str) -> None:
    chance = random.Random(f"{name}:{profile}")
    desk = Desk(profile=profile)
    account, endpoint = desk.world.accounts[0], ENDPOINTS[name]
    path = f"/api/v1/{name}" + (f"/NFO:{CALL}" if name == "ticker" else "")
    for _ in range(25):
        fields = {f.name: USUAL.get(f.name, 1) for f in endpoint.schema.fields if f.required or chance.random() < 0.4}
        for field in fields:
            if chance.random() < 0.15:
                fields[field] = chance.choice(ABSURD)
        fields["apikey"] = account.api_key
        if endpoint.method == "GET":
            outcome = dispatch(account, "GET", path, None, b"", {k: str(v) for k, v in fields.items()})
        else:
            outcome = dispatch(account, "POST", path, "application/json", json.dumps(fields).encode(), {})
        assert outcome.status in (200, 400, 404, 500)
        assert outcome.payload
