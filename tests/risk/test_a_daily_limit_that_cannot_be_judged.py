"""Carried overnight: the day is judged from the close before that day; where none is known it is asked for, and said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from accounts.gateway.reports import Failed, Read, RestQuote, Why
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops import queue
from algomirror.ops.models import Alarm
from marketdata import calendar, quotes
from marketdata.domain.quotes import Quote, Source
from marketdata.feed.parse import market_data
from marketdata.feed.tape import Tape
from risk.services import daily, grouped, unjudged, watch
from strategies.services import groups
from tests import cast
from tests.risk import desk
from tests.strategies import stage
from trading.models import ExitGoal
from trading.pages import day as day_pages

D = Decimal
MONDAY = datetime(2026, 11, 23, 3, 50, tzinfo=UTC)  # 09:20 IST


class Server:
    """Says of everything the price it is told, and the close before; or nothing at all."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.prices: dict[str, int] = {}
        self.prev_close: Decimal | None = None

    def quotes(self, keys: Sequence[tuple[str, str]]) -> Any:
        self.asked.append([f"{exchange}:{symbol}" for exchange, symbol in keys])
        if not self.prices:
            return Failed(Why.TIMEOUT, "no answer")
        at = clock.now() - timedelta(seconds=0.5)
        known = [(e, s, self.prices[f"{e}:{s}"]) for e, s in keys if f"{e}:{s}" in self.prices]
        return Read([RestQuote(e, s, D(p), None, None, 5, 6, self.prev_close) for e, s, p in known], at, clock.now())


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def frozen(db: None, server: Server) -> Iterator[Any]:
    with stage.at() as moving, far_side(lambda row: server):  # type: ignore[arg-type,return-value]
        stage.market()
        desk.at_entry()
        yield moving


def leaving() -> set[int]:
    return {goal.book.account_id for goal in ExitGoal.objects.exclude(state="DONE")}


def rings() -> set[str]:
    return set(Alarm.objects.filter(kind="BLIND_LIMIT").values_list("key", flat=True))


def streamed(tape: Tape, broker: str, **prices: int) -> None:
    for name, price in prices.items():
        exchange, _, symbol = {"call": desk.CALL, "put": desk.PUT}[name].partition(":")
        said = {"ltp": price, "close": price, "timestamp": int(clock.now().timestamp() * 1000)}
        frame = {"type": "market_data", "symbol": symbol, "exchange": exchange, "mode": 2, "broker": broker, "data": said}
        partial = market_data(frame)
        assert partial is not None
        if (quote := tape.take(partial, clock.now())) is not None:
            quotes.put([quote])


def unnamed(**prices: int) -> None:
    """Prices of a stream that names no close before, over a store that knew none."""
    keys = {"call": desk.CALL, "put": desk.PUT}
    quotes.put([Quote(keys[name], D(price), clock.now(), Source.STREAM) for name, price in prices.items()])


def seconds_pass(frozen: Any, count: int, **prices: int) -> None:
    for _ in range(count):
        frozen.advance(1)
        unnamed(**prices)
        watch.sweep()


def test_a_limit_acts_where_the_stream_names_no_close_before(frozen: Any, server: Server) -> None:
    """A strangle carried overnight, and a primary whose `close` is today's. REST has said 100 and 80."""
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(5000)}, by="user:alice")
    desk.a_run([one], max_loss=D(90_000))
    assert day_pages.today().made("PAPER").total == 0
    tape = Tape()
    for _ in range(3):
        frozen.advance(1)
        streamed(tape, "upstox", call=300, put=80)
        watch.sweep()
    assert leaving() == {one.pk} and not server.asked


def test_the_close_before_is_of_the_day_before(frozen: Any) -> None:
    """A call sold at 100 on Thursday's close; Friday ends at 300; on Monday it is bought at 300 before its first tick."""
    (one,) = desk.accounts(1)
    run = desk.a_run([one], owned=desk.STRANGLE[:1], max_loss=D(90_000))
    desk.price(call=300)
    frozen.set(MONDAY)
    out = cast.order(run.books.get(), action="BUY", purpose="EXIT", symbol=desk.CALL.split(":")[1])
    cast.fill(out, price="300")
    assert day_pages.today().made("PAPER").total is None


def monday(frozen: Any, *on: Account) -> None:
    desk.a_run(on, max_loss=D(90_000))
    frozen.set(MONDAY)
    calendar.forget()


def test_what_a_limit_lacks_is_asked_for_and_then_it_acts(frozen: Any, server: Server) -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(5000)}, by="user:alice")
    monday(frozen, one)
    server.prices, server.prev_close = {desk.CALL: 300, desk.PUT: 80}, D(80)
    unnamed(call=300, put=80)
    watch.sweep()
    assert server.asked == [[desk.PUT, desk.CALL]] and not leaving(), "overtaken by the stream, but kept"
    seconds_pass(frozen, 1, call=300, put=80)
    assert leaving() == {one.pk} and len(server.asked) == 1 and not rings()


def test_a_server_that_names_none_is_not_asked_at_every_sweep(frozen: Any, server: Server) -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(5000)}, by="user:alice")
    monday(frozen, one)
    server.prices = {desk.CALL: 100, desk.PUT: 80}
    seconds_pass(frozen, 10, call=100, put=80)
    assert len(server.asked) == 1
    assert 0 < queue.client().pttl(watch.ASKED_OF_THE_DAY) <= watch.ASKED_OF_THE_DAY_GAP_MS


def test_after_a_minute_a_person_is_told_once_for_each_limit(frozen: Any) -> None:
    one, two = desk.accounts(2)
    daily.set_limits(one, {"daily_loss": D(5000)}, by="user:alice")
    daily.set_limits(two, {"max_lots": 5}, by="user:alice")
    daily.set_limits(None, {"daily_profit": D(5000)}, by="user:alice")
    family = groups.save("Family", {one.pk: D(1), two.pk: D(1)}, by="user:alice")
    grouped.set_limits(family.pk, {"daily_loss": D(5000)}, by="user:alice")
    monday(frozen, one, two)
    seconds_pass(frozen, 60, call=300, put=80)
    assert not rings()
    seconds_pass(frozen, 1, call=300, put=80)
    told = {f"BLIND_LIMIT:account:{one.pk}", "BLIND_LIMIT:platform", f"BLIND_LIMIT:group:{family.pk}"}
    assert rings() == told and not leaving()
    alarm = Alarm.objects.get(key=f"BLIND_LIMIT:account:{one.pk}")
    assert alarm.account_id == one.pk and one.name in alarm.text and desk.CALL in alarm.text
    assert desk.CALL not in Alarm.objects.get(key="BLIND_LIMIT:platform").text
    seconds_pass(frozen, 90, call=300, put=80)
    assert set(Alarm.objects.filter(kind="BLIND_LIMIT").values_list("seen_times", flat=True)) == {1}


def test_what_is_known_again_meanwhile_begins_anew(frozen: Any) -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(50_000)}, by="user:alice")
    monday(frozen, one)
    seconds_pass(frozen, 50, call=100, put=80)
    frozen.advance(1)
    desk.price(call=100, put=80)
    watch.sweep()
    assert not queue.client().exists(unjudged.SINCE)
    frozen.advance(6)  # stale: unknown once more
    for _ in range(55):
        frozen.advance(1)
        watch.sweep()
    assert not rings()


def test_a_closed_market_has_nothing_to_judge(frozen: Any, server: Server) -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(5000)}, by="user:alice")
    desk.a_run([one], max_loss=D(90_000))
    frozen.set(datetime(2026, 11, 21, 5, 0, tzinfo=UTC))
    seconds_pass(frozen, 90, call=300, put=80)
    assert not rings() and not server.asked
    frozen.set(MONDAY)
    seconds_pass(frozen, 60, call=300, put=80)
    assert not rings(), "counted from Monday's first look"
    seconds_pass(frozen, 1, call=300, put=80)
    assert len(rings()) == 1


def test_without_a_limit_nobody_is_told(frozen: Any, server: Server) -> None:
    monday(frozen, *desk.accounts(1))
    seconds_pass(frozen, 70, call=300, put=80)
    assert not rings() and not server.asked


def test_with_the_store_of_moments_down_limits_still_act(frozen: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = desk.accounts(2)
    daily.set_limits(one, {"daily_loss": D(5000)}, by="user:alice")
    desk.a_run([one, two], max_loss=D(90_000))
    desk.price(call=300)

    def down(*_: Any) -> None:
        raise OSError("down")

    monkeypatch.setattr(unjudged, "_note", down)
    watch.sweep()
    assert leaving() == {one.pk}
