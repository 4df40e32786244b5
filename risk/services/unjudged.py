"""A daily limit whose P&L is not known protects nobody: after a minute of an open market a person is told, once."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import redis

from algomirror.ops import alarms, queue
from marketdata import calendar
from risk.models import AccountLimits
from risk.services import grouped
from risk.services.ceilings import PLATFORM
from trading.pages import day as day_pages

log = logging.getLogger(__name__)

ALARM_S = 60.0
# Since when each limit has not been judged, of all workers that sweep; empty once the person was told.
SINCE = "am:risk:unjudged"
# Sweeps come each second: what none has confirmed for so long is a new beginning.
KEPT_S = 30


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A limit that waits for prices, or for closes before the day, of these instruments, which trade now."""

    name: str
    missing: frozenset[str]
    account_id: int | None = None


def found(
    rows: Iterable[AccountLimits], groups: Iterable[grouped.Limited], today: day_pages.Today, now: datetime
) -> dict[str, Unjudged]:
    """The daily limits that cannot be judged, by scope. A closed market has no prices to miss."""
    seen: dict[str, Unjudged] = {}
    for row in rows:
        if row.daily_loss is None and row.daily_profit is None:
            continue
        if row.account is None:
            seen["platform"] = Unjudged(PLATFORM, _lacking(today, None))
        else:
            seen[f"account:{row.account.pk}"] = Unjudged(row.account.name, _lacking(today, {row.account.pk}), row.account.pk)
    for group in groups:
        seen[f"group:{group.pk}"] = Unjudged(f"Group {group.name}", _lacking(today, group.accounts))
    missing = frozenset[str]().union(*(one.missing for one in seen.values()))
    is_open = {exchange: calendar.is_open(exchange, now) for exchange in {key.partition(":")[0] for key in missing}}
    trading = {key for key in missing if is_open[key.partition(":")[0]]}
    return {scope: replace(one, missing=lacks) for scope, one in seen.items() if (lacks := one.missing & trading)}


def _lacking(today: day_pages.Today, accounts: Collection[int] | None) -> frozenset[str]:
    """Of both modes: each is judged by itself, and either may be blind. Of what cannot be added up the limit's own look has
    told already, and the others go on."""
    try:
        return frozenset(key for mode in day_pages.MODES for key in today.made(mode, accounts).missing)
    except Exception:
        log.exception("not known what a limit lacks accounts=%s", accounts)
        return frozenset()


def watch(unjudged: Mapping[str, Unjudged], now: datetime) -> None:
    """Note since when, and tell. What cannot be noted is logged: the limits that can be judged are not held up."""
    try:
        _note(unjudged, now)
    except (redis.RedisError, OSError) as error:
        log.warning("unjudged limits not noted error=%s", type(error).__name__)


def _note(unjudged: Mapping[str, Unjudged], now: datetime) -> None:
    client = queue.client()
    since = {scope.decode(): at.decode() for scope, at in client.hgetall(SINCE).items()}  # type: ignore[union-attr]
    if not since and not unjudged:
        return
    if judged := since.keys() - unjudged.keys():
        client.hdel(SINCE, *judged)
    for scope, one in unjudged.items():
        if scope not in since:
            client.hsetnx(SINCE, scope, str(now.timestamp()))
        elif since[scope] and (blind_s := now.timestamp() - float(since[scope])) >= ALARM_S:
            _ring(scope, one, blind_s)
            client.hset(SINCE, scope, "")
    client.expire(SINCE, KEPT_S)


def _ring(scope: str, one: Unjudged, blind_s: float) -> None:
    """Who is limited to some accounts learns nothing of what the others hold."""
    what = f"{len(one.missing)} instruments" if one.account_id is None else ", ".join(sorted(one.missing))
    text = f"{one.name}: the daily limit cannot be judged for {blind_s:.0f} s. No price, or no close before, of {what}."
    alarms.ring("BLIND_LIMIT", text, key=scope, account_id=one.account_id, seconds=round(blind_s, 1))
