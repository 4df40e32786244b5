"""Every page of a running house: found from the URL map, so that a new page cannot be forgotten."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx

from tests.e2e.house import House
from tests.e2e.trader import Trader
from tests.patience import PATIENCE_S, wait_for

# What only an address with a question in it shows.
ASKING = (
    "/ticket?exchange=NFO&symbol={symbol}&action=SELL",
    "/reconciliation/item?place={outside}",
    "/positions/close?target=position:{position}",
    "/orders/cancel?order={order}",
    "/charts?legs=NFO:{symbol}",
    "/no-such-page",
)
# The whole chain is two thousand moving cells; a part of it is made of the same ones. The gallery has tests of its own.
SMALLER = {"/chain": "/chain?width=5"}
ELSEWHERE = {"/gallery"}
# Files, streams and machines' answers, and what ends the session.
NO_PAGES = re.compile(r"\.(csv|json)$|^/(api|healthz|readyz|metrics|admin|logout|static)|/export")


class Furnished:
    """A house in use: a hedged run open on all accounts, one that ended, an outside position, a note, an alarm."""

    def __init__(self, house: House) -> None:
        self.house = house
        trader = Trader(house)
        self.cookies = dict(trader._web.cookies)
        self.open_run = self._run(trader, "Iron fly", hedged=True)
        ended = self._run(trader, "Morning straddle", hedged=False)
        trader._post(f"/runs/{self.open_run}/notes", {"text": "Entered calm. Wings 6 strikes out."})
        trader._post(f"/runs/{ended}/exit", {"idempotency_key": "furnish", "why": "shown in pictures"})
        self._state(ended, "CLOSED")
        self.outside = self._buy_outside(trader)

    def _run(self, trader: Trader, name: str, *, hedged: bool) -> int:
        run = trader.start(trader.preview(trader.save_straddle(name, max_loss=90_000, hedged=hedged)))
        self._state(run, "OPEN")
        return run

    def _state(self, run: int, state: str) -> None:
        house = self.house
        wait_for(lambda: house.one("select state from trading_run where id=?", run) == state, f"run to be {state}", house.tail)

    def _buy_outside(self, trader: Trader) -> str:
        """Somebody trades the first account behind our back; the name of what they hold."""
        house = self.house
        symbol = house.one("select symbol from trading_position where units > 0 order by id limit 1")
        key = next(re.search(r"key (\S+)", line) for line in house.lines if "account 1 " in line and "key" in line)
        body = {"apikey": key.group(1) if key else "", "strategy": "other", "symbol": symbol, "exchange": "NFO", "action": "BUY"}
        port = house.sim_base + 1
        httpx.post(
            f"http://127.0.0.1:{port}/api/v1/placeorder",
            json={**body, "product": "MIS", "pricetype": "MARKET", "quantity": 65, "price": 0, "trigger_price": 0},
            timeout=PATIENCE_S,
        ).raise_for_status()
        shown = "select count(*) from accounts_brokerread where kind='POSITIONS' and rows like '%\"MIS\"%'"
        trader._post("/orders/sync", {})
        wait_for(lambda: house.one(shown), "a reading to show what was bought outside", house.tail)
        return f"1:NFO:{symbol}:MIS"

    def values(self) -> dict[str, Any]:
        one = self.house.one
        return {
            "symbol": one("select symbol from trading_position where units <> 0 limit 1"),
            "position": one("select id from trading_position where units <> 0 limit 1"),
            "order": one("select id from trading_order order by id desc limit 1"),
            "outside": self.outside,
        }

    def pages(self) -> Iterator[str]:
        """Paths that answer a signed-in owner with a whole page."""
        from tests.security.walk import routes

        with httpx.Client(base_url=self.house.url, cookies=self.cookies, timeout=PATIENCE_S) as web:
            for path in sorted({self._path(route) for route in routes()}):
                if path not in ELSEWHERE and not NO_PAGES.search(path):
                    answer = web.get(path)
                    if answer.status_code == 200 and answer.text.startswith("<!doctype html"):
                        yield SMALLER.get(path, path)
        for path in ASKING:
            yield path.format(**self.values())

    def _path(self, route: Any) -> str:
        of = {"runs": self.open_run}
        path: str = route.path
        for name in route.arguments:
            room = path.split("/")[1]
            value = of.get(room, 1) if name == "pk" else {"kind": "runs", "key": "none", "token": "none"}.get(name, 1)
            path = re.sub(rf"<[^>]*{name}>", str(value), path, count=1)
        return path
