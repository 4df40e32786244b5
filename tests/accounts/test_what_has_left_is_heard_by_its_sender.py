"""On real sockets: a request that leaves on a kept connection, and whose answer its sender reads later, or never."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from threading import Event
from typing import Any

import pytest

from accounts.gateway import limits, underway
from accounts.gateway.line import OPEN_AT_MOST
from accounts.gateway.openalgo import OpenAlgoGateway
from accounts.gateway.reports import NoReply, RawReply, Read, Verdict
from accounts.gateway.underway import UnderWay
from accounts.gateway.wire import Wire
from tests.accounts.raw import say, server
from tests.accounts.test_a_server_that_hangs_holds_up_nobody_else import TICKET
from tests.patience import PATIENCE_S
from trading.services.abreast import Call, Calls

Reply = RawReply | NoReply
FINE = b'{"status": "success", "orderid": "%d"}'


def start(wire: Wire, *, may_go: Callable[[], bool] = lambda: True, timeout_s: float = PATIENCE_S) -> UnderWay[Reply] | None:
    return wire.start("placeorder", {}, lambda reply: reply, timeout_s=timeout_s, may_go=may_go)


def warm(wire: Wire, connections: int = 1) -> None:
    """So many connections that are kept."""
    wire.post("ping", {}, timeout_s=PATIENCE_S)
    if connections > 1:
        first = start(wire)
        warm(wire, connections - 1)
        assert first is not None
        first.finish()


def started(wire: Wire, **options: Any) -> UnderWay[Reply]:
    begun = start(wire, **options)
    assert begun is not None
    return begun


class Numbered:
    """Answers with the number of the request, those of `late` only when told to."""

    def __init__(self, *late: int) -> None:
        self.late, self.release, self.by = late, Event(), list[Any]()

    def __call__(self, caller: socket.socket, request: bytes) -> None:
        self.by.append(caller.getpeername())
        number = len(self.by)
        if number in self.late:
            self.release.wait(PATIENCE_S)
        say(caller, FINE % number)


def number(reply: Reply) -> int:
    assert isinstance(reply, RawReply), reply
    return int(reply.body["orderid"])


def test_without_a_kept_connection_nothing_is_sent() -> None:
    with server(Numbered()) as (url, seen):
        wire = Wire(url, "k")
        assert start(wire) is None
        warm(wire)
        assert number(started(wire).finish()) == 2
    assert len(seen) == 2


def test_without_leave_nothing_is_sent_and_the_connection_stays() -> None:
    answer = Numbered()
    with server(answer) as (url, _):
        wire = Wire(url, "k")
        warm(wire)
        assert start(wire, may_go=lambda: False) is None
        with pytest.raises(ZeroDivisionError):
            start(wire, may_go=lambda: bool(1 / 0))
        for _ in range(2 * OPEN_AT_MOST):
            assert start(wire, may_go=lambda: False) is None
        warm(wire)
        assert number(started(wire).finish()) == 3, "no slot is lost on the way"
    assert len(answer.by) == 3


def test_the_connection_serves_again_once_its_answer_was_read() -> None:
    answer = Numbered()
    with server(answer) as (url, _):
        wire = Wire(url, "k")
        warm(wire)
        assert [number(started(wire).finish()) for _ in range(3)] == [2, 3, 4]
    assert len(set(answer.by)) == 1


def test_whoever_has_something_to_say_is_heard_first() -> None:
    answer = Numbered(4)
    with server(answer) as (url, _):
        wire = Wire(url, "k")
        warm(wire, 2)
        calls = {0: started(wire), 1: started(wire)}
        (first,) = underway.heard(calls)
        assert number(calls.pop(first).finish()) == 5
        began = time.monotonic()
        assert underway.heard(calls, 0.05) == []
        assert time.monotonic() - began >= 0.05
        answer.release.set()
        assert underway.heard(calls) == list(calls)


def test_an_answer_that_came_in_time_is_read_however_late() -> None:
    with server(Numbered()) as (url, _):
        wire = Wire(url, "k")
        warm(wire)
        call = started(wire, timeout_s=0.2)
        time.sleep(0.3)
        assert underway.heard({0: call}) == [0]
        assert number(call.finish()) == 2


def test_one_that_does_not_come_is_given_up_at_its_time() -> None:
    answer = Numbered(2)
    with server(answer) as (url, seen):
        wire = Wire(url, "k")
        warm(wire)
        began = time.monotonic()
        call = started(wire, timeout_s=0.2)
        assert underway.heard({0: call}) == [0]
        assert call.finish() == NoReply(reached=True, text="no answer within the time limit", timed_out=True)
        assert 0.2 <= time.monotonic() - began < PATIENCE_S / 2
        answer.release.set()
    assert len(seen) == 2


def test_what_is_dropped_is_never_taken_for_the_answer_to_another() -> None:
    answer = Numbered(2)
    with server(answer) as (url, _):
        wire = Wire(url, "k")
        warm(wire)
        call = started(wire)
        call.drop()
        call.drop()
        assert call.fileno() < 0
        assert isinstance(call.finish(), NoReply)
        answer.release.set()
        assert number(wire.post("placeorder", {}, timeout_s=PATIENCE_S)) == 3
    assert len(set(answer.by)) == 2


def test_slots_come_back_from_what_nobody_finishes() -> None:
    with server(Numbered()) as (url, _):
        wire = Wire(url, "k")
        for _ in range(2 * OPEN_AT_MOST):
            warm(wire)
            started(wire)  # forgotten at once
        warm(wire)


def test_a_server_that_goes_away_under_way_may_have_it() -> None:
    asked = Event()

    def handle(caller: socket.socket, request: bytes) -> None:
        if asked.is_set():
            caller.shutdown(socket.SHUT_RDWR)
        else:
            asked.set()
            say(caller, b"{}")

    with server(handle) as (url, seen):
        wire = Wire(url, "k")
        warm(wire)
        call = started(wire)
        assert underway.heard({0: call}) == [0]
        told = call.finish()
    assert isinstance(told, NoReply) and told.reached
    assert len(seen) == 2


@pytest.mark.django_db
def test_an_order_and_a_book_mean_what_they_do_otherwise_and_count_for_the_budget(settings: Any) -> None:
    settings.READS_PER_SECOND = 3
    limits.forget()

    row = b'{"symbol": "X", "exchange": "NFO", "product": "NRML", "quantity": "0"}'

    def handle(caller: socket.socket, request: bytes) -> None:
        say(caller, b'{"status": "success", "mode": "analyze", "data": [%s]}' % (row if b"/positionbook" in request else b""))

    with server(handle) as (url, seen):
        gateway = OpenAlgoGateway(990_001, url, "k" * 20)
        assert gateway.start_position_book() is None, "there is no connection yet"
        assert isinstance(gateway.position_book(), Read)
        call = gateway.start_position_book()
        assert call is not None
        before = call.finish()
        assert isinstance(before, Read) and before.mode == "PAPER" and before.started_at <= before.finished_at
        assert limits.used(990_001, "reads") == 2
        assert isinstance(gateway.position_book(), Read)
        assert gateway.start_position_book() is None, "the budget is used up"
        assert len(seen) == 3
        order = gateway.start_placing(TICKET)
        assert order is not None
        assert order.finish().verdict is Verdict.UNKNOWN


def test_side_by_side_in_one_thread_where_all_can_leave_and_in_several_where_not(settings: Any) -> None:
    settings.WIRE_THREADS = 8
    answer = Numbered()
    with server(answer) as (url, seen):
        wire = Wire(url, "k")
        made = list[str]()

        def call(name: str) -> Call[int]:
            def make() -> int:
                made.append(name)
                return number(wire.post("placeorder", {}, timeout_s=PATIENCE_S))

            def begin() -> UnderWay[int] | None:
                return wire.start("placeorder", {}, number, timeout_s=PATIENCE_S, may_go=lambda: True)

            return Call(make, begin)

        after = list[int]()
        for kept, by_themselves in ((0, ["a", "b"]), (2, []), (1, ["b"])):
            wire.close()
            if kept:
                warm(wire, kept)
            made.clear()
            calls = Calls([call("a"), call("b")], lastly=lambda: after.append(len(seen)))
            before = len(seen)
            calls.begin()
            calls.begin()
            said = dict(pair for some in calls.answers(meanwhile=lambda: None) for pair in some)
            assert sorted(made) == by_themselves
            assert sorted(said) == [0, 1] and sorted(said.values()) == [before + 1, before + 2]
            assert after.pop() == before + 2
            assert len(seen) == before + 2
        warm(wire, 2)
        assert len(Calls([call("a"), call("b")]).all()) == 2
