"""`/runs/{id}/exit` with an instrument: in every account or in one, whole or a part of whole lots; nothing else leaves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.caller import Caller, account
from tests.strategies import stage
from trading.models import ExitGoal, Position, Run

SHORT_CALL, LONG_CALL = stage.option(24150, "CE"), stage.option(24250, "CE")


@pytest.fixture
def run(_market: Any) -> Run:
    """A condor of two lots a leg, filled on two accounts."""
    made = stage.started([account(1), account(2)], legs=stage.condor(2))
    stage.filled(made)
    return made


def targets() -> dict[int, dict[str, int] | None]:
    return {goal.book.account_id: goal.targets for goal in ExitGoal.objects.select_related("book")}


def test_it_leaves_in_every_account_and_nothing_else_does(owner: Caller, run: Run) -> None:
    answer = owner.post(f"runs/{run.pk}/exit", {"instrument": SHORT_CALL})
    assert answer.status_code == 202 and len(answer.json()["goals"]) == 2
    assert list(targets().values()) == [{f"{SHORT_CALL}:NRML": 0}] * 2


def test_a_part_of_it_leaves_in_one_account(owner: Caller, run: Run) -> None:
    one = run.books.order_by("pk")[0].account_id
    answer = owner.post(f"runs/{run.pk}/exit", {"instrument": SHORT_CALL, "units": 65, "account": one})
    assert answer.status_code == 202 and targets() == {one: {f"{SHORT_CALL}:NRML": 65}}


def test_a_part_in_every_account_is_of_each_and_refused_for_all_if_one_lacks_it(owner: Caller, run: Run) -> None:
    less = Position.objects.filter(exchange="NFO", symbol=SHORT_CALL.partition(":")[2]).order_by("-pk")[0]
    Position.objects.filter(pk=less.pk).update(units=-65)
    answer = owner.post(f"runs/{run.pk}/exit", {"instrument": SHORT_CALL, "units": 130})
    assert answer.status_code == 400 and "units" in answer.json()["error"]["fields"] and not ExitGoal.objects.exists()
    assert len(owner.post(f"runs/{run.pk}/exit", {"instrument": SHORT_CALL, "units": 65}).json()["goals"]) == 2
    assert sorted(leave[f"{SHORT_CALL}:NRML"] for leave in targets().values() if leave is not None) == [0, 65]


def test_a_hedge_of_open_shorts_stays(owner: Caller, run: Run) -> None:
    assert owner.post(f"runs/{run.pk}/exit", {"instrument": LONG_CALL}).status_code == 400
    assert not ExitGoal.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"instrument": SHORT_CALL, "leg": 1}, "instrument"),
        ({"units": 65}, "units"),
        ({"leg": 1, "units": 65}, "units"),
        ({"instrument": SHORT_CALL, "units": 64}, "units"),
        ({"instrument": SHORT_CALL, "units": 0}, "units"),
        ({"instrument": SHORT_CALL, "units": "many"}, "units"),
        ({"instrument": "NFO:NOTHING"}, "instrument"),
        ({"instrument": "nonsense"}, "instrument"),
        ({"instrument": ""}, "instrument"),
        ({"instruments": SHORT_CALL}, "instruments"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_leaves(owner: Caller, run: Run, body: dict[str, Any], field: str) -> None:
    answer = owner.post(f"runs/{run.pk}/exit", body)
    assert answer.status_code == 400 and field in answer.json()["error"]["fields"], answer.content
    assert not ExitGoal.objects.exists()


def test_of_other_accounts_nothing_leaves(run: Run) -> None:
    first, second = (book.account_id for book in run.books.order_by("pk"))
    lent = Caller.of(stage.alice(), scopes=["read", "exit"], accounts=[first])
    body = {"instrument": SHORT_CALL}
    assert lent.post(f"runs/{run.pk}/exit", body).status_code == 404
    assert lent.post(f"runs/{run.pk}/exit", body | {"account": second}).status_code == 404
    assert Caller.of(stage.alice(), scopes=["read", "trade"]).post(f"runs/{run.pk}/exit", body).status_code == 403
    assert not ExitGoal.objects.exists()
    assert lent.post(f"runs/{run.pk}/exit", body | {"account": first}).status_code == 202 and set(targets()) == {first}


def test_a_repeat_asks_once(owner: Caller, run: Run) -> None:
    body = {"instrument": SHORT_CALL, "units": 65}
    first, again = (owner.post(f"runs/{run.pk}/exit", body, key="x-1").json() for _ in range(2))
    assert first["goals"] == again["goals"] and again["replayed"] is True
