"""What a plan's orders will cost in charges, by the rates in force today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.money import Action, opposite
from risk.services import margins
from strategies.domain.resolve import Line, scaled
from strategies.domain.sizes import Size
from trading.domain.charges import Charges, Rates, charges

Known = dict[tuple[str, bool], Rates]


def with_charges(sizes: Sequence[Size], lines: Sequence[Line], accounts: Sequence[Account]) -> list[Size]:
    """Each size with the charges of entering, and of entering and leaving at the same price; None where a rate is missing."""
    book, today = margins.RateBook(), clock.today()
    kinds = {(line.contract.exchange, line.contract.kind == "FUT") for line in lines}
    known = {kind: rates for kind in kinds if (rates := book.on(*kind, today)) is not None}
    brokerage = {account.pk: account.brokerage_per_order for account in accounts}
    return [_charged(size, lines, known, brokerage[size.account_id]) if size.structures else size for size in sizes]


def _charged(size: Size, lines: Sequence[Line], known: Known, brokerage: Decimal) -> Size:
    entry, leave = Charges(), Charges()
    for line in lines:
        rates = known.get((line.contract.exchange, line.contract.kind == "FUT"))
        if rates is None:
            return size
        whole = scaled(line, line.lots * size.structures)
        value = whole.units * whole.decision_price

        def side(action: Action, whole: Line = whole, value: Decimal = value, rates: Rates = rates) -> Charges:
            return charges(action, value, orders=len(whole.slices), brokerage_per_order=brokerage, rates=rates)

        entry, leave = entry + side(line.action), leave + side(opposite(line.action))
    return replace(size, charges=entry.total, round_trip=(entry + leave).total)
