"""Once the last order was answered the books are under way, and the next poll takes what they say."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Barrier, get_ident
from typing import Any

import pytest
from django.test import override_settings

from accounts.models import Account
from algomirror.ops import queue, threads
from tests.patience import PATIENCE_S
from tests.trading.desk import LOT, Desk, asking_ahead
from trading.models import Book
from trading.services import enter, poll, work
from trading.services.abreast import Calls


@pytest.fixture
def ahead(paper: Desk) -> Iterator[Desk]:
    with asking_ahead():
        yield paper


def calls(desk: Desk) -> list[str]:
    return [endpoint for _, endpoint in desk.side.calls]


def sent(desk: Desk) -> None:
    book = desk.open(desk.line(1, "BUY", "CE", LOT), desk.line(2, "BUY", "PE", LOT))
    desk.poll()
    desk.advance(0.05)
    desk.side.calls.clear()
    enter.drive(book.pk)


def test_the_next_poll_asks_for_nothing_that_was_asked_ahead(ahead: Desk) -> None:
    sent(ahead)
    assert calls(ahead) == ["placeorder", "placeorder", "orderbook", "tradebook"]
    assert poll.account(ahead.accounts[0].pk, positions=False)
    assert len(calls(ahead)) == 4
    assert [ahead.net(name) for name in ("CE", "PE")] == [LOT, LOT]
    poll.account(ahead.accounts[0].pk, positions=False)
    assert calls(ahead)[4:] == ["orderbook", "tradebook"], "it is news once"


@pytest.mark.parametrize("fault", [None, "refuse", "rate_limited"])
def test_a_turn_reads_what_was_asked_ahead_before_anything_else_and_leaves_none_of_it(ahead: Desk, fault: str | None) -> None:
    ahead.open(ahead.line(1, "BUY", "CE", LOT), ahead.line(2, "BUY", "PE", LOT))
    account = ahead.accounts[0].pk
    ahead.poll()
    ahead.advance(0.05)
    if fault is not None:
        ahead.fault(fault, count=2, endpoint="placeorder")
    ahead.side.calls.clear()
    # Somebody else asks for this account all the while: what its rows say is looked at anew in every pass.
    queue.client().set(work._note(account), 1)
    rounds = count()
    work.account(account, turn_s=1, sleep=lambda seconds: ahead.advance(max(seconds, 0.01) if next(rounds) < 50 else 9))
    # Of an empty book the funds are the proof.
    assert [name for name in calls(ahead) if name != "funds"][:4] == ["placeorder", "placeorder", "orderbook", "tradebook"]
    assert not poll.is_asked_ahead(account)
    assert next(rounds) < 10, "it does not go round and round"
    filled = LOT if fault is None else 0
    assert [ahead.net(name) for name in ("CE", "PE")] == [filled, filled]


def test_positions_that_are_wanted_too_are_asked_for_then(ahead: Desk) -> None:
    sent(ahead)
    poll.account(ahead.accounts[0].pk, positions=True)
    assert calls(ahead)[4:] == ["positionbook"]


def test_an_exit_asks_for_positions_ahead_too(ahead: Desk) -> None:
    sent(ahead)
    poll.account(ahead.accounts[0].pk)
    ahead.exit(Book.objects.get())
    ahead.side.calls.clear()
    ahead.advance(0.05)
    ahead.step()
    assert calls(ahead)[-5:] == ["placeorder", "placeorder", "orderbook", "tradebook", "positionbook"]


def test_what_was_asked_long_ago_or_of_another_server_is_no_news(ahead: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    account = ahead.accounts[0].pk
    sent(ahead)
    monkeypatch.setattr(poll, "AHEAD_S", 0.5)
    ahead.advance(0.6)
    poll.account(account, positions=False)
    assert calls(ahead)[4:] == ["orderbook", "tradebook"]
    sent(ahead)
    Account.objects.filter(pk=account).update(config_version=Account.objects.get(pk=account).config_version + 1)
    poll.account(account, positions=False)
    assert calls(ahead)[4:] == ["orderbook", "tradebook"]


def test_a_read_that_began_before_the_answers_were_written_gives_up_no_order(ahead: Desk) -> None:
    """It does not show them yet; a later one does."""
    ahead.fault("late_visibility", count=2, seconds=1.0)
    sent(ahead)
    account = ahead.accounts[0].pk
    poll.account(account, positions=False)
    assert {o.state for o in ahead.orders(Book.objects.get())} == {"ACCEPTED"}
    ahead.run(10)
    assert [ahead.net(name) for name in ("CE", "PE")] == [LOT, LOT]
    assert not ahead.alarms()


def test_all_calls_are_under_way_at_once_and_the_last_answer_is_told_after_what_follows_it() -> None:
    together, following = Barrier(3), list[int]()
    with override_settings(WIRE_THREADS=8):
        made = Calls([lambda: (together.wait(PATIENCE_S) and 0) or get_ident()] * 3, lastly=lambda: following.append(get_ident()))
        made.begin()
        made.begin()
        told = [thread for some in made.answers(meanwhile=lambda: None) for _, thread in some]
    assert len(set(told)) == 3 and len(following) == 1 and following[0] in told
    assert get_ident() not in told


def test_one_after_another_they_are_made_by_who_wants_their_answers() -> None:
    asked = list[str]()
    with override_settings(WIRE_THREADS=1):
        made = Calls([partial(asked.append, name) for name in "ab"], lastly=lambda: asked.append("lastly"))
        made.begin()
        assert asked == []
        for _ in made.answers(meanwhile=lambda: asked.append("meanwhile")):
            asked.append("told")
    assert asked == ["a", "told", "b", "lastly", "told", "meanwhile"]


def test_answers_come_in_the_order_of_the_calls() -> None:
    for at_once in (1, 4):
        with override_settings(WIRE_THREADS=at_once):
            assert Calls([partial(int, text) for text in "312"]).all() == [3, 1, 2]


def test_a_call_that_went_out_goes_out_once_where_the_next_finds_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[str]()

    class Ending(ThreadPoolExecutor):
        def submit(self, *asked: Any, **more: Any) -> Any:
            if made:
                raise RuntimeError("cannot schedule new futures after interpreter shutdown")
            one = super().submit(*asked, **more)
            one.result(PATIENCE_S)
            return one

    with Ending(1) as pool, override_settings(WIRE_THREADS=4):
        monkeypatch.setattr(threads, "pool", lambda name, size: pool)
        calls = Calls([partial(made.append, name) for name in "ab"])
        with pytest.raises(RuntimeError):
            calls.begin()
        calls.begin()
    assert made == ["a"]
