"""A plan as the drawer shows it: rows in sending order, who is skipped, and the exact words of the send button."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from algomirror.kernel.money import ZERO, sign
from strategies.domain.plans import PlannedLine, decode
from strategies.domain.sizes import Size, decode_size, timetable
from strategies.models import Plan


@dataclass(frozen=True, slots=True)
class Snap:
    name: str
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class Timed:
    """A line with the earliest second after the start at which the rate limit lets its first order out."""

    line: PlannedLine
    earliest_s: Decimal


@dataclass(frozen=True, slots=True)
class PlanPage:
    plan: Plan
    lines: tuple[PlannedLine, ...]
    spots: tuple[Snap, ...]
    orders: int
    accounts: int
    mode: str
    net_premium: Decimal
    warnings: list[str]
    limits: dict[str, Any]
    reduce_only: bool
    sizes: tuple[Size, ...] = ()
    timed: tuple[Timed, ...] = ()

    @property
    def formula(self) -> str:
        return next((size.formula for size in self.sizes if size.formula), "")

    @property
    def sizing_words(self) -> str:
        terms = self.plan.terms.get("sizing") or {}
        policy = terms.get("policy", "LOWER_OF_BOTH").replace("_", " ").lower()
        how = (
            f"Grade {terms['grade']}"
            if terms.get("mode") == "GRADE"
            else f"Allocation {terms.get('allocation', 'EQUAL').lower()}"
        )
        return f"{how}, margin by {policy}."

    @property
    def is_live(self) -> bool:
        return self.mode == "LIVE"

    @property
    def button(self) -> str:
        accounts = f"{self.accounts} {self.mode.lower()} account{'s' if self.accounts != 1 else ''}"
        if self.reduce_only:
            return f"Reduce exactly this in {accounts}"
        return f"Send exactly this: {self.orders} order{'s' if self.orders != 1 else ''} to {accounts}"

    @property
    def topics(self) -> str:
        """What ticks while the plan is looked at, also of expiries whose chain nobody watches."""
        return " ".join(f"symbols:{key}" for key in dict.fromkeys(line.key for line in self.lines))

    @property
    def action(self) -> str:
        return "/ticket/send" if self.plan.kind == Plan.Kind.TICKET else "/runs/start"

    @property
    def until_ms(self) -> int:
        return int(self.plan.expires_at.timestamp() * 1000)


def plan_page(plan: Plan) -> PlanPage:
    lines = tuple(decode(row) for row in plan.lines)
    sizes = tuple(decode_size(row) for row in plan.terms.get("sizes", ()))
    spots = plan.snapshot.get("spot") or {}
    return PlanPage(
        plan=plan,
        lines=lines,
        spots=tuple(Snap(name, None if price is None else Decimal(price)) for name, price in spots.items()),
        orders=sum(len(line.slices) for line in lines),
        accounts=len({line.account_id for line in lines}),
        mode=plan.terms["mode"],
        net_premium=sum((-sign(line.action) * line.units * (line.decision_price or ZERO) for line in lines), ZERO),
        warnings=plan.terms["warnings"],
        limits=plan.terms.get("limits") or {},
        reduce_only=bool(plan.terms.get("reduce_only")),
        sizes=sizes,
        timed=_timed(lines, sizes),
    )


def _timed(lines: Sequence[PlannedLine], sizes: Sequence[Size]) -> tuple[Timed, ...]:
    rates = {size.account_id: size.rate for size in sizes}
    seconds: dict[int, list[Decimal]] = {}
    for account_id in dict.fromkeys(line.account_id for line in lines):
        counts = [len(line.slices) for line in lines if line.account_id == account_id]
        seconds[account_id] = timetable(counts, rates.get(account_id, 1))
    return tuple(Timed(line, seconds[line.account_id].pop(0)) for line in lines)
