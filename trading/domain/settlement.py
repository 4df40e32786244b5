"""What an expired contract is worth: the exchange's rule on the index close."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from algomirror.kernel.money import ZERO, to_paisa


def settled_at(kind: Literal["CE", "PE", "FUT"], strike: Decimal | None, index_close: Decimal) -> Decimal:
    """Rupees a unit: the intrinsic value of an option, 0 out of the money; the index itself for a future."""
    if kind == "FUT":
        return to_paisa(index_close)
    if strike is None:
        raise ValueError("an option has a strike")
    value = index_close - strike if kind == "CE" else strike - index_close
    return to_paisa(max(value, ZERO))
