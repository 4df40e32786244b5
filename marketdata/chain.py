"""The option chain page's reads: a known number of queries, prices from the quote store only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured

from algomirror.kernel import clock
from algomirror.kernel.money import parse_decimal
from algomirror.ops import hooks
from marketdata import chain_figures, quotes, selectors, viewing
from marketdata.domain import chain
from marketdata.domain.quotes import Quote
from marketdata.models import Underlying


@dataclass(frozen=True)
class Shown:
    """One contract's computed columns; None when its quotes do not give them or nobody computed them yet."""

    iv_percent: Decimal | None = None
    delta: Decimal | None = None
    gamma: Decimal | None = None
    theta: Decimal | None = None
    vega: Decimal | None = None
    oi_change: int | None = None


@dataclass(frozen=True)
class ChainView:
    underlying: Underlying
    expiry: date
    width: int
    index_key: str
    spot: Quote | None
    atm: Decimal | None
    rows: list[chain.Row]
    computed: dict[str, Shown] = field(default_factory=dict)

    @property
    def topic(self) -> str:
        return viewing.ChainTopic(self.underlying.symbol, self.expiry, self.width).text

    @property
    def spot_ms(self) -> int | None:
        return None if self.spot is None else int(self.spot.received_at.timestamp() * 1000)

    @property
    def put_call_ratio(self) -> Decimal | None:
        return chain.put_call_ratio(self.rows)

    @property
    def max_pain(self) -> Decimal | None:
        return chain.max_pain(self.rows)

    @property
    def volume(self) -> int | None:
        return chain.volume(self.rows)

    @property
    def forward(self) -> Decimal | None:
        return chain.implied_forward(self.rows)


def chain_view(underlying: Underlying, expiry: date, width: int, now: datetime, *, centre: Decimal | None = None) -> ChainView:
    """The strikes around spot, or around `centre`, with the newest stored prices of any age."""
    key = f"{underlying.index_exchange}:{underlying.symbol}"
    spot = quotes.get([key]).get(key)
    atm = centre if centre is not None else viewing.centre(underlying.symbol, expiry, spot)
    if atm is None:
        return ChainView(underlying, expiry, width, key, spot, None, [])
    listed = {
        strike: {kind: chain.Listed(row.key, row.symbol, row.exchange, row.lot_units) for kind, row in pair.items()}
        for strike, pair in selectors.chain_instruments(underlying.symbol, expiry, atm, width).items()
    }
    keys = [contract.key for pair in listed.values() for contract in pair.values()]
    known = quotes.get(keys)
    rows = chain.rows(listed, known, atm=atm, step=underlying.strike_step, held=held())
    topic = viewing.ChainTopic(underlying.symbol, expiry, width).text
    return ChainView(underlying, expiry, width, key, spot, atm, rows, _computed(topic, keys, known, now))


def held() -> frozenset[str]:
    """Instruments that any account holds, for marking only."""
    try:
        return frozenset(hooks.call("open_symbols"))
    except (KeyError, ImportError):
        raise ImproperlyConfigured("settings.HOOKS must name open_symbols") from None


def _computed(topic: str, keys: list[str], known: dict[str, Quote], now: datetime) -> dict[str, Shown]:
    """What the feed computed lately; it follows within a second of the first browser that watches."""
    values = chain_figures.kept(topic)
    first = chain_figures.first_interest(keys, clock.trading_day(now))

    def number(name: str, key: str) -> Decimal | None:
        return parse_decimal(values.get(f"{name}:{key}"))

    def shown(key: str) -> Shown:
        figures = {name: number(name, key) for name in ("delta", "gamma", "theta", "vega")}
        return Shown(number("iv", key), **figures, oi_change=chain_figures.change(known.get(key), first.get(key)))

    return {key: shown(key) for key in keys}
