"""The simulator answers recorded REST requests as the recorded server did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from simulator.limits import Limits
from simulator.world import World
from tests.contracts.replay import AT, RECORDINGS, Replay, Row, differences, load, recorded_world

# One account lived through these in this order; each file groups one endpoint.
DAY: list[tuple[str, int, int]] = [
    ("rest-ping", 0, 16),
    ("rest-books", 0, 7),
    ("rest-funds", 0, 3),
    ("rest-placeorder", 0, 26),
    ("rest-placeorder-errors", 0, 35),
    ("rest-orderstatus", 0, 12),
    ("rest-books", 7, 22),
    ("rest-modifyorder", 0, 1),
    ("rest-orderstatus", 12, 13),
    ("rest-modifyorder", 1, 5),
    ("rest-orderstatus", 13, 14),
    ("rest-modifyorder", 5, 14),
    ("rest-cancelorder", 0, 1),
    ("rest-orderstatus", 14, 15),
    ("rest-modifyorder", 14, 15),
    ("rest-cancelorder", 1, 13),
    ("rest-smartorder", 0, 6),
    ("rest-funds", 3, 7),
    ("rest-books", 22, 32),
    ("rest-errors", 0, 84),
    ("rest-analyzer", 0, 10),
    ("rest-gtt", 0, 4),
    ("rest-symbols", 0, 27),
    ("rest-options", 0, 46),
    ("rest-marketdata", 0, 29),
    ("rest-history", 0, 22),
    ("rest-calendar", 0, 13),
]
ALONE = ("rest-lifecycle", "rest-cancelall-triggerpending", "rest-marketclosed", "rest-live-mode-shapes")
# Differences we want, each with its reason.
WANTED = {
    "rest-live-mode-shapes | orderbook: .data.orders[2].order_status: 'complete' != 'rejected'": "the recording's "
    "synthetic broker filled an odd lot; real brokers reject one, and so does the simulator",
}
Observed = Callable[[World, Row], None]


def tick_on_observation(world: World, row: Row) -> None:
    """Rows without a reply tell what the recorder saw after some seconds: give the simulator a tick."""
    if "option_ltp_after" in row:
        kind = "PE" if "silent" in row["name"] else "CE"
        world.set_price("NFO", f"NIFTY23NOV2626100{kind}", row["option_ltp_after"])
    world.tick()


def run(replay: Replay, rows: list[Row], file: str, observed: Observed = tick_on_observation) -> tuple[int, list[str]]:
    compared, wrong = 0, []
    for row in rows:
        if "request" not in row or "response" not in row:
            observed(replay.world, row)
            continue
        status, _, body = replay.send(row)
        found = list(differences(row["response"]["body"], body))
        if status != row["response"]["status"]:
            found.insert(0, f"status {row['response']['status']} != {status}")
        told = [f"{file} | {row['name']}: {difference}" for difference in found]
        wrong += [difference for difference in told if difference not in WANTED]
        compared += 1
        if replay.account.profile == "live":
            # The recorded stub broker filled at once; here a fill takes a tick.
            replay.world.tick()
    return compared, wrong


def test_it_answers_the_recorded_day_exchange_by_exchange() -> None:
    world = recorded_world()
    world.set_price("NFO", "NIFTY23NOV2625950CE", 137.5)
    world.set_price("NFO", "NIFTY23NOV2625750PE", 49.9)
    replay = Replay(world)
    total, wrong = 0, []
    for file, start, stop in DAY:
        compared, found = run(replay, load(file)[start:stop], file)
        total, wrong = total + compared, wrong + found
    assert wrong == []
    assert total == 396


def test_every_recorded_row_is_replayed_somewhere() -> None:
    covered: dict[str, int] = {}
    for file, start, stop in DAY:
        covered[file] = covered.get(file, 0) + stop - start
    for path in RECORDINGS.glob("rest-*.jsonl"):
        if path.stem not in (*ALONE, "rest-ratelimit"):
            assert covered[path.stem] == len(load(path.stem)), path.stem


@pytest.mark.parametrize(
    ("file", "symbol", "price", "compared"),
    [
        ("rest-lifecycle", "NIFTY23NOV2626100CE", 141.0, 25),
        ("rest-cancelall-triggerpending", "NIFTY01DEC2625700CE", 237.0, 24),
        ("rest-marketclosed", "NIFTY01DEC2626050CE", 245.5, 13),
        ("rest-live-mode-shapes", "NIFTY23NOV2626100CE", 113.0, 27),
    ],
)
def test_it_answers_the_recorded_scenes(file: str, symbol: str, price: float, compared: int) -> None:
    live = file == "rest-live-mode-shapes"
    world = recorded_world(profile="live" if live else "sandbox")
    world.accounts[0].options.transit_s = 0.0
    world.accounts[0].options.slices = 1
    if file == "rest-marketclosed":
        world.clock.set(AT.replace(hour=7, minute=41))
    world.set_price("NFO", "NIFTY23NOV2626100PE", 165.45)
    world.set_price("NFO", symbol, price)
    assert run(Replay(world), load(file), file) == (compared, [])


def test_it_limits_bursts_as_recorded() -> None:
    replay = Replay(recorded_world(limits=Limits()))
    for row in load("rest-ratelimit"):
        if "status_counts" in row:
            replay.world.clock.advance(2.0)
            assert _burst(replay, row) == (row["status_counts"], row["first_429"] and row["first_429"]["body"]), row["name"]
            continue
        if " s later" in row["name"] or "1.3 s after" in row["name"]:
            replay.world.clock.advance(1.3)
        assert run(replay, [row], "rest-ratelimit") == (1, []), row["name"]


def _burst(replay: Replay, row: Row) -> tuple[dict[str, int], Any]:
    """Replies by status, and the body of a 429."""
    counts: dict[str, int] = {}
    limited = None
    for _ in range(row["requests_sent"]):
        status, _, answer = replay.send({**row, "response": {"body": None}})
        counts[str(status)] = counts.get(str(status), 0) + 1
        limited = answer if status == 429 else limited
    return counts, limited
