"""Own fills as charts mark them; the market room asks for them by hook."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from trading.models import Fill

MOST = 500


def fills_of(keys: Iterable[str], since: datetime) -> list[dict[str, Any]]:
    """Fills of these "EXCHANGE:SYMBOL" keys since then, oldest first: at, action, units, price, symbol, account."""
    wanted = set(keys)
    rows = (
        Fill.objects.filter(symbol__in=[key.partition(":")[2] for key in wanted], first_seen_at__gte=since)
        .order_by("-first_seen_at")
        .values("first_seen_at", "exchange", "symbol", "action", "units", "value", "account__name")[:MOST]
    )
    return [
        {
            "at": row["first_seen_at"],
            "action": row["action"],
            "units": row["units"],
            "price": (row["value"] / row["units"]).quantize(Decimal("0.01")),
            "symbol": row["symbol"],
            "account": row["account__name"],
        }
        for row in reversed(rows)
        if f"{row['exchange']}:{row['symbol']}" in wanted
    ]
