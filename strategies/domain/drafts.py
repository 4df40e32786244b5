"""A strategy as a form or a file states it, before anything is saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from typing import Final, Literal

from algomirror.kernel.errors import Refused
from algomirror.kernel.money import on_tick
from risk.domain.limits import LimitTerms
from risk.domain.sizing import Allocation, Policy, allocate
from risk.domain.terms import faults as risk_faults
from strategies.domain.legs import LegSpec, problems, structure
from trading.domain.prices import gap_fault

Condition = Literal["ANY", "EXPIRY", "NON_EXPIRY"]
SizingMode = Literal["FIXED_LOTS", "GRADE"]
Shortfall = Literal["SKIP_ACCOUNT", "REDUCE", "REFUSE_ALL"]

ONE: Final = Decimal(1)
MOST_TAGS: Final = 10


@dataclass(frozen=True, slots=True)
class SizingTerms:
    """How much each account takes. `grade` is its name, for GRADE only."""

    mode: SizingMode = "FIXED_LOTS"
    grade: str = ""
    allocation: Allocation = "EQUAL"
    policy: Policy = "LOWER_OF_BOTH"
    shortfall: Shortfall = "SKIP_ACCOUNT"


@dataclass(frozen=True, slots=True)
class ScheduleTerms:
    """Days and times in India. Days to expiry count calendar days to the nearest leg's contract; None does not filter."""

    weekdays: tuple[int, ...]
    entry: time
    latest: time
    days_to_expiry_min: int | None = None
    days_to_expiry_max: int | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    name: str
    product: Literal["NRML", "MIS"]
    account_ids: tuple[int, ...]
    legs: tuple[LegSpec, ...]
    limits: LimitTerms = field(default_factory=LimitTerms)
    description: str = ""
    hedge_wait_s: int = 10
    condition: Condition = "ANY"
    sizing: SizingTerms = field(default_factory=SizingTerms)
    # Factor by account id; 1 where it is absent.
    factors: Mapping[int, Decimal] = field(default_factory=dict)
    schedule: ScheduleTerms | None = None
    tags: tuple[str, ...] = ()

    def factor(self, account_id: int) -> Decimal:
        return self.factors.get(account_id, ONE)


def faults(draft: Draft, *, is_template: bool = False) -> dict[str, str]:
    """What forbids saving, by field."""
    found = problems(draft.legs)
    if not draft.name.strip():
        found["name"] = "a name is required"
    elif len(draft.name) > 80:
        found["name"] = "at most 80 letters"
    if not draft.account_ids and not is_template:
        found["accounts"] = "choose at least one account"
    if draft.product not in ("NRML", "MIS"):
        found["product"] = "NRML or MIS"
    if not 2 <= draft.hedge_wait_s <= 120:
        found["hedge_wait_s"] = "2 to 120 seconds"
    if len(draft.tags) > MOST_TAGS or any(not tag.strip() or len(tag) > 30 for tag in draft.tags):
        found["tags"] = f"at most {MOST_TAGS} words of at most 30 letters"
    if draft.sizing.mode == "GRADE" and not draft.sizing.grade:
        found["grade"] = "choose a grade"
    if draft.account_ids and draft.legs:
        found.update(_factor_faults(draft))
    if draft.schedule is not None:
        found.update(_schedule_faults(draft.schedule))
    return found | risk_faults(draft.limits.more, has_max_loss=draft.limits.has_hard_stop)


def _factor_faults(draft: Draft) -> dict[str, str]:
    weights = [draft.factor(account_id) for account_id in draft.account_ids]
    if any((weight <= 0 and draft.sizing.allocation == "EQUAL") or weight < 0 or weight > 99999 for weight in weights):
        return {"factors": "factors are above 0"}
    if draft.sizing.mode == "GRADE" or draft.sizing.allocation == "AVAILABLE_MARGIN":
        return {}
    try:
        allocate(draft.sizing.allocation, structure(draft.legs)[0], weights)
    except Refused as refused:
        return refused.fields or {"factors": refused.message}
    return {}


def _schedule_faults(terms: ScheduleTerms) -> dict[str, str]:
    found: dict[str, str] = {}
    if not terms.weekdays or any(not 0 <= day <= 6 for day in terms.weekdays):
        found["weekdays"] = "choose at least one weekday"
    if terms.entry >= terms.latest:
        found["latest_entry_time"] = "later than the entry time"
    low, high = terms.days_to_expiry_min, terms.days_to_expiry_max
    if low is not None and high is not None and low > high:
        found["days_to_expiry_max"] = "not below the smallest"
    return found


def gap_faults(legs: Sequence[LegSpec], exchanges: Mapping[str, str]) -> dict[str, str]:
    """Stops whose limit is farther from the trigger than their exchange takes. `exchanges`: by underlying."""
    found: dict[str, str] = {}
    for row, leg in enumerate(legs):
        if leg.price_type == "SL" and leg.limit_price and leg.trigger_price:
            said = gap_fault(leg.limit_price, leg.trigger_price, exchanges.get(leg.underlying, ""), future=leg.is_future)
            if said:
                found[f"legs-{row}-limit_price"] = said
    return found


def tick_faults(legs: Sequence[LegSpec], ticks: Mapping[tuple[str, bool], Decimal]) -> dict[str, str]:
    """Own prices that are on no tick. `ticks`: by underlying and whether it is a future; an unknown one is judged later."""
    found: dict[str, str] = {}
    for row, leg in enumerate(legs):
        tick = ticks.get((leg.underlying, leg.is_future))
        for name, value in (("limit_price", leg.limit_price), ("trigger_price", leg.trigger_price)):
            if tick is not None and value is not None and not on_tick(value, tick):
                found[f"legs-{row}-{name}"] = f"not on the tick of {tick}"
    return found


def dated_faults(legs: Sequence[LegSpec], today: date, steps: Mapping[str, Decimal]) -> dict[str, str]:
    """What today and the strike grids forbid. `steps`: strike step by underlying."""
    found: dict[str, str] = {}
    for row, leg in enumerate(legs):
        if leg.expiry_date is not None and leg.expiry_date < today:
            found[f"legs-{row}-expiry_date"] = "this date has passed"
        step = steps.get(leg.underlying)
        if leg.strike_mode == "STRIKE" and leg.strike_value and step and leg.strike_value % step:
            found[f"legs-{row}-strike_value"] = f"not on the strike grid of {step.normalize():f}"
    return found
