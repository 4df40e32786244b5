"""The brokers' last own figures beside our margin table: kept from every basket that is of one kind of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from algomirror.kernel import clock
from algomirror.kernel.money import to_paisa
from risk.domain.sizing import Part
from risk.models import MarginRequirement
from strategies.models import BasketFigure
from strategies.services.sizing import Structure

Kind = MarginRequirement.Kind
Cell = tuple[str, str, bool]


@dataclass(frozen=True, slots=True)
class _Basket:
    underlying: str
    kind: Kind
    is_expiry: bool
    lots: int


def keep(structure: Structure, totals: Mapping[int, tuple[int, Decimal | None]]) -> None:
    """`totals`: by account, how many structures were asked for and the rupees; None was not said and leaves what was known.

    A structure of several kinds, strikes of one side or expiries says nothing about one figure, and is let go; so is MIS,
    which brokers margin their own way.
    """
    basket = _basket(structure)
    if basket is None or structure.product != "NRML":
        return
    symbols = ", ".join(f"{line.action} {line.contract.symbol}" for line in structure.lines)
    rows = [
        BasketFigure(
            account_id=account_id,
            underlying=basket.underlying,
            kind=basket.kind,
            is_expiry=basket.is_expiry,
            rupees=to_paisa(rupees / (k * basket.lots)),
            symbols=symbols,
            asked_at=clock.now(),
        )
        for account_id, (k, rupees) in totals.items()
        if k > 0 and rupees is not None and rupees > 0
    ]
    BasketFigure.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["account", "underlying", "kind", "is_expiry"],
        update_fields=["rupees", "symbols", "asked_at"],
    )


def _basket(structure: Structure) -> _Basket | None:
    parts = structure.parts
    first, kind = parts[0], _kind(parts)
    is_one = all((p.underlying, p.is_expiry, p.lots) == (first.underlying, first.is_expiry, first.lots) for p in parts)
    expiries = {line.contract.expiry for line in structure.lines}
    return _Basket(first.underlying, kind, first.is_expiry, first.lots) if kind and is_one and len(expiries) == 1 else None


def _kind(parts: tuple[Part, ...]) -> Kind | None:
    sides = sorted((part.kind, part.action) for part in parts)
    if sides == [("CE", "SELL"), ("PE", "SELL")]:
        return Kind.SHORT_PAIR
    if len(sides) != 1:
        return None
    kind, action = sides[0]
    return Kind.FUTURE if kind == "FUT" else Kind.SHORT_SINGLE if action == "SELL" else Kind.OPTION_BUY


def newest() -> dict[Cell, BasketFigure]:
    """The last figure of any account that still counts, by underlying, kind and day."""
    rows = BasketFigure.objects.filter(account__archived_at=None).select_related("account").order_by("asked_at", "pk")
    return {(row.underlying, row.kind, row.is_expiry): row for row in rows}
