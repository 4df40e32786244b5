"""What a browser may subscribe to, and what a subscription starts."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from algomirror.kernel.errors import Refused
from algomirror.ops import hooks, queue, sight
from marketdata import quotes, selectors, viewing
from marketdata.domain import strikes
from marketdata.viewing import ChainTopic
from marketdata.wire import ticks

PLAIN = frozenset(
    {"webhooks", "market", "frame", "orders", "positions", "runs", "risk", "accounts", "alerts", "alarms", "readiness", "feeds"}
)
_RUN = re.compile(r"^run:[1-9]\d{0,17}$")


@dataclass
class Subscription:
    """`topic` is the browser's word, `stored` the one the feed pushes under."""

    topic: str
    stored: str
    keys: list[str]
    session: str = ""
    chain: ChainTopic | None = None
    index: str = ""
    centre: Decimal | None = None
    listed: tuple[Decimal, ...] = ()
    step: Decimal = Decimal(1)


def subscribe(user_id: int, topic: str) -> Subscription:
    """Raises Refused for a topic that does not exist."""
    if topic in PLAIN or (_RUN.match(topic) and _is_seen(topic)):
        keys = list(selectors.index_keys().values()) if topic == "market" else []
        return Subscription(topic, topic, keys)
    if topic.startswith("chain:"):
        return _chain(user_id, topic)
    if topic.startswith("symbols:"):
        session = viewing.open_symbols(user_id, topic)
        queue.enqueue("signals", "marketdata.tasks.backfill_candles", key="candles", waits_s=60)
        return Subscription(topic, session.topic, session.symbols, session.key)
    raise Refused("There is no such topic.", fields={"topic": "unknown"})


def _is_seen(topic: str) -> bool:
    """A run of another account is told of like one that does not exist."""
    return not sight.is_limited() or bool(hooks.call("seen_runs").filter(pk=int(topic.partition(":")[2])).exists())


def _chain(user_id: int, topic: str) -> Subscription:
    chain = viewing.parse_chain(topic)
    underlying = selectors.underlying(chain.underlying)
    session = viewing.open_chain(user_id, topic)
    return Subscription(
        topic,
        session.topic,
        session.symbols,
        session.key,
        chain,
        selectors.index_key(chain.underlying),
        viewing.centre(chain.underlying, chain.expiry),
        tuple(selectors.strikes(chain.underlying, chain.expiry)),
        underlying.strike_step,
    )


def snapshot(keys: Iterable[str]) -> dict[str, str]:
    """The newest stored prices as they are sent, so that a new subscriber need not wait for ticks."""
    return ticks(quotes.get(keys).values())


def drifted(subscriptions: list[Subscription]) -> list[tuple[Subscription, Decimal]]:
    """Chains whose spot now lies at another strike than their centre. One read for all."""
    chains = [sub for sub in subscriptions if sub.chain is not None and sub.listed]
    spots = quotes.get({sub.index for sub in chains})
    moved = []
    for sub in chains:
        spot = spots.get(sub.index)
        if spot is None:
            continue
        try:
            at = strikes.atm(spot.last_price, sub.listed, sub.step)
        except Refused:
            continue
        if at != sub.centre:
            moved.append((sub, at))
    return moved


def recentre(sub: Subscription, at: Decimal) -> list[str]:
    """Follow spot; the symbols that came into view."""
    assert sub.chain is not None
    before, sub.keys = set(sub.keys), viewing.recentre(sub.session, sub.chain, at)
    sub.centre = at
    return [key for key in sub.keys if key not in before]
