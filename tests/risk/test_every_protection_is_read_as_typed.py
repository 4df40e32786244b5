"""Each protection a person can type reaches the terms that guards read; what is left empty is off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import time
from decimal import Decimal

import pytest

from risk.domain.terms import LegTerms, Line, Lock, RiskTerms, SupertrendTerms, Trail
from risk.forms import RiskTermsForm

D = Decimal
TRAIL = {"trail_value": "1,500"}
LOCK = {"lock_reach": "4000", "lock_keep": "2500"}
SUPERTREND = {"supertrend": "5"}


def terms(**typed: str) -> RiskTerms:
    form = RiskTermsForm(typed)
    assert form.is_valid(), form.errors
    return form.risk_terms()


@pytest.mark.parametrize(
    ("typed", "read", "means"),
    [
        (TRAIL, lambda t: t.trail, Trail("AMOUNT", D(1500))),
        ({**TRAIL, "trail_kind": "POINTS"}, lambda t: t.trail.kind, "POINTS"),
        ({**TRAIL, "trail_kind": "PERCENT", "trail_mode": "PERCENT_OF_PRICE"}, lambda t: t.trail.mode, "PERCENT_OF_PRICE"),
        ({**TRAIL, "trail_activation": "900"}, lambda t: t.trail.activation, D(900)),
        (LOCK, lambda t: t.lock, Lock(D(4000), D(2500))),
        ({**LOCK, "lock_step": "1000", "lock_step_keep": "700"}, lambda t: (t.lock.step, t.lock.step_keep), (D(1000), D(700))),
        ({"premium_stop": "30%"}, lambda t: t.premium_stop, Line("PERCENT", D(30))),
        ({"premium_target": "@140"}, lambda t: t.premium_target, Line("PREMIUM", D(140))),
        ({"underlying_below": "25,500"}, lambda t: t.underlying_below, D(25500)),
        ({"underlying_above": "26500"}, lambda t: t.underlying_above, D(26500)),
        ({"exit_time": "15:05"}, lambda t: t.exit_time, time(15, 5)),
        ({"square_off": "15:20"}, lambda t: t.square_off, time(15, 20)),
        ({"let_expire": "on"}, lambda t: t.let_expire, True),
        ({"stop_to_cost": "on"}, lambda t: t.stop_to_cost, True),
        (SUPERTREND, lambda t: t.supertrend.timeframe, 5),
        ({**SUPERTREND, "st_period": "7"}, lambda t: t.supertrend.period, 7),
        ({**SUPERTREND, "st_multiplier": "2.5"}, lambda t: t.supertrend.multiplier, D("2.5")),
        ({**SUPERTREND, "st_side": "DEBIT"}, lambda t: t.supertrend.side, "DEBIT"),
        ({**SUPERTREND, "st_adverse": "on"}, lambda t: t.supertrend, SupertrendTerms(5, 10, D(3), "AUTO", True)),
        ({"leg1_stop": "30%"}, lambda t: t.legs[1], LegTerms(stop=Line("PERCENT", D(30)))),
    ],
)
def test_a_typed_protection_is_what_guards_are_told(
    typed: dict[str, str], read: Callable[[RiskTerms], object], means: object
) -> None:
    assert read(terms(**typed)) == means


def test_nothing_typed_is_nothing_armed() -> None:
    assert terms() == RiskTerms()


@pytest.mark.parametrize("name", ["trail_activation", "lock_keep", "lock_step", "lock_step_keep"])
def test_half_of_a_protection_alone_is_refused_or_means_nothing(name: str) -> None:
    form = RiskTermsForm({name: "100"})
    assert not form.is_valid() or form.risk_terms() == RiskTerms()
