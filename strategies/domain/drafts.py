"""A strategy as a form states it, before anything is saved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from risk.domain.limits import LimitTerms
from strategies.domain.legs import LegSpec, problems


@dataclass(frozen=True, slots=True)
class Draft:
    name: str
    product: Literal["NRML", "MIS"]
    account_ids: tuple[int, ...]
    legs: tuple[LegSpec, ...]
    limits: LimitTerms = field(default_factory=LimitTerms)
    description: str = ""
    hedge_wait_s: int = 10


def faults(draft: Draft) -> dict[str, str]:
    """What forbids saving, by field."""
    found = problems(draft.legs)
    if not draft.name.strip():
        found["name"] = "a name is required"
    elif len(draft.name) > 80:
        found["name"] = "at most 80 letters"
    if not draft.account_ids:
        found["accounts"] = "choose at least one account"
    if draft.product not in ("NRML", "MIS"):
        found["product"] = "NRML or MIS"
    if not 2 <= draft.hedge_wait_s <= 120:
        found["hedge_wait_s"] = "2 to 120 seconds"
    return found
