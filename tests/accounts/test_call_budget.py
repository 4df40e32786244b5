from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest

from accounts.gateway import limits, openalgo
from accounts.gateway.reports import OrderTicket, Verdict
from algomirror.ops.queue import client
from tests.accounts.far import Httpx


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    for key in client().scan_iter("am:bucket:77*"):
        client().delete(key)
    limits.forget()
    yield
    limits.forget()


@pytest.fixture
def a_long_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """For who counts what is granted at once: the machine may stall for a second in between."""
    monkeypatch.setattr(limits, "WINDOW_US", 4_000_000)


AT_ONCE = pytest.mark.usefixtures("a_long_second")


def grab(account: int, count: int, *, rate: int = 10, exit: bool = True, wait_s: float = 0.0) -> int:
    return sum(limits.take(account, "orders", rate, exit=exit, wait_s=wait_s) for _ in range(count))


@AT_ONCE
def test_no_more_than_the_rate_goes_out_at_once() -> None:
    assert grab(7701, 30) == 10


@AT_ONCE
def test_entries_leave_a_reserve_that_exits_can_use() -> None:
    assert grab(7702, 30, exit=False) == 8
    assert grab(7702, 30, exit=True) == 2


@AT_ONCE
def test_a_tiny_rate_still_lets_entries_through() -> None:
    assert grab(7703, 5, rate=1, exit=False) == 1


@AT_ONCE
def test_accounts_and_kinds_do_not_share() -> None:
    assert grab(7704, 30) == 10
    assert grab(7705, 30) == 10
    assert limits.take(7704, "reads", 5, exit=False, wait_s=0)


def test_a_pause_saves_nothing_up() -> None:
    assert grab(7706, 30) == 10
    time.sleep(1.1)
    assert grab(7706, 30) == 10
    assert grab(7706, 5) == 0


def test_an_exit_waits_for_its_turn_and_no_longer_than_told() -> None:
    assert grab(7707, 30) == 10
    started = time.monotonic()
    assert not limits.take(7707, "orders", 10, exit=True, wait_s=0.2)
    assert time.monotonic() - started < 2, "0.2 s, and what a busy machine adds; not the second until there is room"
    assert limits.take(7707, "orders", 10, exit=True, wait_s=3)


@AT_ONCE
def test_threads_share_one_budget() -> None:
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda _: grab(7708, 5), range(8))) == 10


def _in_process(account: int) -> int:
    limits.forget()
    return grab(account, 10)


@AT_ONCE
def test_processes_share_one_budget() -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        assert sum(pool.map(_in_process, [7709] * 3)) == 10


@AT_ONCE
def test_without_redis_exits_go_on_at_half_rate_and_entries_are_refused(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert grab(7710, 20, exit=False) == 0
    assert grab(7710, 20, exit=True) == 5
    assert limits.take(7710, "reads", 4, exit=False, wait_s=0)


def test_a_redis_that_comes_back_is_used_again(settings: Any) -> None:
    right = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert grab(7711, 1, exit=False) == 0
    settings.REDIS_URL = right
    limits.forget()
    assert grab(7711, 1, exit=False) == 1


@AT_ONCE
def test_an_order_without_budget_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(200, json={"status": "success", "orderid": "1"})

    monkeypatch.setattr(openalgo, "ENTRY_WAIT_S", 0.05)
    door = openalgo.OpenAlgoGateway(
        7712, "http://told.test", "k" * 20, orders_per_second=3, transport=Httpx(httpx.MockTransport(answer))
    )
    ticket = OrderTicket("NFO", "X", "BUY", "NRML", "MARKET", 1, Decimal(0), Decimal(0))
    assert door.place(ticket).verdict is Verdict.ACCEPTED
    refused = door.place(ticket)
    assert refused.verdict is Verdict.NOT_SENT and "budget" in refused.text
    assert door.place(ticket, exit=True).verdict is Verdict.ACCEPTED
    assert len(calls) == 2


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For how many calls Redis was asked, each time."""
    asked: list[int] = []
    ask = limits._ask_redis

    def counted(key: str, limit: int, rate: int, calls: int) -> float:
        asked.append(calls)
        return ask(key, limit, rate, calls)

    monkeypatch.setattr(limits, "_ask_redis", counted)
    monkeypatch.setattr(limits, "_GOOD_FOR_S", 60.0)
    return asked


@AT_ONCE
def test_calls_that_leave_together_ask_once_and_use_as_many_grants(asked: list[int]) -> None:
    limits.expect(7713, "orders", 3, exit=True)
    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda _: grab(7713, 1), range(3))) == 3
    assert asked == [3]
    assert grab(7713, 30) == 7
    limits.expect(7714, "orders", 1, exit=True)
    assert grab(7714, 30) == 10, "one alone is no company"


@AT_ONCE
def test_where_there_is_not_room_for_all_each_takes_what_there_is(asked: list[int]) -> None:
    assert grab(7715, 9) == 9
    limits.expect(7715, "orders", 2, exit=True)
    assert grab(7715, 2) == 1
    limits.expect(7716, "orders", 11, exit=True)
    assert grab(7716, 30) == 10, "more than the rate are never granted at once"
    assert asked[9:12] == [2, 1, 1]


@AT_ONCE
def test_a_grant_for_company_that_comes_late_is_not_used_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_GOOD_FOR_S", -1.0)
    limits.expect(7717, "orders", 2, exit=True)
    assert grab(7717, 30) == 9, "one was granted to nobody"


@AT_ONCE
def test_an_entry_takes_no_grant_that_exits_asked_for(asked: list[int]) -> None:
    assert grab(7718, 8) == 8
    limits.expect(7718, "orders", 2, exit=True)
    assert grab(7718, 1, exit=True) == 1
    assert grab(7718, 1, exit=False) == 0
    assert grab(7718, 5, exit=True) == 1


@AT_ONCE
def test_however_calls_are_announced_no_more_than_the_rate_go_out(asked: list[int]) -> None:
    def some(n: int) -> int:
        limits.expect(7719, "orders", n % 4, exit=True)
        return grab(7719, 2)

    with ThreadPoolExecutor(8) as pool:
        taken = sum(pool.map(some, range(24)))
    assert 1 <= taken <= 10


@AT_ONCE
def test_without_redis_company_changes_nothing(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    limits.expect(7720, "orders", 2, exit=False)
    limits.expect(7720, "orders", 2, exit=True)
    assert grab(7720, 20, exit=False) == 0
    assert grab(7720, 20, exit=True) == 5
