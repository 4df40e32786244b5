"""A server that knows its funds and margins and refuses everything else: enough to preview a plan."""

from __future__ import annotations

from contextlib import AbstractContextManager

import httpx

from accounts.gateway.directory import far_side
from accounts.gateway.openalgo import OpenAlgoGateway
from tests.accounts.far import Httpx

FUNDS = {
    "availablecash": "10000000.00",
    "collateral": "0.00",
    "m2mrealized": "0.00",
    "m2munrealized": "0.00",
    "utiliseddebits": "0.00",
}
MARGIN = {"total_margin_required": "100000.00", "span_margin": "80000.00", "exposure_margin": "20000.00"}


def _answer(request: httpx.Request) -> httpx.Response:
    known = {"/api/v1/funds": FUNDS, "/api/v1/margin": MARGIN}.get(request.url.path)
    if known is None:
        return httpx.Response(500, json={"status": "error", "message": "not here"})
    return httpx.Response(200, json={"status": "success", "data": known})


def there() -> AbstractContextManager[None]:
    return far_side(lambda account: OpenAlgoGateway.of(account, transport=Httpx(httpx.MockTransport(_answer))))
