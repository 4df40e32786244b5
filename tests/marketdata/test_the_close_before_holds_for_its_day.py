"""The close before a trading day: known once named on that day, whoever named it, and forgotten when the day turns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings as configured
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.gateway.directory import far_side
from accounts.gateway.reports import Read, RestQuote
from algomirror.kernel import clock
from algomirror.ops import queue
from marketdata import calendar, quotes, rest
from marketdata.domain.quotes import Quote, Source
from marketdata.feed.desk import SEEN_AGAIN_S, Desk
from marketdata.feed.parse import Partial
from marketdata.feed.tape import Tape
from marketdata.feed.wanted import Wanted
from marketdata.models import TradingHours
from tests.marketdata.cast import FRIDAY, account, ist, owner, quote, seconds
from tests.trading.near import NearRedis

D = Decimal
KEY, OTHER, INDEX = "NFO:X", "NFO:Y", "NSE_INDEX:NIFTY"
MONDAY = datetime(2026, 11, 23, 3, 50, tzinfo=UTC)  # 09:20 IST


def tick(price: str = "100", **more: Any) -> Partial:
    return Partial(KEY, last_price=D(price), **more)


def stored(key: str = KEY) -> Quote:
    return quotes.get([key])[key]


def test_a_younger_price_that_names_none_leaves_the_one_of_its_day() -> None:
    quotes.put([quote(prev_close=D("99.8"))])
    quotes.put([quote(price="101", at=FRIDAY + seconds(1), bid=D("100.5"))])
    assert stored() == quote(price="101", at=FRIDAY + seconds(1), bid=D("100.5"), prev_close=D("99.8"))


def test_a_younger_price_that_names_another_decides() -> None:
    quotes.put([quote(prev_close=D("99.8"))])
    quotes.put([quote(at=FRIDAY + seconds(1), prev_close=D("99.85"))])
    assert stored().prev_close == D("99.85")


def test_an_answer_that_was_overtaken_still_names_the_close_before() -> None:
    quotes.put([quote(price="101", at=FRIDAY + seconds(1))])
    lived = queue.client().ttl("am:q:NFO:X")
    assert quotes.put([quote(source=Source.REST, prev_close=D("99.8"))]) == 0
    assert stored() == quote(price="101", at=FRIDAY + seconds(1), prev_close=D("99.8"))
    assert queue.client().ttl("am:q:NFO:X") >= lived - 1
    quotes.put([quote(source=Source.REST, prev_close=D("98"))])
    assert stored().prev_close == D("99.8"), "an older word does not replace what is known"


@pytest.mark.parametrize(("hour", "kept"), [(2, D("99.8")), (3, None)])
def test_the_day_turns_at_three(hour: int, kept: Decimal | None) -> None:
    quotes.put([quote(prev_close=D("99.8"))])
    quotes.put([quote(at=ist(2026, 11, 21, hour))])
    assert stored().prev_close == kept


def test_what_friday_says_late_does_not_reach_monday() -> None:
    with clock.use(clock.FrozenClock(MONDAY)):
        quotes.put([quote(at=MONDAY)])
        quotes.put([quote(prev_close=D("99.8"))])
    assert stored() == quote(at=MONDAY)


def test_a_close_before_that_is_too_long_to_keep_is_unknown() -> None:
    quotes.put([quote("NFO:A", prev_close=D("0.1234567890123456789")), quote("NFO:B", prev_close=D("1234567890.123456789"))])
    assert stored("NFO:A").prev_close is None and stored("NFO:B").prev_close == D("1234567890.123456789")


def test_a_quote_says_it_for_the_day_it_was_received_on() -> None:
    one = quote(prev_close=D("99.8"))
    assert one.close_before(date(2026, 11, 20)) == D("99.8")
    assert one.close_before(date(2026, 11, 21)) is None and quote().close_before(date(2026, 11, 20)) is None


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_the_store_counts_days_as_the_clock_does(at: datetime) -> None:
    assert quotes._day(quotes._micros(at)) == clock.trading_day(at).toordinal() - date(1970, 1, 1).toordinal()


_moments = st.sampled_from([FRIDAY, FRIDAY + seconds(1), FRIDAY + timedelta(days=1), MONDAY, MONDAY + seconds(1)])
_puts = st.builds(
    quote, st.sampled_from([KEY, OTHER]), st.just("100"), _moments, prev_close=st.sampled_from([None, D(90), D("99.8")])
)


@given(st.lists(_puts, min_size=1, max_size=12), st.sampled_from([FRIDAY, FRIDAY + timedelta(days=1), MONDAY + seconds(1)]))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_the_store_of_long_histories_does_the_same(puts: list[Quote], now: datetime) -> None:
    queue.client().flushdb()
    near = NearRedis.from_url(configured.REDIS_URL)
    for one in puts:
        ahead = f"{quotes._micros(now + seconds(5)):020d}"
        taken = near.eval(quotes._PUT, 1, quotes._name(one.key), quotes._encode(one), ahead, str(quotes.KEPT_S))
        with clock.use(clock.FrozenClock(now)):
            assert taken == quotes.put([one])
    names = [quotes._name(key) for key in (KEY, OTHER)]
    assert near.mget(names) == queue.client().mget(names)


def test_the_tape_forgets_it_overnight() -> None:
    tape = Tape()
    tape.take(tick(prev_close=D(90)), FRIDAY)
    late = tape.take(tick("101"), ist(2026, 11, 21, 2, 59))
    assert late is not None and late.prev_close == 90
    fresh = tape.take(tick("102"), MONDAY)
    assert fresh is not None and fresh.prev_close is None
    named = tape.take(tick("103", prev_close=D(101)), MONDAY + seconds(1))
    assert named is not None and named.prev_close == 101


def test_a_tick_that_the_exchange_dates_to_an_earlier_day_names_none() -> None:
    """What a server repeats to whoever subscribes before the opening: Friday's last price beside Thursday's close."""
    tape = Tape()
    old = tape.take(tick(prev_close=D(90), exchange_at=FRIDAY), MONDAY)
    assert old is not None and old.prev_close is None
    new = tape.take(tick("101", prev_close=D(100), exchange_at=MONDAY), MONDAY + seconds(1))
    assert new is not None and new.prev_close == 100


def test_the_tape_carries_on_what_rest_said_that_day() -> None:
    tape = Tape()
    tape.take(tick(), FRIDAY)
    tape.settle(quote(at=FRIDAY - seconds(1), source=Source.REST, prev_close=D(90)))
    after = tape.take(tick("101"), FRIDAY + seconds(1))
    assert after is not None and after.prev_close == 90
    tape.take(tick("102"), MONDAY)
    tape.settle(quote(at=FRIDAY, source=Source.REST, prev_close=D(90)))
    assert tape.without_close([KEY, OTHER], MONDAY) == [KEY, OTHER]
    tape.settle(quote(at=MONDAY, source=Source.REST, prev_close=D(101)))
    assert tape.without_close([KEY], MONDAY) == [] and tape.without_close([KEY], MONDAY + timedelta(days=1)) == [KEY]


class Server:
    def quotes(self, keys: Sequence[tuple[str, str]]) -> Any:
        return Read([RestQuote(e, s, D(104), None, None, 5, 6, D("99.8")) for e, s in keys], clock.now(), clock.now())


@pytest.fixture
def hours(db: None) -> Iterator[clock.FrozenClock]:
    for exchange in ("NSE", "NFO"):
        for weekday in range(5):
            TradingHours.objects.get_or_create(
                exchange=exchange,
                weekday=weekday,
                effective_from=date(2026, 1, 1),
                defaults={"opens": time(9, 15), "closes": time(15, 30)},
            )
    calendar.forget()
    account(owner())
    frozen = clock.FrozenClock(FRIDAY)
    with clock.use(frozen), far_side(lambda row: Server()):  # type: ignore[arg-type,return-value]
        yield frozen
    calendar.forget()


@pytest.mark.parametrize(
    ("at", "said"),
    [
        (ist(2026, 11, 20, 9, 14), None),
        (ist(2026, 11, 20, 9, 15), D("99.8")),
        (ist(2026, 11, 20, 16), D("99.8")),
        (ist(2026, 11, 21, 12), D("99.8")),
    ],
)
def test_before_the_opening_servers_still_say_the_one_of_the_last_session(
    hours: clock.FrozenClock, at: datetime, said: Decimal | None
) -> None:
    hours.set(at)
    assert rest.refresh([KEY])[KEY].prev_close == said and stored().prev_close == said


def test_rest_is_asked_for_what_the_stream_does_not_name(hours: clock.FrozenClock, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(lambda: False)
    asked: list[str] = []
    monkeypatch.setattr(desk.asker, "ask", lambda late, once=(): asked.extend(once))
    try:
        desk.want(Wanted(open=frozenset({KEY}), indices=frozenset({INDEX}), viewed=(("chain:1", frozenset({OTHER})),)))
        for key in (KEY, OTHER, INDEX):
            desk.tape.take(Partial(key, last_price=D(100)), clock.now())
        desk.look_after()
        assert asked == [KEY, INDEX], "what is only looked at waits for nobody's close"
        hours.advance(SEEN_AGAIN_S)
        desk.look_after()
        assert asked == [KEY, INDEX], "not each second"
        hours.advance(1)
        desk.tape.settle(quote(KEY, at=clock.now(), source=Source.REST, prev_close=D(90)))
        desk.look_after()
        assert asked == [KEY, INDEX, INDEX]
        hours.set(ist(2026, 11, 20, 16))
        hours.advance(SEEN_AGAIN_S + 1)
        desk.look_after()
        assert asked == [KEY, INDEX, INDEX], "a closed market is left alone"
    finally:
        desk.stop()
