"""Minutes that we did not watch, read from the history of a server: for what is watched as a chart and for what is open."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

import redis

from accounts.gateway.directory import gateway_for
from accounts.gateway.reports import Failed, HistoryBar
from algomirror.kernel import clock
from algomirror.kernel.money import to_paisa
from algomirror.ops import hooks
from algomirror.ops.push import push
from algomirror.ops.queue import client
from marketdata import calendar, candles, viewing
from marketdata.domain.sessions import Window
from marketdata.models import Candle1m
from marketdata.rest import feed_accounts

log = logging.getLogger(__name__)

MINUTE = timedelta(minutes=1)
# A server's history lags; the last minutes are ours to build.
LAGS = timedelta(minutes=2)
# A strike that does not trade has holes for ever: it is asked again, but not with every beat.
ASKED_AGAIN_S = 300
MOST_KEYS = 20
WELL_COVERED_S = 55
CHUNK = 500


def wanted() -> list[str]:
    """Instruments of open positions first, then those of charts that are looked at now."""
    viewed = (keys for topic, keys in sorted(viewing.live().items()) if topic.startswith("symbols:"))
    return list(dict.fromkeys([*sorted(hooks.call("open_symbols")), *(key for keys in viewed for key in sorted(keys))]))


def due(keys: Iterable[str], now: datetime) -> list[str]:
    """Those with unwatched minutes, which were not asked for lately."""
    found = []
    for key in keys:
        sessions = candles.windows(key.partition(":")[0], candles.MOST_DAYS, now)
        if sessions and _has_holes(key, sessions, now) and _claim(key):
            found.append(key)
        if len(found) >= MOST_KEYS:
            break
    return found


def _has_holes(key: str, sessions: list[Window], now: datetime) -> bool:
    until = now - LAGS
    expected = sum(max(int((min(w.closes_at, until) - w.opens_at) / MINUTE), 0) for w in sessions)
    return len(_good(key, sessions[0].opens_at, until)) < expected


def _good(key: str, since: datetime, until: datetime) -> set[datetime]:
    rows = Candle1m.objects.filter(key=key, minute__gte=since, minute__lt=until)
    return {
        minute
        for minute, source, covered_s in rows.values_list("minute", "source", "covered_s")
        if source == Candle1m.Source.HISTORY or covered_s >= WELL_COVERED_S
    }


def _claim(key: str) -> bool:
    try:
        return bool(client().set(f"am:history:{key}", 1, nx=True, ex=ASKED_AGAIN_S))
    except (redis.RedisError, OSError):
        return False


def run(now: datetime | None = None) -> dict[str, int]:
    """Fill what is due; rows written by key. Not in a transaction."""
    now = now or clock.now()
    accounts = feed_accounts()
    if not accounts:
        return {}
    written = {}
    for key in due(wanted(), now):
        exchange, _, symbol = key.partition(":")
        sessions = candles.windows(exchange, candles.MOST_DAYS, now)
        start, end = (at.astimezone(clock.IST).date() for at in (sessions[0].opens_at, now))
        answer = gateway_for(accounts[0]).history(exchange=exchange, symbol=symbol, start=start, end=end)
        if isinstance(answer, Failed):
            log.info("history failed account=%s key=%s why=%s", accounts[0].pk, key, answer.why)
            continue
        written[key] = store(key, answer.value, now)
    if any(written.values()):
        _tell(set(written))
    return written


def store(key: str, bars: Iterable[HistoryBar], now: datetime) -> int:
    """Keep the bars of past minutes within sessions; a minute that we watched well ourselves stays as we saw it."""
    exchange = key.partition(":")[0]
    past = [bar for bar in bars if bar.at + MINUTE <= now - LAGS and bar.at.second == 0 and calendar.is_open(exchange, bar.at)]
    if not past:
        return 0
    good = _good(key, past[0].at, past[-1].at + MINUTE)
    rows = [_row(key, bar) for bar in past if bar.at not in good]
    Candle1m.objects.bulk_create(
        rows,
        batch_size=CHUNK,
        update_conflicts=True,
        unique_fields=["key", "minute"],
        update_fields=["open", "high", "low", "close", "volume", "open_interest", "source", "covered_s"],
    )
    return len(rows)


def _row(key: str, bar: HistoryBar) -> Candle1m:
    return Candle1m(
        key=key,
        minute=bar.at,
        open=to_paisa(bar.open),
        high=to_paisa(bar.high),
        low=to_paisa(bar.low),
        close=to_paisa(bar.close),
        volume=bar.volume,
        open_interest=bar.open_interest,
        source=Candle1m.Source.HISTORY,
        covered_s=60,
    )


def _tell(keys: set[str]) -> None:
    """Charts that show one of these read again."""
    for topic, watched in viewing.live().items():
        if topic.startswith("symbols:") and watched & keys:
            push(topic, "changed")
