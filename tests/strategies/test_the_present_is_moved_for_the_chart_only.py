"""The what-if of the payoff chart: each field moves the curve of now, and none the curve at expiry."""

from __future__ import annotations

import pytest

from strategies.domain.payoff import WhatIf, payoff
from strategies.forms import WhatIfForm
from tests.strategies.test_a_payoff_is_drawn_true import straddle


def moved(**typed: str) -> WhatIf:
    form = WhatIfForm(typed)
    assert form.is_valid(), form.errors
    return form.what_if()


@pytest.mark.parametrize(("field", "text"), [("whatif_spot", "24,500"), ("whatif_iv", "x"), ("whatif_days", "-1")])
def test_what_is_no_number_in_its_range_is_refused(field: str, text: str) -> None:
    assert field in WhatIfForm({field: text}).errors


@pytest.mark.parametrize(
    ("field", "text", "sign"),
    [("whatif_iv", "5", -1), ("whatif_iv", "-5", 1), ("whatif_days", "1", 1), ("whatif_spot", "24600", -1)],
)
def test_each_field_moves_what_a_short_straddle_is_worth_now(field: str, text: str, sign: int) -> None:
    before, after = payoff(straddle(), 24_000.0, moved()), payoff(straddle(), 24_000.0, moved(**{field: text}))
    assert (after.value_now - before.value_now) * sign > 0
    assert min(after.expiry) <= 0 <= max(after.expiry)
