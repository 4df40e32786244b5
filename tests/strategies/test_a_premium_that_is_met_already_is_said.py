from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest

from algomirror.kernel.money import Action
from risk.domain.limits import LimitTerms
from risk.domain.terms import Line, RiskTerms
from strategies.services.protecting import cautions


@dataclass(frozen=True)
class Priced:
    action: Action
    units: int
    decision_price: Decimal | None


def structure(side: Action) -> list[Priced]:
    """A straddle worth 200 a structure."""
    return [Priced(side, 130, Decimal(120)), Priced(side, 130, Decimal(80))]


@pytest.mark.parametrize(
    ("side", "which", "level", "is_met"),
    [
        ("SELL", "premium_stop", "260", False),
        ("SELL", "premium_stop", "200", True),
        ("SELL", "premium_target", "100", False),
        ("SELL", "premium_target", "240", True),
        ("BUY", "premium_stop", "150", False),
        ("BUY", "premium_stop", "250", True),
        ("BUY", "premium_target", "300", False),
        ("BUY", "premium_target", "190", True),
    ],
)
def test_a_level_on_the_wrong_side_of_the_premium_is_said_before_sending(
    side: Action, which: str, level: str, is_met: bool
) -> None:
    terms = LimitTerms(max_loss=Decimal(5000), more=RiskTerms(**{which: Line("PREMIUM", Decimal(level))}))
    said = cautions(terms, structure(side))
    assert bool(said) is is_met
    if said:
        assert level in said[0] and "200.00" in said[0] and "leave at once" in said[0]


def test_a_distance_from_entry_is_never_met_at_entry() -> None:
    terms = LimitTerms(max_loss=Decimal(5000), more=RiskTerms(premium_stop=Line("PERCENT", Decimal(30))))
    assert cautions(terms, structure("SELL")) == []
