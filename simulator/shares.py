"""Shares a simulated account may hold, so that holdings have something to show. Their prices stand still."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_LISTED = (
    ("RELIANCE", 40, "1398.20", "1452.65"),
    ("HDFCBANK", 75, "1712.40", "1689.95"),
    ("NIFTYBEES", 600, "271.35", "289.10"),
    ("TCS", 18, "3466.00", "3391.50"),
)


@dataclass(frozen=True, slots=True)
class Share:
    symbol: str
    quantity: int
    average: Decimal
    last: Decimal

    @property
    def invested(self) -> Decimal:
        return self.quantity * self.average

    @property
    def value(self) -> Decimal:
        return self.quantity * self.last


def of_account(index: int) -> list[Share]:
    """Other shares and numbers of them for every account."""
    picked = _LISTED[(index - 1) % 3 :][:2]
    return [Share(symbol, quantity * index, Decimal(average), Decimal(last)) for symbol, quantity, average, last in picked]


def body(shares: list[Share], *, is_paper: bool) -> dict[str, Any]:
    """As the server answers: paper rows tell average and price, rows of most live brokers do not."""
    value, invested = sum(s.value for s in shares), sum(s.invested for s in shares)
    gain = value - invested
    return {
        "holdings": [_row(share, is_paper=is_paper) for share in shares],
        "statistics": {
            "totalholdingvalue": float(value),
            "totalinvvalue": float(invested),
            "totalpnlpercentage": _percent(Decimal(gain), Decimal(invested)),
            "totalprofitandloss": float(gain),
        },
    }


def _row(share: Share, *, is_paper: bool) -> dict[str, Any]:
    gain = share.value - share.invested
    row: dict[str, Any] = {
        "exchange": "NSE",
        "pnl": float(gain),
        "pnlpercent": _percent(gain, share.invested),
        "product": "CNC",
        "quantity": share.quantity,
        "symbol": share.symbol,
    }
    if is_paper:
        row |= {"average_price": float(share.average), "ltp": float(share.last), "current_value": float(share.value)}
    return row


def _percent(gain: Decimal, invested: Decimal) -> float:
    return round(float(gain * 100 / invested), 2) if invested else 0.0
