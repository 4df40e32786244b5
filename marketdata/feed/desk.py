"""One source at work: its stream, its tape, and what hangs on them. Driven once a second by the runner."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Misconfigured
from marketdata import calendar
from marketdata.candle_sink import CandleSink
from marketdata.chain_sink import ChainSink
from marketdata.domain.quotes import Quote
from marketdata.domain.sessions import MarketState
from marketdata.feed import watch
from marketdata.feed.asking import Asker
from marketdata.feed.client import PING_EVERY_S, PONG_WITHIN_S, Link, Stream
from marketdata.feed.parse import market_data
from marketdata.feed.sinks import GuardSink, StoreSink
from marketdata.feed.source import endpoint
from marketdata.feed.tape import Tape
from marketdata.feed.wanted import Wanted
from marketdata.feed.watch import REFUSALS_BEFORE_SWITCH, Act, Watchdog, silent

log = logging.getLogger(__name__)

DOUBT_S = 2.0
# So long without a tick of a symbol while the indices tick: its subscription may be lost.
UNHEARD_S = 30.0
SEEN_AGAIN_S = 60.0
# Before the opening a source that does not answer is replaced too.
NEAR_OPEN = timedelta(minutes=15)


class Desk:
    def __init__(
        self, may_act: Callable[[], bool], *, ping_every_s: float = PING_EVERY_S, pong_within_s: float = PONG_WITHIN_S
    ) -> None:
        self._ping_every_s, self._pong_within_s = ping_every_s, pong_within_s
        self.tape = Tape()
        self.guards = GuardSink(may_act)
        self.store = StoreSink(may_act)
        self.asker = Asker(self._answered)
        self.candles = CandleSink(may_act)
        self.chains = ChainSink(may_act, lambda: self.wanted.viewed)
        self.wanted = Wanted()
        self.stream: Stream | None = None
        self.unasked = 0
        self._source: Account | None = None
        self._keys: frozenset[str] = frozenset()
        self._watchdog = Watchdog()
        self._index_ticked_at: float | None = None
        self.last_index_at: float | None = None
        self._lag_s: float | None = None
        self._mutes = 0
        self._viewed_asked: dict[str, float] = {}
        self._close_asked: dict[str, float] = {}
        self._counted = (0, clock.monotonic())
        self._rate = 0.0
        self._made_at = clock.monotonic()
        for worker in (self.guards, self.store, self.asker, self.candles, self.chains):
            worker.start()

    def stop(self) -> None:
        for worker in (self.stream, self.guards, self.store, self.asker, self.candles, self.chains):
            if worker is not None:
                worker.stop()

    def use(self, account: Account | None) -> None:
        """Take another source, or the same at a new address."""
        if self.stream is not None:
            self.stream.stop()
            self.stream = None
        self._source = account
        self._index_ticked_at = None
        self._mutes = 0
        self._watchdog = Watchdog()
        if account is None:
            return
        try:
            self.stream = Stream(
                endpoint(account), self._frame, ping_every_s=self._ping_every_s, pong_within_s=self._pong_within_s
            )
        except Misconfigured:
            log.exception("source cannot be used account=%s", account.pk)
            return
        self.stream.ledger.want(self._keys)
        self.stream.start()

    def failures(self) -> int:
        """Failures in a row of the present source; one that cannot even be opened has failed often enough.

        Silence that called for a new login counts like a failure; so does coming back again and again without staying.
        """
        if self.stream is None:
            return 0 if self._source is None else REFUSALS_BEFORE_SWITCH
        flaps = REFUSALS_BEFORE_SWITCH if self.stream.flaps else 0
        return max(self.stream.failures + self._mutes, flaps)

    def error(self) -> str:
        if self.stream is None:
            return "its key cannot be opened"
        if self._mutes and self.stream.link is Link.LIVE:
            return "connected, but no index ticks"
        return "it does not stay connected" if self.stream.flaps else self.stream.last_error

    def is_needed(self, at: datetime) -> bool:
        """True in a session of our indices, and shortly before one."""
        states = self._states(at)
        soon = [state.next_opens_at for state in states if state.next_opens_at is not None]
        return any(state.is_open for state in states) or any(opens - at <= NEAR_OPEN for opens in soon)

    def is_ticking(self, now: float) -> bool:
        silence = self.index_silent_s(now)
        return silence is not None and silence <= watch.INDEX_SILENT_S

    def dark_s(self, at: datetime) -> float | None:
        """Seconds without an index tick of any source, counted within the running session; None outside sessions."""
        session = self._session_for_s(at)
        if session is None or not self.wanted.indices:
            return None
        since = self._made_at if self.last_index_at is None else self.last_index_at
        return min(clock.monotonic() - since, session)

    def _frame(self, frame: dict[str, Any], received_at: datetime) -> None:
        if frame.get("type") != "market_data":
            return
        tick = market_data(frame)
        if tick is None or tick.key not in self._keys:
            self.unasked += 1
            return
        quote = self.tape.take(tick, received_at)
        if quote is None:
            return
        if quote.key in self.wanted.indices:
            self._index_ticked(quote)
        self._pass_on(quote)

    def _index_ticked(self, quote: Quote) -> None:
        self._index_ticked_at = self.last_index_at = clock.monotonic()
        self._mutes = 0
        if quote.exchange_at is not None:
            lag = (quote.received_at - quote.exchange_at).total_seconds()
            self._lag_s = lag if self._lag_s is None else max(self._lag_s, lag)

    def _answered(self, quote: Quote) -> None:
        self.tape.settle(quote)
        self._pass_on(quote)

    def _pass_on(self, quote: Quote) -> None:
        self.guards.inbox.put(quote)
        self.store.inbox.put(quote)
        self.candles.take(quote)

    def want(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self._keys = wanted.within(settings.FEED_SYMBOL_CAP).all
        self.store.viewed = wanted.viewed
        self.store.indices = wanted.indices
        if self.stream is not None:
            self.stream.ledger.want(self._keys)
        if gone := self.tape.keys() - self._keys:
            self.tape.forget(gone)

    def look_after(self) -> None:
        """The second's care: a silent index, silent positions, doubted jumps, strikes without a price, closes nobody named."""
        now, at = clock.monotonic(), clock.now()
        if self.stream is not None:
            act = self._watchdog.decide(
                session_for_s=self._session_for_s(at),
                live_for_s=self._live_for_s(now),
                index_silent_s=self.index_silent_s(now),
                now=now,
            )
            self._mutes += act is Act.LOG_IN_AGAIN  # a reconnect counts as the stream's own failure
            if act is Act.LOG_IN_AGAIN:
                log.warning("index silent, logging in again account=%s", self.stream.endpoint.account_id)
                self.stream.log_in_again()
            elif act is Act.RECONNECT:
                log.warning("index silent, reconnecting account=%s", self.stream.endpoint.account_id)
                self.stream.reconnect()
            is_ticking = self.is_ticking(now)
            quiet_since = at - timedelta(seconds=UNHEARD_S)
            self.stream.ledger.unheard = self.tape.unheard(self._keys, quiet_since) if is_ticking else frozenset()
        doubted = self.tape.doubted_since(at - timedelta(seconds=DOUBT_S))
        self.asker.ask([*self._late(at), *doubted], once=[*self._unseen(now), *self._without_close(at, now)])

    def _late(self, at: datetime) -> list[str]:
        """Open symbols, and then indices, whose price grows old while their market is open."""
        late: list[str] = []
        after_s = watch.SYMBOL_SILENT_S if self.is_ticking(clock.monotonic()) else watch.ALWAYS_S
        for keys in (self.wanted.open, self.wanted.indices):
            ages = ((key, self._age(key, at)) for key in keys if calendar.is_open(key.partition(":")[0], at))
            late += silent(ages, after_s=after_s)
        return late

    def _age(self, key: str, at: datetime) -> float | None:
        quote = self.tape.newest(key)
        return None if quote is None else quote.age_s(at)

    def _unseen(self, now: float) -> list[str]:
        """Wanted symbols without any price: a stream sends no snapshot, so a quiet strike is asked for once."""
        unseen = [key for key in sorted(self._keys) if self.tape.newest(key) is None]
        return self._due(unseen, self._viewed_asked, now)

    def _without_close(self, at: datetime, now: float) -> list[str]:
        """Open symbols and indices that trade while nobody named their close before: some streams never do."""
        keys = [key for keys in (self.wanted.open, self.wanted.indices) for key in sorted(keys)]
        lacking = self.tape.without_close(keys, at)
        return self._due((key for key in lacking if calendar.is_open(key.partition(":")[0], at)), self._close_asked, now)

    def _due(self, keys: Iterable[str], asked: dict[str, float], now: float) -> list[str]:
        """The first of those that were not asked for lately."""
        for key in asked.keys() - self.wanted.all:
            del asked[key]
        due = [key for key in keys if now - asked.get(key, float("-inf")) > SEEN_AGAIN_S][:50]
        asked.update(dict.fromkeys(due, now))
        return due

    def _session_for_s(self, at: datetime) -> float | None:
        """Seconds since the first of our indices' sessions opened; None when all are closed."""
        opened = [state.opens_at for state in self._states(at) if state.is_open and state.opens_at is not None]
        return (at - min(opened)).total_seconds() if opened else None

    def _states(self, at: datetime) -> list[MarketState]:
        return [calendar.market_state(exchange, at) for exchange in {key.partition(":")[0] for key in self.wanted.indices}]

    def _live_for_s(self, now: float) -> float | None:
        since = self.stream.live_since if self.stream is not None else None
        return None if since is None else now - since

    def index_silent_s(self, now: float) -> float | None:
        return None if self._index_ticked_at is None else now - self._index_ticked_at

    def left_out(self) -> int:
        return len(self.wanted.all) - len(self._keys)

    def figures(self) -> dict[str, Any]:
        """What the feed is doing, for the heartbeat."""
        now, at = clock.monotonic(), clock.now()
        self._measure(now)
        stream, silence = self.stream, self.index_silent_s(now)
        ages = ((key, self._age(key, at)) for key in self._keys)
        lag, self._lag_s = self._lag_s, None
        return {
            "account_id": self._source.pk if self._source else None,
            "source": self._source.name if self._source else "",
            "state": stream.link.value if stream else Link.STOPPED.value,
            "error": stream.last_error if stream and stream.link is not Link.LIVE else "",
            "since_s": None if self._live_for_s(now) is None else round(self._live_for_s(now) or 0.0, 1),
            "ticks": self.tape.accepted,
            "ticks_per_s": round(self._rate, 1),
            "index_age_s": None if silence is None else round(silence, 1),
            "lag_ms": None if lag is None else round(lag * 1000, 1),
            "wanted": len(self._keys),
            "open": len(self.wanted.open),
            "left_out": self.left_out(),
            "acknowledged": len(stream.ledger.acknowledged & self._keys) if stream else 0,
            "refused": len(stream.ledger.refused) if stream else 0,
            "silent": len(silent(ages, after_s=5.0)),
            "reconnects": max(stream.connects - 1, 0) if stream else 0,
            "bad_prices": self.tape.refused,
            "doubted": self.tape.doubts,
            "repeats": self.tape.repeats,
            "broken_frames": stream.broken_frames if stream else 0,
            "asked": self.asker.answered,
            "slowest_guard_ms": round(self.guards.take_slowest_ms(), 2),
        }

    def _measure(self, now: float) -> None:
        counted, before = self._counted
        if now - before >= 1.0:
            self._rate = (self.tape.accepted - counted) / (now - before)
            self._counted = (self.tape.accepted, now)
