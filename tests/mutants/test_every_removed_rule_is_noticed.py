from __future__ import annotations

import pytest

from tests.mutants import change_rules, day_rules, lost_rules
from tests.mutants.rules import MUTANTS as ORDER_RULES
from tests.mutants.rules import Mutant, Scenario
from tests.trading import truth
from tests.trading.desk import Desk, a_desk

MUTANTS = [*ORDER_RULES, *change_rules.MUTANTS, *lost_rules.MUTANTS, *day_rules.MUTANTS]
Noticed = (AssertionError, IndexError)


def _look(desk: Desk) -> None:
    assert truth.lies(desk) == []


def _holds(profile: str, scenario: Scenario) -> bool:
    try:
        with a_desk(profile) as desk:
            desk.after_each_step = _look
            scenario(desk)
            return truth.lies(desk) == []
    except Noticed:
        return False


@pytest.mark.django_db
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.rule)
def test_without_this_rule_a_scenario_fails(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.remove(monkeypatch)
    assert not all(_holds(mutant.profile, scenario) for scenario in mutant.caught_by), f"nobody missed: {mutant.rule}"


def test_there_is_a_mutant_for_every_rule_only_once() -> None:
    rules = [m.rule for m in MUTANTS]
    assert len(rules) == len(set(rules)) >= 25
