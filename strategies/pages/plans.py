"""A plan as the drawer shows it: rows in sending order, who is skipped, and the exact words of the send button."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from strategies.domain.plans import PlannedLine, decode
from strategies.models import Plan


@dataclass(frozen=True, slots=True)
class Snap:
    name: str
    price: Decimal | None


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
    def action(self) -> str:
        return "/ticket/send" if self.plan.kind == Plan.Kind.TICKET else "/runs/start"

    @property
    def until_ms(self) -> int:
        return int(self.plan.expires_at.timestamp() * 1000)


def plan_page(plan: Plan) -> PlanPage:
    lines = tuple(decode(row) for row in plan.lines)
    spots = plan.snapshot.get("spot") or {}
    return PlanPage(
        plan=plan,
        lines=lines,
        spots=tuple(Snap(name, None if price is None else Decimal(price)) for name, price in spots.items()),
        orders=sum(len(line.slices) for line in lines),
        accounts=len({line.account_id for line in lines}),
        mode=plan.terms["mode"],
        net_premium=Decimal(plan.terms["net_premium"]) * max(len({line.account_id for line in lines}), 1),
        warnings=plan.terms["warnings"],
        limits=plan.terms.get("limits") or {},
        reduce_only=bool(plan.terms.get("reduce_only")),
    )
