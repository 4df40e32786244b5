from __future__ import annotations

from decimal import Decimal

import pytest

from risk.domain.limits import LimitTerms, loosens
from risk.domain.terms import ALL_LEGS, LegTerms, Line, RiskTerms

STOP = LegTerms(stop=Line("PERCENT", Decimal(30)))
WIDER = LegTerms(stop=Line("PERCENT", Decimal(60)))
TIGHTER = LegTerms(stop=Line("PERCENT", Decimal(20)))


def terms(**legs: LegTerms) -> LimitTerms:
    return LimitTerms(more=RiskTerms(legs={int(name[1:]): leg for name, leg in legs.items()}))


@pytest.mark.parametrize("own", [LegTerms(), WIDER, LegTerms(stop=STOP.stop, action="ALERT")])
def test_a_row_of_its_own_that_guards_a_leg_less_than_all_legs_were_needs_a_reason(own: LegTerms) -> None:
    before, after = terms(_0=STOP), LimitTerms(more=RiskTerms(legs={ALL_LEGS: STOP, 2: own}))
    assert loosens(before, after)


def test_a_row_of_its_own_that_guards_it_more_needs_none() -> None:
    assert not loosens(terms(_0=STOP), LimitTerms(more=RiskTerms(legs={ALL_LEGS: STOP, 2: TIGHTER})))


def test_a_leg_that_falls_back_to_what_all_legs_have_is_compared_with_that() -> None:
    before = LimitTerms(more=RiskTerms(legs={ALL_LEGS: STOP, 2: TIGHTER}))
    assert loosens(before, terms(_0=STOP))
