"""Random histories are worth what they notice: without one of these rules a few of them must go wrong."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.mutants import day_rules
from tests.mutants.rules import MUTANTS, Mutant
from tests.properties.independent import is_noticed
from tests.trading.test_order_machine import OrderMachine

# Needed are 1 to 47 of them. Other rules of that list want what no history does (a server of the other world), or hundreds.
NOTICED = {
    "row before wire",
    "commit before wire",
    "claim by compare-and-set",
    "ambiguous is not rejected",
    "cumulative maximum instead of addition",
    "one unacknowledged order per side",
    "shortfall minus working exits",
    "cancel entries before exit",
    "hedge gate",
    "hedge gate by fills",
    "hedges last by cover",
    "done only when flat",
}
WITHIN = 200
# Of these only histories in their own world, and some of them rarely: part of the soak.
WITHIN_ITS_WORLD = 700
NOTICED_IN = {
    "an exit goes out in slices of today": "night",
    "what was read of another server is forgotten": "switch",
    "what a book showed before nine is not missed": "night",
    "patience is real seconds": "clock",
    "capped by what the broker holds": "broker",
}
ALL = [*MUTANTS, *day_rules.MUTANTS]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.django_db
@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.rule in NOTICED], ids=lambda m: m.rule)
def test_histories_go_wrong_without_this_rule(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.remove(monkeypatch)
    assert is_noticed(OrderMachine, seed=77, within=WITHIN, steps=25), f"no history missed: {mutant.rule}"


@pytest.mark.soak
@pytest.mark.django_db
@pytest.mark.parametrize("mutant", [m for m in ALL if m.rule in NOTICED_IN], ids=lambda m: m.rule)
def test_histories_in_a_world_of_their_own_go_wrong_without_this_rule(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.remove(monkeypatch)
    monkeypatch.setattr(OrderMachine, "only", NOTICED_IN[mutant.rule])
    assert is_noticed(OrderMachine, seed=77, within=WITHIN_ITS_WORLD, steps=25), f"no history missed: {mutant.rule}"


def test_each_of_these_rules_has_its_mutant() -> None:
    assert {m.rule for m in ALL} >= NOTICED | NOTICED_IN.keys()
