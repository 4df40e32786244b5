"""A program keeps a chain ticking as a page does, reads candles, and the owner's chooses the source of prices."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from algomirror.kernel import clock
from algomirror.ops.models import Journal
from marketdata import viewing
from marketdata.chain_sink import ChainSink
from marketdata.feed.wanted import Wanted, wanted
from marketdata.models import Candle1m, FeedPin, ViewingSession
from tests.api.caller import Caller, account
from tests.strategies import stage

CHAIN = {"underlying": "NIFTY", "expiry": stage.WEEK.isoformat(), "width": 3}
INDEX = "NSE_INDEX:NIFTY"


@pytest.fixture
def viewer() -> Caller:
    return Caller.of(stage.person("bob", "VIEWER"), scopes=["read"])


def opened(caller: Caller, **other: Any) -> dict[str, Any]:
    answer = caller.post("chain-sessions", CHAIN | other)
    assert answer.status_code == 201, answer.content
    session: dict[str, Any] = answer.json()
    return session


def test_a_session_makes_its_strikes_tick_and_its_greeks_known(viewer: Caller) -> None:
    session = opened(viewer)
    call = stage.option(24050, "CE")
    assert call in session["symbols"] and INDEX in session["symbols"] and len(session["symbols"]) == 15
    assert set(session["symbols"]) <= wanted(Wanted()).all
    ChainSink(lambda: True, lambda: ((session["topic"], frozenset(session["symbols"])),)).turn()
    chain = viewer.get("market/chain", **CHAIN).json()
    (row,) = [row for row in chain["rows"] if row["is_atm"]]
    assert row["call"]["tag"] == "ATM" and row["call"]["spread"] is not None
    for name in ("iv_percent", "delta", "gamma", "theta", "vega"):
        assert isinstance(row["call"][name], str), name
    assert {"synthetic_forward", "volume", "max_pain"} <= chain.keys()


def test_a_heartbeat_keeps_it_for_five_minutes_more(viewer: Caller, _market: Any) -> None:
    session = opened(viewer)
    _market.advance(250)
    beaten = viewer.post(f"chain-sessions/{session['id']}/heartbeat").json()
    assert beaten["expires"] > session["expires"]
    _market.advance(301)
    assert viewer.post(f"chain-sessions/{session['id']}/heartbeat").status_code == 404
    assert viewer.get("chain-sessions").json() == []


def test_it_is_ended_by_its_owner_and_seen_by_nobody_else(viewer: Caller, owner: Caller) -> None:
    session = opened(viewer)
    assert [one["id"] for one in viewer.get("chain-sessions").json()] == [session["id"]]
    assert owner.get("chain-sessions").json() == []
    assert owner.send("DELETE", f"chain-sessions/{session['id']}").status_code == 404
    assert owner.post(f"chain-sessions/{session['id']}/heartbeat").status_code == 404
    assert viewer.send("DELETE", f"chain-sessions/{session['id']}").status_code == 200
    assert not ViewingSession.objects.exists() and viewing.live() == {}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"underlying": "NOBODY"}, "underlying"),
        ({"expiry": "2026-11-22"}, "expiry"),
        ({"width": 0}, "width"),
        ({"width": 51}, "width"),
        ({"strikes": 3}, "strikes"),
    ],
)
def test_what_cannot_be_watched_is_named(viewer: Caller, change: dict[str, Any], field: str) -> None:
    answer = viewer.post("chain-sessions", CHAIN | change)
    assert answer.status_code in (400, 404, 422) and field in str(answer.json()["error"])
    assert not ViewingSession.objects.exists()


def test_ten_sessions_are_enough(viewer: Caller) -> None:
    for _ in range(10):
        opened(viewer)
    answer = viewer.post("chain-sessions", CHAIN)
    assert answer.status_code == 400 and "At most 10" in answer.json()["error"]["message"]


def test_candles_say_where_they_come_from(viewer: Caller) -> None:
    key = stage.option(24050, "CE")
    start = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=10)
    for n, source in enumerate(["TICKS", "HISTORY", "HISTORY"]):
        Candle1m.objects.create(
            key=key, minute=start + timedelta(minutes=n), open=100 + n, high=103, low=99, close=101 + n,
            volume=None, source=source, covered_s=60,
        )  # fmt: skip
    answer = viewer.get("market/candles", symbol=key, timeframe=1)
    rows = [row for row in answer.json()["candles"] if row["opens_at"] >= start.isoformat().replace("+00:00", "Z")]
    assert [(row["close"], row["source"], row["covered_percent"]) for row in rows[:3]] == [
        ("101.00", "TICKS", 100),
        ("102.00", "HISTORY", 100),
        ("103.00", "HISTORY", 100),
    ]
    assert rows[0]["is_closed"] is True


@pytest.mark.parametrize("asked", [{"symbol": "NFO:NONE"}, {"timeframe": 7}, {"days": 99}, {}])
def test_candles_of_what_is_not_there_are_refused(viewer: Caller, asked: dict[str, Any]) -> None:
    known = {"symbol": stage.option(24050, "CE")} if asked else {}
    assert viewer.get("market/candles", **(known | asked)).status_code in (400, 422)


def test_the_owner_chooses_the_source_and_gives_the_choice_back(owner: Caller) -> None:
    account(1)
    backup = account(2)
    assert owner.post("feeds/switch", {"account": backup.pk}).json()["account"] == backup.pk
    assert FeedPin.objects.get().account_id == backup.pk
    assert owner.post("feeds/switch", {"account": None}).status_code == 202
    assert not FeedPin.objects.exists() and Journal.objects.filter(kind="feed.choice").count() == 2


def test_nobody_else_switches_and_no_account_that_is_not_there(owner: Caller) -> None:
    one, other = account(1), account(2)
    trader = Caller.of(stage.person("bob", "TRADER"), scopes=["read", "trade", "exit"])
    limited = Caller.of(stage.alice(), scopes=["read", "admin"], accounts=[one.pk])
    assert trader.post("feeds/switch", {"account": one.pk}).status_code == 403
    assert limited.post("feeds/switch", {"account": other.pk}).status_code == 404
    assert owner.post("feeds/switch", {"account": 999}).status_code == 400
    assert owner.post("feeds/switch", {}).status_code == 400
    assert not FeedPin.objects.exists()
