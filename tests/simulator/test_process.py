"""The command: ready lines, clean exit, and books that survive a restart."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulator.store import Store
from simulator.world import World
from tests.patience import PATIENCE_S
from tests.simulator.conftest import Simulator
from tests.simulator.desk import CALL, LOT, Desk

Start = Callable[..., Simulator]


def post(simulator: Simulator, endpoint: str, **fields: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{simulator.base + 1}/api/v1/{endpoint}",
        json.dumps({"apikey": simulator.keys[0], **fields}).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
        return json.load(reply)


def test_it_starts_names_its_accounts_and_exits_cleanly(start_simulator: Start) -> None:
    simulator = start_simulator("--always-open", "--seed", "9", accounts=2)
    assert simulator.keys == [hashlib.sha256(f"algomirror-sim:9:{i}".encode()).hexdigest() for i in (1, 2)]
    assert post(simulator, "ping")["data"]["message"] == "pong"
    assert simulator.stop() == 0


def test_books_and_prices_survive_a_restart(start_simulator: Start, tmp_path: Path) -> None:
    state = tmp_path / "sim.json"
    options = ("--always-open", "--at", "2026-11-20T10:00:00+05:30", "--tick-ms", "0", "--state", str(state))
    first = start_simulator(*options)
    order = {"exchange": "NFO", "symbol": CALL, "action": "BUY", "quantity": LOT, "product": "NRML"}
    post(first, "placeorder", strategy="t", pricetype="MARKET", **order)
    post(first, "placeorder", strategy="t", pricetype="LIMIT", price=10, **order)
    before = [post(first, book) for book in ("orderbook", "tradebook", "positionbook", "funds")]
    assert first.stop() == 0
    second = start_simulator(*options, base=first.base)
    assert [post(second, book) for book in ("orderbook", "tradebook", "positionbook", "funds")] == before


def test_a_state_of_another_seed_is_not_loaded(tmp_path: Path) -> None:
    desk = Desk()
    desk.order()
    Store(tmp_path / "s.json", desk.world).flush()
    assert not Store(tmp_path / "s.json", World(accounts=2, seed=8)).restore()
    assert Store(tmp_path / "s.json", Desk().world).restore()


def test_it_saves_on_change_but_not_more_often_than_twice_a_second(tmp_path: Path) -> None:
    desk = Desk()
    store = Store(tmp_path / "s.json", desk.world)
    assert store.maybe_save(100.0)
    desk.order()
    assert not store.maybe_save(100.3)
    assert store.maybe_save(100.6)
    assert not store.maybe_save(101.9)
    assert store.maybe_save(105.7)


def test_prices_go_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    straight, broken = Desk(), Desk()
    straight.world.tick(20)
    broken.world.tick(10)
    Store(tmp_path / "s.json", broken.world).flush()
    resumed = Desk()
    Store(tmp_path / "s.json", resumed.world).restore()
    resumed.world.tick(10)
    assert list(resumed.world.market.prices.ltp) == list(straight.world.market.prices.ltp)
