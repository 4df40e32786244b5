"""The option chain page's reads: a known number of queries, prices from the quote store only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured

from algomirror.ops import hooks
from marketdata import calendar, quotes, selectors, viewing
from marketdata.domain import chain, greeks
from marketdata.domain.quotes import Quote
from marketdata.models import Underlying


@dataclass(frozen=True)
class Shown:
    """One contract's computed columns; None when its quotes do not give them."""

    iv_percent: Decimal | None = None
    delta: Decimal | None = None


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
    known = quotes.get(contract.key for pair in listed.values() for contract in pair.values())
    rows = chain.rows(listed, known, atm=atm, step=underlying.strike_step, held=held())
    return ChainView(underlying, expiry, width, key, spot, atm, rows, computed(rows, underlying, expiry, now))


def held() -> frozenset[str]:
    """Instruments that any account holds, for marking only."""
    try:
        return frozenset(hooks.call("open_symbols"))
    except (KeyError, ImportError):
        raise ImproperlyConfigured("settings.HOOKS must name open_symbols") from None


def computed(rows: list[chain.Row], underlying: Underlying, expiry: date, now: datetime) -> dict[str, Shown]:
    """Implied volatility and delta from two-sided quotes; a contract without them is absent."""
    close = calendar.session_close(underlying.derivative_exchange, expiry)
    forward = chain.implied_forward(rows)
    if close is None or forward is None or now >= close:
        return {}
    years = (close - now).total_seconds() / greeks.YEAR_S
    found = {}
    for row in rows:
        for kind, side in (("CE", row.call), ("PE", row.put)):
            if side is None or side.mid is None:
                continue
            value = greeks.greeks("CE" if kind == "CE" else "PE", float(side.mid), float(forward), float(row.strike), years)
            if value is not None:
                found[side.key] = Shown(_rounded(value.iv * 100), _rounded(value.delta))
    return found


def values(view: ChainView) -> dict[str, str | int | None]:
    """What changes in the cards and behind the numbers, by the keys of the page's cells."""
    pushed: dict[str, str | int | None] = {
        "chain:pcr": _text(view.put_call_ratio),
        "chain:max_pain": _text(view.max_pain),
        "chain:volume": view.volume,
    }
    for row in view.rows:
        for side in (row.call, row.put):
            if side is None:
                continue
            shown = view.computed.get(side.key, Shown())
            pushed[f"share:{side.key}"] = _text(side.oi_share)
            pushed[f"iv:{side.key}"] = _text(shown.iv_percent)
            pushed[f"delta:{side.key}"] = _text(shown.delta)
    return pushed


def _rounded(value: float) -> Decimal:
    return Decimal(f"{value:.2f}")


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)
