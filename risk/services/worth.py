"""What every open position is worth now, pushed to the pages that show it: the cells of positions and of accounts."""

from __future__ import annotations

from algomirror.kernel import clock
from algomirror.ops import push
from marketdata import quotes as store
from marketdata.domain.quotes import fresh_or_none
from trading.domain.pnl import leg_unrealised
from trading.models import Position

TOPIC = "positions"
_COLUMNS = ("id", "exchange", "symbol", "units", "open_value")


class Worth:
    """Remembers what it said last, so that a quiet market sends nothing."""

    def __init__(self) -> None:
        self._said: dict[str, str | None] = {}

    def publish(self) -> int:
        """One query, one look at the quote store; how many values were pushed."""
        values = self.values()
        changed = {key: value for key, value in values.items() if key not in self._said or self._said[key] != value}
        self._said = values
        if changed:
            push.push(TOPIC, "values", v=changed)
        return len(changed)

    def values(self) -> dict[str, str | None]:
        """Unrealised rupees by the key of the cell; None where the price is not fresh."""
        held = list(Position.objects.exclude(units=0).values_list(*_COLUMNS))
        now, bounds = clock.now(), store.bounds()
        quotes = store.get({f"{exchange}:{symbol}" for _, exchange, symbol, _, _ in held})
        values: dict[str, str | None] = {}
        for position_id, exchange, symbol, units, open_value in held:
            quote = fresh_or_none(quotes.get(f"{exchange}:{symbol}"), now, bounds)
            worth = None if quote is None else leg_unrealised(units, open_value, quote.deciding_price)
            values[f"pos:{position_id}:pnl"] = None if worth is None else f"{worth:.2f}"
        return values
