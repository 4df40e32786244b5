from __future__ import annotations

import pytest

from risk.domain.guards import Rule, reason_of
from trading.models.books import ExitReason


@pytest.mark.parametrize("rule", list(Rule))
def test_what_a_rule_gives_as_its_reason_can_be_filed_and_read_again(rule: Rule) -> None:
    assert ExitReason(reason_of(rule)).label
