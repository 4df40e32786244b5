"""What a broker last said that one lot blocks is kept with its date, from baskets that speak of one figure only."""

from __future__ import annotations

from decimal import Decimal

import pytest

from accounts.models import Account
from algomirror.ops import sight
from risk.domain.limits import LimitTerms
from strategies.domain.drafts import Draft, SizingTerms
from strategies.models import BasketFigure
from strategies.pages.margin import FigureCell, requirement_rows
from strategies.services import build, preview
from tests.api.caller import Caller
from tests.strategies import stage
from tests.strategies.test_every_account_gets_its_own_size import SHORT, a_broker_that_wants, plan_of, trusted

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]
D = Decimal


def told() -> list[tuple[str, Decimal]]:
    return list(BasketFigure.objects.values_list("kind", "rupees"))


def cell(kind: str) -> FigureCell:
    """NIFTY on a usual day."""
    return next(row.cells[1] for row in requirement_rows() if (row.underlying, row.kind) == ("NIFTY", kind))


def test_a_preview_keeps_the_figure_of_one_lot_and_the_newest_counts(_now):
    one, two = trusted(1), trusted(2)
    with a_broker_that_wants(lambda k: str(100_000 * k)):
        plan_of([one, two], legs=SHORT, sizing=SizingTerms(mode="GRADE", grade="A"))
    assert told() == [("SHORT_SINGLE", D(100_000))] * 2
    _now.advance(1)
    with a_broker_that_wants(lambda k: str(270_000 * k)):
        plan_of([one], legs=SHORT, name="Later")
    assert (cell("SHORT_SINGLE").broker.account_id, cell("SHORT_SINGLE").difference) == (one.pk, D(20_000))
    assert BasketFigure.objects.count() == 2
    Account.objects.filter(pk=one.pk).update(is_primary=False, archived_at=_now.now())
    assert cell("SHORT_SINGLE").broker.account_id == two.pk, "who is archived says nothing about today"


@pytest.mark.parametrize(
    ("legs", "kept"),
    [
        ([stage.leg(1, "SELL", "OTM", "CE", 2), stage.leg(2, "SELL", "OTM", "PE", 2)], ["SHORT_PAIR"]),
        ([stage.leg(1, "SELL", "OTM", "CE", 2), stage.leg(2, "BUY", "OTM", "CE", 6)], []),
        ([stage.leg(1, "BUY", "OTM", "CE", 2)], ["OPTION_BUY"]),
    ],
)
def test_a_hedged_structure_says_nothing_about_one_figure(legs, kept):
    with a_broker_that_wants(lambda k: str(40_000 * k)):
        plan_of([trusted()], legs=legs)
    assert [kind for kind, _ in told()] == kept


def test_mis_is_another_figure_and_silence_leaves_what_was_known(_now):
    account = trusted()
    with a_broker_that_wants(lambda k: str(200_000 * k)):
        plan_of([account], legs=SHORT)
    draft = Draft("Within the day", "MIS", (account.pk,), tuple(SHORT), LimitTerms(max_loss=D(5000)))
    version = build.save_strategy(stage.alice(), draft)
    with a_broker_that_wants(lambda k: str(90_000 * k)):
        preview.preview(version, [account], user=stage.alice())
    with a_broker_that_wants(lambda k: None):
        plan_of([account], legs=SHORT, sizing=SizingTerms(policy="TABLE"), name="By table")
    assert told() == [("SHORT_SINGLE", D(200_000))]


def test_the_api_dates_it_and_another_s_account_is_not_shown():
    mine, other = trusted(1), trusted(2)
    with a_broker_that_wants(lambda k: str(240_000 * k)):
        plan_of([mine, other], legs=SHORT)
    caller = Caller.of(stage.alice(), scopes=["read"])
    row = next(one for one in caller.get("margin/requirements").json() if one["broker"])
    assert (row["kind"], row["rupees"], row["difference"]) == ("SHORT_SINGLE", "250000.00", "-10000.00")
    assert (row["broker"]["rupees"], row["broker"]["as_of"]) == ("240000.00", "2026-11-20T05:00:00Z")
    with sight.limited_to(frozenset({mine.pk})):
        assert cell("SHORT_SINGLE").broker.account_id == mine.pk
    with sight.limited_to(frozenset()):
        assert cell("SHORT_SINGLE").broker is None
