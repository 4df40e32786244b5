"""Who is watching what. A session belongs to its user, lives by its heartbeat, and is dropped when the tab leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db.models import QuerySet

from algomirror.kernel import clock, ids
from algomirror.kernel.errors import Refused
from marketdata import quotes, selectors
from marketdata.domain import strikes
from marketdata.domain.quotes import Quote
from marketdata.models import Instrument, Underlying, ViewingSession

LIVES_S = 300
MAX_WIDTH = 50
MAX_SYMBOLS = 100


@dataclass(frozen=True, slots=True)
class ChainTopic:
    """`chain:<UNDERLYING>:<YYYY-MM-DD>:<strikes each side>`."""

    underlying: str
    expiry: date
    width: int

    @property
    def text(self) -> str:
        return f"chain:{self.underlying}:{self.expiry.isoformat()}:{self.width}"


def parse_chain(topic: str) -> ChainTopic:
    parts = topic.split(":")
    try:
        _, symbol, day, width = parts
        parsed = ChainTopic(symbol, date.fromisoformat(day), int(width))
    except ValueError:
        raise Refused("A chain topic is chain:UNDERLYING:YYYY-MM-DD:WIDTH.", fields={"topic": "malformed"}) from None
    if not 1 <= parsed.width <= MAX_WIDTH or parsed.text != topic:
        raise Refused(f"The chain's width is 1 to {MAX_WIDTH} strikes each side.", fields={"topic": "width"})
    return parsed


def parse_symbols(topic: str) -> list[str]:
    keys = [key for key in dict.fromkeys(topic.partition(":")[2].split(",")) if key]
    if not 1 <= len(keys) <= MAX_SYMBOLS:
        raise Refused(f"1 to {MAX_SYMBOLS} symbols, separated by commas.", fields={"topic": "symbols"})
    known = _known(keys)
    if unknown := [key for key in keys if key not in known]:
        raise Refused(f"Not in the instrument list: {', '.join(unknown[:5])}.", fields={"topic": "symbols"})
    return keys


def open_chain(user_id: int, topic: str) -> ViewingSession:
    """A session for the strikes around the present spot. The symbols follow spot through `recentre`."""
    chain = parse_chain(topic)
    return _open(user_id, topic, chain_keys(chain, centre(chain.underlying, chain.expiry)))


def open_symbols(user_id: int, topic: str) -> ViewingSession:
    return _open(user_id, topic, parse_symbols(topic))


def stored_topic(topic: str) -> str:
    """The name a session is kept and pushed under; the text of many symbols is longer than the column."""
    if topic.startswith("chain:"):
        return topic
    return "symbols:" + hashlib.sha256(topic.encode()).hexdigest()[:40]


def _open(user_id: int, topic: str, keys: list[str]) -> ViewingSession:
    return ViewingSession.objects.create(
        key=ids.new_key(), user_id=user_id, topic=stored_topic(topic), symbols=keys, expires=_end()
    )


def heartbeat(keys: Iterable[str]) -> None:
    ViewingSession.objects.filter(key__in=list(keys)).update(expires=_end())


def close(keys: Iterable[str]) -> None:
    ViewingSession.objects.filter(key__in=list(keys)).delete()


def chains_of(user_id: int) -> QuerySet[ViewingSession]:
    """The chains that this person watches now; nobody else sees or ends them."""
    return ViewingSession.objects.filter(user_id=user_id, topic__startswith="chain:", expires__gt=clock.now())


def forget_expired() -> None:
    ViewingSession.objects.filter(expires__lt=clock.now()).delete()


def recentre(key: str, chain: ChainTopic, at: Decimal) -> list[str]:
    """Move a session to another centre; its symbols from now on."""
    keys = chain_keys(chain, at)
    ViewingSession.objects.filter(key=key).update(symbols=keys, expires=_end())
    return keys


def centre(underlying: str, expiry: date, spot: Quote | None = None) -> Decimal | None:
    """The at-the-money strike by the newest index price of any age; the middle of the list when there is none.

    For showing only: an order's strike is resolved from a fresh price. None when nothing is listed.
    """
    row = Underlying.objects.filter(symbol=underlying, enabled=True).first()
    if row is None:
        raise Refused(f"{underlying} is not an enabled underlying", fields={"topic": "underlying"})
    listed = selectors.strikes(underlying, expiry)
    if not listed:
        return None
    key = f"{row.index_exchange}:{row.symbol}"
    spot = spot or quotes.get([key]).get(key)
    if spot is None:
        return listed[len(listed) // 2]
    try:
        return strikes.atm(spot.last_price, listed, row.strike_step)
    except Refused:
        return min(listed, key=lambda strike: abs(strike - spot.last_price))


def chain_keys(chain: ChainTopic, at: Decimal | None) -> list[str]:
    """The index and both sides of every shown strike."""
    keys = [selectors.index_key(chain.underlying)]
    if at is not None:
        for pair in selectors.chain_instruments(chain.underlying, chain.expiry, at, chain.width).values():
            keys.extend(row.key for row in pair.values())
    return keys


def live() -> dict[str, set[str]]:
    """Topic -> symbols of all sessions alive now."""
    found: dict[str, set[str]] = {}
    for topic, symbols in ViewingSession.objects.filter(expires__gt=clock.now()).values_list("topic", "symbols"):
        found.setdefault(topic, set()).update(symbols)
    return found


def _known(keys: list[str]) -> set[str]:
    pairs = [key.partition(":") for key in keys]
    rows = Instrument.objects.filter(symbol__in=[symbol for _, _, symbol in pairs])
    return {row.key for row in rows} & set(keys)


def _end() -> datetime:
    return clock.now() + timedelta(seconds=LIVES_S)
