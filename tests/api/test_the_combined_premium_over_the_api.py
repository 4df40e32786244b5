"""The combined premium and its Supertrend: bar for bar what the run's page and the guard have, with its age."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import people
from algomirror.kernel import clock
from marketdata.models import Candle1m
from risk.domain.terms import RiskTerms, SupertrendTerms
from tests import cast
from tests.api.caller import Caller
from tests.risk import desk
from tests.strategies import stage
from trading.models import Run

D = Decimal
OPEN = stage.NOW - timedelta(minutes=75)
TERMS = SupertrendTerms(timeframe=5, period=5, multiplier=D(2))


@pytest.fixture
def run(_market: Any) -> Run:
    """A strangle sold an hour and a quarter after the open, each minute a little cheaper; yesterday's last quarter before it."""
    desk.at_entry()
    for key, first in ((desk.CALL, 100), (desk.PUT, 80)):
        for n in range(75):
            cast.minute(key, OPEN + timedelta(minutes=n), str(D(first) + 20 - D(n) / 5))
        for n in range(15):
            cast.minute(key, OPEN + timedelta(hours=-18, minutes=n), str(first + 30))
    return desk.a_run(desk.accounts(2), RiskTerms(supertrend=TERMS), max_loss=D(90_000))


def test_it_is_the_series_of_the_page_to_the_paisa(owner: Caller, run: Run) -> None:
    body = owner.get(f"runs/{run.pk}/combined").json()
    page = Client()
    page.force_login(stage.alice())
    drawn = json.loads(page.get(f"/runs/{run.pk}/combined.json").content)
    assert len(body["bars"]) == len(drawn["bars"]) == 18
    for ours, theirs in zip(body["bars"], drawn["bars"], strict=True):
        assert [D(ours[name]) for name in ("open", "high", "low", "close")] == [D(theirs[name]) for name in "ohlc"]
        assert ours["line"] == theirs["line"]
        assert ours["direction"] == {True: "UP", False: "DOWN", None: None}[theirs["up"]]
    assert body["bars"][-1]["closes_at"] == "2026-11-20T05:00:00Z"
    assert (body["side"], body["state"], body["is_guard"]) == ("CREDIT", drawn["state"], True)
    assert body["legs"] == {desk.CALL: "1", desk.PUT: "1"} and body["multiplier"] == "2.0"


def test_its_age_is_that_of_the_leg_that_is_known_least(owner: Caller, run: Run, _market: Any) -> None:
    assert owner.get(f"runs/{run.pk}/combined").json()["age_ms"] == 0
    cast.minute(desk.CALL, stage.NOW, "85")
    _market.advance(150)
    body = owner.get(f"runs/{run.pk}/combined").json()
    assert (body["as_of"], body["age_ms"]) == ("2026-11-20T05:00:00Z", 150_000)
    cast.minute(desk.PUT, stage.NOW, "65")
    body = owner.get(f"runs/{run.pk}/combined").json()
    assert body["age_ms"] == 90_000 and D(body["forming"]["close"]) == 150 and body["forming"]["line"] is None
    Candle1m.objects.filter(key=desk.PUT).delete()
    body = owner.get(f"runs/{run.pk}/combined").json()
    assert (body["as_of"], body["age_ms"], body["bars"]) == (None, None, []) and body["state"].startswith("NOT READY")


def test_fewer_days_are_shown_with_the_lines_of_all(owner: Caller, run: Run) -> None:
    whole, today = (owner.get(f"runs/{run.pk}/combined", days=days).json() for days in (5, 1))
    assert today["bars"] == whole["bars"][3:] and today["state"] == whole["state"]
    assert today["bars"][0]["opens_at"] == "2026-11-20T03:45:00Z" and today["bars"][4]["line"] is not None


def test_another_timeframe_is_not_the_guards(owner: Caller, run: Run) -> None:
    body = owner.get(f"runs/{run.pk}/combined", timeframe=15, days=1).json()
    assert len(body["bars"]) == 5 and body["timeframe"] == 15 and body["is_guard"] is False


def test_a_run_without_supertrend_has_the_usual_line_and_no_guard(owner: Caller) -> None:
    desk.at_entry()
    plain = desk.a_run(desk.accounts(1))
    body = owner.get(f"runs/{plain.pk}/combined").json()
    assert (body["timeframe"], body["period"], body["multiplier"], body["is_guard"]) == (5, 10, "3.0", False)


def test_a_closed_run_has_nothing_open(owner: Caller, run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(state=Run.State.CLOSED, flat_at=clock.now(), exit_reason="MANUAL")
    body = owner.get(f"runs/{run.pk}/combined").json()
    assert (body["state"], body["bars"], body["as_of"]) == ("CLOSED", [], None)


@pytest.mark.parametrize(
    ("asked", "field"),
    [({"timeframe": 1}, "timeframe"), ({"timeframe": "soon"}, "timeframe"), ({"days": 0}, "days"), ({"days": 6}, "days"),
     ({"dayz": 1}, "dayz")],
)  # fmt: skip
def test_what_is_wrong_is_named(owner: Caller, run: Run, asked: dict[str, Any], field: str) -> None:
    answer = owner.get(f"runs/{run.pk}/combined", **asked)
    assert answer.status_code == 400 and field in answer.json()["error"]["fields"]


def test_another_persons_run_is_not_there(run: Run) -> None:
    three = stage.account(3)
    lent = Caller.of(stage.alice(), scopes=["read"], accounts=[three.pk])
    bob = stage.person("bob", "TRADER")
    people.assign(stage.alice(), bob.pk, [three.pk])
    limited = Caller.of(User.objects.get(pk=bob.pk), scopes=["read"])
    for caller in (lent, limited):
        assert caller.get(f"runs/{run.pk}/combined").status_code == 404
    assert Caller.of(stage.alice(), scopes=["trade"]).get(f"runs/{run.pk}/combined").status_code == 403


def test_part_of_a_run_is_not_enough(run: Run) -> None:
    """Which legs are open is summed over the accounts; a series of some of them would be none that decides."""
    lent = Caller.of(stage.alice(), scopes=["read"], accounts=[run.books.order_by("pk")[0].account_id])
    assert lent.get(f"runs/{run.pk}").status_code == 200
    assert lent.get(f"runs/{run.pk}/combined").status_code == 404
