from __future__ import annotations

from datetime import timedelta

import pytest

from algomirror.kernel import clock
from algomirror.ops.api.models import Command
from risk.models import TradingState
from strategies.models import Plan, Strategy
from tests.api.caller import Caller, account
from tests.strategies import stage
from trading.models import Run

STRATEGY = {
    "name": "Straddle",
    "product": "NRML",
    "legs": [{"underlying": "NIFTY", "kind": kind, "slot": "CURRENT_WEEK", "action": "SELL"} for kind in ("CE", "PE")],
    "max_loss": "5,000",
}


def _plan(owner: Caller) -> dict[str, str]:
    one = account(1)
    made = owner.post("strategies", {**STRATEGY, "accounts": [one.pk]})
    assert made.status_code == 201, made.json()
    plan = owner.post(f"strategies/{made.json()['id']}/preview", {})
    assert plan.status_code == 200, plan.json()
    return {"plan_id": plan.json()["plan_id"], "plan_hash": plan.json()["plan_hash"]}


def test_a_strategy_is_saved_previewed_and_started(owner: Caller) -> None:
    started = owner.post("runs", _plan(owner))
    assert started.status_code == 202 and started.json()["command_state"] == "DONE"
    assert started.json()["links"] == [f"/api/v1/runs/{Run.objects.get().pk}"]


def test_the_same_key_and_body_get_the_first_answer(owner: Caller) -> None:
    sent = _plan(owner)
    first, second = owner.post("runs", sent, key="one"), owner.post("runs", sent, key="one")
    assert Run.objects.count() == 1
    assert (first.json()["replayed"], second.json()["replayed"]) == (False, True)
    assert first.json()["command_id"] == second.json()["command_id"]
    assert second.headers["Idempotent-Replayed"] == "true" and second.status_code == first.status_code


def test_the_same_key_with_another_body_is_a_conflict(owner: Caller) -> None:
    owner.post("risk/kill", {"scope": "platform", "level": "REDUCE"}, key="one")
    answer = owner.post("risk/kill", {"scope": "platform", "level": "HALT"}, key="one")
    assert answer.status_code == 409 and answer.json()["error"]["code"] == "CONFLICT"
    assert TradingState.objects.get().state == "REDUCING"


def test_a_key_belongs_to_its_person(owner: Caller) -> None:
    trader = Caller.of(stage.person("tara", "TRADER"), scopes=["read", "exit"])
    owner.post("risk/kill", {"scope": "platform", "level": "REDUCE"}, key="one")
    assert trader.post("risk/kill", {"scope": "platform", "level": "HALT"}, key="one").json()["replayed"] is False


def test_without_a_key_nothing_is_done(owner: Caller) -> None:
    answer = owner.post("risk/kill", {"scope": "platform", "level": "HALT"}, key=None)
    assert answer.status_code == 400 and answer.json()["error"]["code"] == "IDEMPOTENCY_KEY_REQUIRED"
    assert not TradingState.objects.exists()


def test_a_refusal_is_kept_like_any_answer(owner: Caller) -> None:
    first = owner.post("runs", {"plan_id": "none", "plan_hash": "none"}, key="one")
    again = owner.post("runs", {"plan_id": "none", "plan_hash": "none"}, key="one")
    assert first.status_code == again.status_code == 410
    assert first.json()["error"]["code"] == "PLAN_CHANGED" and again.json()["replayed"] is True


def test_a_command_under_way_is_not_carried_out_twice_and_an_abandoned_one_is_taken_over(owner: Caller) -> None:
    owner.post("risk/kill", {"scope": "platform", "level": "REDUCE"}, key="one")
    rows = Command.objects.filter(key="one")
    rows.update(state="RUNNING")
    assert owner.post("risk/kill", {"scope": "platform", "level": "REDUCE"}, key="one").status_code == 409
    rows.update(started_at=clock.now() - timedelta(minutes=2))
    assert owner.post("risk/kill", {"scope": "platform", "level": "REDUCE"}, key="one").status_code == 202
    assert rows.get().attempts == 2


def test_what_became_of_a_command_can_be_read_by_its_sender_only(owner: Caller) -> None:
    made = owner.post("risk/kill", {"scope": "platform", "level": "REDUCE"}).json()
    assert owner.get(f"commands/{made['command_id']}").json()["state"] == "DONE"
    trader = Caller.of(stage.person("tara", "TRADER"), scopes=["read"])
    assert trader.get(f"commands/{made['command_id']}").status_code == 404


def test_a_misspelt_field_is_refused_and_not_ignored(owner: Caller) -> None:
    run = stage.started([account(1), account(2)])
    answer = owner.post(f"runs/{run.pk}/exit", {"acount": 1})
    assert answer.status_code == 400 and "acount" in answer.json()["error"]["fields"]


def test_an_old_version_is_not_overwritten(owner: Caller) -> None:
    _plan(owner)
    strategy = Strategy.objects.get()
    body = {**STRATEGY, "accounts": [1], "base": 1}
    body["accounts"] = list(strategy.current.accounts.values_list("pk", flat=True))  # type: ignore[union-attr]
    assert owner.send("PUT", f"strategies/{strategy.pk}", body).status_code == 200
    assert owner.send("PUT", f"strategies/{strategy.pk}", body).status_code == 409


def test_a_ticket_is_previewed_and_sent_exactly(owner: Caller) -> None:
    one = account(1)
    exchange, _, symbol = stage.option(24050, "CE").partition(":")
    leg = {"exchange": exchange, "symbol": symbol, "action": "BUY", "lots": 1}
    plan = owner.post("ticket/preview", {"legs": [leg], "accounts": [one.pk], "product": "NRML"}).json()
    assert plan["lines"][0]["units"] == stage.LOT and Plan.objects.count() == 1
    sent = owner.post("ticket/send", {"plan_id": plan["plan_id"], "plan_hash": plan["plan_hash"]})
    assert sent.status_code == 202
    orders = owner.get("orders").json()["results"]
    assert [order["id"] for order in orders] == sent.json()["orders"]
    cancelled = owner.post(f"orders/{orders[0]['id']}/cancel")
    assert cancelled.status_code == 202 and cancelled.json()["state"] == "DENIED"


def test_a_denial_of_the_gate_is_422_with_every_reason(owner: Caller) -> None:
    down = account(1, link="DOWN")
    exchange, _, symbol = stage.option(24050, "CE").partition(":")
    leg = {"exchange": exchange, "symbol": symbol, "action": "BUY", "lots": 1}
    answer = owner.post("ticket/preview", {"legs": [leg], "accounts": [down.pk], "product": "NRML"})
    assert answer.status_code == 422
    assert answer.json()["error"]["denials"][0]["code"] == "LINK_DOWN" and answer.json()["error"]["request_id"]


def test_a_run_is_left_by_the_api(owner: Caller) -> None:
    run = stage.started([account(1)])
    stage.filled(run)
    answer = owner.post(f"runs/{run.pk}/exit", {"reason": "enough"})
    assert answer.status_code == 202 and len(answer.json()["goals"]) == 1
    assert owner.get("goals", run=run.pk).json()["results"][0]["why"] == "enough"


def test_limits_are_tightened_freely_and_loosened_with_a_reason(owner: Caller) -> None:
    run = stage.started([account(1)])
    assert owner.send("PATCH", f"runs/{run.pk}/limits", {"max_loss": "4000"}).status_code == 202
    assert owner.send("PATCH", f"runs/{run.pk}/limits", {"max_loss": None}).status_code == 400
    kept = owner.send("PATCH", f"runs/{run.pk}/limits", {"max_loss": None, "reason": "hedged by hand"})
    assert kept.json()["max_loss"] is None and kept.json()["max_profit"] == "4000.00"


def test_what_cannot_be_stored_is_refused_like_anything_else(owner: Caller) -> None:
    for body in ({"a\u0000b": 1}, {"\ud800": 1}, {"scope": "\u0000", "level": "\ud800x"}, {"scope": 7, "level": None}):
        answer = owner.post("risk/kill", body)
        assert answer.status_code == 400 and "\\u0000" not in answer.content.decode()


@pytest.mark.parametrize("size", [1_000_001, 5_000_001])
def test_a_body_that_is_too_large_is_413_in_the_one_shape(owner: Caller, size: int) -> None:
    answer = owner.post("margin/grades", {"name": "x" * size})
    assert answer.status_code == 413 and answer.json()["error"]["code"] == "TOO_LARGE"
