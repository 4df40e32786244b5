"""What trading cost beside its result: how well orders were filled, and what each kind of charge took."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from algomirror.kernel.money import ZERO, to_paisa
from strategies.analytics.page import Sum
from trading.domain.charges import Charges


@dataclass(frozen=True, slots=True)
class Execution:
    """Rupees. `slippage` is minus when worse than decided, None when nothing was decided at a price; `share` its percent of
    what was traded. `cost` is charges less slippage, None while either is unknown.
    """

    name: str
    run: int | None
    orders: int
    fills: int
    turnover: Decimal
    slippage: Decimal | None
    share: Decimal | None
    charges: Decimal | None
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Cost:
    """Rupees, each part rounded for itself; None while a rate of one of the days is missing.

    `total` is what net is reckoned with: every order rounded, so the parts may differ from it by paisa.
    """

    name: str
    run: int | None
    orders: int
    brokerage: Decimal | None
    stt: Decimal | None
    exercise_stt: Decimal | None
    transaction: Decimal | None
    sebi: Decimal | None
    stamp: Decimal | None
    gst: Decimal | None
    total: Decimal | None


def execution(one: Sum, *, is_run: bool = False) -> Execution:
    share = one.slippage_share
    return Execution(
        name=one.name,
        run=one.key if is_run else None,
        orders=one.orders,
        fills=sum(cut.earned.fills for cut in one.cuts),
        turnover=one.turnover,
        slippage=one.slippage,
        share=None if share is None else share.quantize(Decimal("0.0001")),
        charges=one.charges,
        cost=None if one.slippage is None or one.charges is None else one.charges - one.slippage,
    )


def cost(one: Sum, *, is_run: bool = False) -> Cost:
    name, run, orders = one.name, one.key if is_run else None, one.orders
    if one.charges is None:
        return Cost(name, run, orders, *[None] * 8)
    parts = sum((part for cut in one.cuts for part in cut.parts), Charges())
    return Cost(
        name=name,
        run=run,
        orders=orders,
        brokerage=to_paisa(parts.brokerage),
        stt=to_paisa(parts.stt),
        exercise_stt=sum((cut.exercise for cut in one.cuts), ZERO),
        transaction=to_paisa(parts.transaction),
        sebi=to_paisa(parts.sebi),
        stamp=to_paisa(parts.stamp),
        gst=to_paisa(parts.gst),
        total=one.charges,
    )
