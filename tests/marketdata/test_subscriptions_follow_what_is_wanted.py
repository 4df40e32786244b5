from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from marketdata.feed.client import Endpoint, wait_before
from marketdata.feed.ledger import BATCH, UNHEARD_AGAIN_S, Ledger
from marketdata.feed.wanted import Wanted
from marketdata.feed.watch import Act, Watchdog, silent

NIFTY = "NSE_INDEX:NIFTY"


def answer(frames: list[dict[str, Any]], status: str = "success") -> dict[str, Any]:
    """What a server says to these subscribe frames."""
    items = [item for frame in frames if frame["action"] == "subscribe" for item in frame["symbols"]]
    return {"type": "subscribe", "status": "partial", "subscriptions": [{**item, "status": status} for item in items]}


def test_indices_are_asked_as_quotes_and_contracts_with_depth_in_batches() -> None:
    ledger = Ledger()
    ledger.want([NIFTY, *(f"NFO:S{i}" for i in range(BATCH + 1))])
    frames = ledger.plan(0.0)
    assert [(frame["mode"], len(frame["symbols"])) for frame in frames] == [(2, 1), (3, BATCH), (3, 1)]
    assert all("mode" not in item for frame in frames for item in frame["symbols"])


def test_what_was_asked_is_not_asked_again_until_the_answer_is_late() -> None:
    ledger = Ledger()
    ledger.want(["NFO:A"])
    assert ledger.plan(0.0)
    assert ledger.plan(9.9) == []
    assert ledger.plan(10.0)


def test_a_refused_symbol_is_tried_again_later_and_counts_as_refused() -> None:
    ledger = Ledger()
    ledger.want(["NFO:A"])
    ledger.took(answer(ledger.plan(0.0), "error"), 0.0)
    assert ledger.refused.keys() == {"NFO:A"} and not ledger.acknowledged
    assert ledger.plan(29.0) == []
    ledger.took(answer(ledger.plan(30.0)), 30.0)
    assert ledger.acknowledged == {"NFO:A"} and not ledger.refused


def test_unsubscribing_names_the_mode_in_each_item() -> None:
    ledger = Ledger()
    ledger.want([NIFTY, "NFO:A"])
    ledger.took(answer(ledger.plan(0.0)), 0.0)
    ledger.want([NIFTY])
    assert ledger.plan(1.0) == [{"action": "unsubscribe", "symbols": [{"symbol": "A", "exchange": "NFO", "mode": 3}]}]
    assert ledger.acknowledged == {NIFTY}


def test_after_a_new_login_everything_is_asked_again() -> None:
    ledger = Ledger()
    ledger.want([NIFTY, "NFO:A"])
    ledger.took(answer(ledger.plan(0.0)), 0.0)
    ledger.forget_all()
    assert len(ledger.plan(1.0)) == 2


def test_a_broken_answer_changes_nothing() -> None:
    ledger = Ledger()
    ledger.want(["NFO:A"])
    ledger.plan(0.0)
    for frame in ({}, {"subscriptions": None}, {"subscriptions": [None, 5, {}]}, {"subscriptions": [{"status": "success"}]}):
        ledger.took(frame, 0.0)
    assert not ledger.acknowledged


keys = st.frozensets(st.sampled_from([NIFTY, "NFO:A", "NFO:B", "BFO:C", "NFO:D"]))


@given(st.lists(st.tuples(keys, st.sampled_from(["success", "error", "lost", "login"])), max_size=15), keys)
def test_wanted_and_acknowledged_converge_after_any_history(
    history: list[tuple[frozenset[str], str]], last: frozenset[str]
) -> None:
    """The far side's memory is simulated: it equals what we believe, and in the end what we want."""
    ledger, far, now = Ledger(), set(), 0.0

    def act(outcome: str) -> None:
        frames = ledger.plan(now)
        for frame in frames:
            names = {f"{item['exchange']}:{item['symbol']}" for item in frame["symbols"]}
            if frame["action"] == "unsubscribe":
                far.difference_update(names)
            elif outcome == "success":
                far.update(names)
        if outcome in ("success", "error"):
            ledger.took(answer(frames, outcome), now)

    for wanted, outcome in history:
        now += 31.0
        if outcome == "login":
            ledger.forget_all()
            far.clear()
        ledger.want(wanted)
        act("success" if outcome == "login" else outcome)
    ledger.want(last)
    for _ in range(2):
        now += 31.0
        act("success")
    assert ledger.acknowledged == far == last


def decide(dog: Watchdog, now: float, index: float | None, *, live: float | None = 100.0, session: float | None = 100.0) -> Act:
    return dog.decide(session_for_s=session, live_for_s=live, index_silent_s=index, now=now)


def test_a_silent_index_means_a_new_login_and_then_a_new_connection() -> None:
    dog = Watchdog()
    assert decide(dog, 0.0, 5.0) is Act.NOTHING
    assert decide(dog, 1.0, 5.1) is Act.LOG_IN_AGAIN
    assert decide(dog, 2.0, 6.0) is Act.NOTHING
    assert decide(dog, 3.0, 7.0, live=1.0) is Act.NOTHING
    assert decide(dog, 11.5, 15.6, live=9.0) is Act.RECONNECT


def test_an_index_that_never_ticked_counts_from_the_login() -> None:
    assert decide(Watchdog(), 0.0, None, live=4.9) is Act.NOTHING
    assert decide(Watchdog(), 0.0, None, live=5.1) is Act.LOG_IN_AGAIN


def test_silence_counts_from_the_opening_and_not_at_all_when_closed_or_down() -> None:
    assert decide(Watchdog(), 0.0, 60_000.0, session=2.0) is Act.NOTHING
    assert decide(Watchdog(), 0.0, 60_000.0, session=5.1) is Act.LOG_IN_AGAIN
    assert decide(Watchdog(), 0.0, 60.0, session=None) is Act.NOTHING
    assert decide(Watchdog(), 0.0, 60.0, live=None) is Act.NOTHING


def test_ticks_end_the_alarm() -> None:
    dog = Watchdog()
    decide(dog, 0.0, 6.0)
    assert decide(dog, 5.0, 0.1) is Act.NOTHING
    assert decide(dog, 60.0, 6.0) is Act.LOG_IN_AGAIN


def test_the_never_seen_and_the_oldest_are_asked_first() -> None:
    assert silent([("A", 4.1), ("B", None), ("C", 4.0), ("D", 90.0)], after_s=4.0) == ["B", "D", "A"]


def test_waits_double_to_a_minute_and_are_spread() -> None:
    assert [wait_before(n, lambda: 1.0) for n in (1, 2, 3, 6, 60)] == [2.0, 4.0, 8.0, 60.0, 60.0]
    assert wait_before(1, lambda: 0.0) == 1.0


def test_a_key_is_not_in_the_words_of_an_endpoint() -> None:
    assert "sesame" not in repr(Endpoint(1, "ws://x", "sesame"))


def test_beyond_the_cap_what_is_open_stays_and_viewers_give_way() -> None:
    wanted = Wanted(
        frozenset({"NFO:OPEN"}),
        frozenset({NIFTY}),
        (("chain:a", frozenset({"NFO:OPEN", "NFO:A", "NFO:B"})), ("chain:b", frozenset({"NFO:C", NIFTY}))),
    )
    assert wanted.within(5) is wanted
    capped = wanted.within(3)
    assert capped.all == {"NFO:OPEN", NIFTY, "NFO:A"} and capped.left_out == 2
    assert wanted.within(1).all == {"NFO:OPEN"}
    assert wanted.within(2).all == {"NFO:OPEN", NIFTY}


def test_a_symbol_that_does_not_tick_is_asked_for_again_and_stays_acknowledged_meanwhile() -> None:
    ledger = Ledger()
    ledger.want(["NFO:A", "NFO:B"])
    ledger.took(answer(ledger.plan(0.0)), 0.0)
    ledger.unheard = frozenset({"NFO:A"})
    assert ledger.plan(UNHEARD_AGAIN_S - 0.1) == []
    again = ledger.plan(UNHEARD_AGAIN_S)
    assert [(frame["action"], frame["symbols"]) for frame in again] == [("subscribe", [{"symbol": "A", "exchange": "NFO"}])]
    assert ledger.acknowledged == {"NFO:A", "NFO:B"} and ledger.plan(UNHEARD_AGAIN_S + 1) == []
    ledger.took(answer(again), UNHEARD_AGAIN_S + 2)
    assert ledger.plan(2 * UNHEARD_AGAIN_S + 1) == [], "not more often than the wait"
    refused = ledger.plan(2 * UNHEARD_AGAIN_S + 2)
    ledger.took(answer(refused, "error"), 2 * UNHEARD_AGAIN_S + 2)
    assert ledger.acknowledged == {"NFO:B"} and ledger.plan(2 * UNHEARD_AGAIN_S + 3) == []
    ledger.unheard = frozenset()
    assert ledger.plan(3 * UNHEARD_AGAIN_S), "a refused one is tried as any other"
