"""The figures of the analytics page for programs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from algomirror.kernel import clock
from tests import cast
from tests.strategies.test_what_was_earned_is_summed import traded

PNL = "/api/v1/reports/pnl"


@pytest.fixture(autouse=True)
def now(db: None) -> Iterator[clock.FrozenClock]:
    frozen = clock.FrozenClock(cast.FRIDAY)
    with clock.use(frozen):
        yield frozen


@pytest.mark.parametrize(
    ("group", "name"),
    [("day", "2026-11-20"), ("week", "2026-11-16"), ("month", "2026-11-01"), ("strategy", "Iron condor"),
     ("account", "Zerodha Anil"), ("reason", "Max Profit"), ("run", "Iron condor")],
)  # fmt: skip
def test_results_are_summed_by_what_is_asked(group: str, name: str) -> None:
    run = traded()
    rows = cast.signed_in(cast.bob()).get(f"{PNL}?group={group}").json()
    assert [(row["name"], Decimal(row["gross"])) for row in rows] == [(name, Decimal(260))]
    assert rows[0]["run"] == (run.pk if group == "run" else None)
    assert Decimal(rows[0]["slippage"]) == Decimal("-97.5")


def test_the_equity_curve_is_a_list_of_days() -> None:
    traded()
    (point,) = cast.signed_in(cast.bob()).get("/api/v1/reports/equity").json()
    assert point["day"] == "2026-11-20"
    assert Decimal(point["drawdown"]) == 0


@pytest.mark.parametrize(
    ("asked", "field"),
    [("first=2026-11-20&last=2026-11-01", "last"), ("first=2020-01-01", "first"), ("group=colour", "group"),
     ("mode=GOLD", "mode"), ("accounts=1", "accounts"), ("account=0", "account")],
)  # fmt: skip
def test_what_is_wrong_is_named(asked: str, field: str) -> None:
    response = cast.signed_in(cast.alice()).get(f"{PNL}?{asked}")
    assert response.status_code == 400
    assert field in response.json()["error"]["fields"]
