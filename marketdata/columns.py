"""Which columns of the chain a person sees. LTP, strike and the tags are always there."""

from __future__ import annotations

from collections.abc import Iterable

from accounts.models import User
from marketdata.models import ChainColumns

COLUMNS = {
    "oi": "Open interest",
    "doi": "Change in OI",
    "volume": "Volume",
    "iv": "IV",
    "delta": "Delta",
    "gamma": "Gamma",
    "theta": "Theta",
    "vega": "Vega",
    "quantity": "Bid and ask quantity",
    "price": "Bid and ask",
    "spread": "Spread",
}
# As many as fit on a laptop without moving the table sideways.
DEFAULT = ("oi", "doi", "iv", "delta", "price")


def chosen_columns(user: User) -> frozenset[str]:
    row = ChainColumns.objects.filter(user=user).first()
    return frozenset(DEFAULT if row is None else row.names) & COLUMNS.keys()


def cells_across(columns: frozenset[str]) -> int:
    """Cells of one side of a row: two names stand for a pair, and LTP and the tag are always there."""
    return len(columns) + len(columns & {"quantity", "price"}) + 2


def remember(user: User, names: Iterable[str]) -> None:
    ChainColumns.objects.update_or_create(user=user, defaults={"names": sorted(set(names) & COLUMNS.keys())})
