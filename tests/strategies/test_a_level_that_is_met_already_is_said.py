from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pytest

from algomirror.kernel.money import Action
from risk.domain.limits import LimitTerms
from risk.domain.terms import LegTerms, Line, RiskTerms
from strategies.services import preview
from strategies.services.met import already
from tests.strategies import stage

D = Decimal


@dataclass(frozen=True)
class Priced:
    leg: int
    action: Action
    decision_price: Decimal | None


@pytest.mark.parametrize(
    ("action", "which", "level", "is_met"),
    [
        ("SELL", "stop", "150", False),
        ("SELL", "stop", "120", True),
        ("SELL", "target", "60", False),
        ("SELL", "target", "120", True),
        ("BUY", "stop", "60", False),
        ("BUY", "stop", "120", True),
        ("BUY", "target", "150", False),
        ("BUY", "target", "120", True),
    ],
)
@pytest.mark.parametrize("leg", [1, 0])
def test_a_leg_level_on_the_wrong_side_of_its_price(action: Action, which: str, level: str, is_met: bool, leg: int) -> None:
    terms = LimitTerms(max_loss=D(5000), more=RiskTerms(legs={leg: LegTerms(**{which: Line("PREMIUM", D(level))})}))
    said = already(terms, [Priced(1, action, D(120))], {})
    assert bool(said) is is_met
    if said:
        assert f"The {which} of leg 1 at {level}" in said[0] and "120.00" in said[0] and "leave at once" in said[0]


def test_a_distance_and_an_unknown_price_say_nothing() -> None:
    far = LimitTerms(max_loss=D(5000), more=RiskTerms(legs={0: LegTerms(stop=Line("POINTS", D(1)))}))
    level = LimitTerms(max_loss=D(5000), more=RiskTerms(legs={0: LegTerms(stop=Line("PREMIUM", D(1)))}))
    assert already(far, [Priced(1, "SELL", D(120))], {}) == []
    assert already(level, [Priced(1, "SELL", None)], {}) == []


@pytest.mark.parametrize(
    ("terms", "spot", "is_met"),
    [
        (RiskTerms(underlying_below=D(24000)), "24000.05", False),
        (RiskTerms(underlying_below=D(24000)), "24000.00", True),
        (RiskTerms(underlying_above=D(24000)), "23999.95", False),
        (RiskTerms(underlying_above=D(24000)), "24000.00", True),
        (RiskTerms(underlying_above=D(24000)), None, False),
    ],
)
def test_an_index_level_that_the_index_has_passed(terms: RiskTerms, spot: str | None, is_met: bool) -> None:
    said = already(LimitTerms(max_loss=D(5000), more=terms), [], {"NIFTY": spot})
    assert bool(said) is is_met and all("24000" in words for words in said)


@pytest.fixture
def _now(db: None) -> Iterator[None]:
    with stage.at():
        stage.market()
        yield


def test_the_plan_says_it_before_anything_is_sent(_now: None) -> None:
    accounts = [stage.account(1)]
    more = RiskTerms(underlying_above=D(20_000), legs={1: LegTerms(stop=Line("PREMIUM", D(1)))})
    plan = preview.preview(stage.saved(accounts, more=more), accounts, user=stage.alice())
    said = [words for words in plan.terms["warnings"] if "leave at once" in words]
    assert len(said) == 2 and said[0].startswith("The stop of leg 1 at 1") and said[1].startswith("The index stands at 24025")
