"""The owner holds a guard back, by a program or on the run's page; nobody else does, and never a guard of another run."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from accounts.services import people
from algomirror.kernel import clock
from algomirror.ops.models import Journal
from risk.models import GuardState, RiskEvent
from risk.services import watch
from tests.api.caller import Caller
from tests.page_rules import inline_parts, text_of
from tests.risk import desk
from tests.strategies import stage
from trading.models import Run

D = Decimal
SOON = "2026-11-20T05:10:00Z"


@pytest.fixture
def run(_market: Any) -> Run:
    desk.at_entry()
    made = desk.a_run(desk.accounts(2), max_loss=D(1000), max_profit=D(4000))
    watch.sweep()
    return made


def guard(rule: str = "MAX_LOSS") -> GuardState:
    return GuardState.objects.get(rule=rule)


def ask(caller: Caller, run: Run, *, of: int | None = None, key: str = "", **change: Any) -> Any:
    path = f"runs/{run.pk}/guards/{guard().pk if of is None else of}/pause"
    return caller.post(path, {"until": SOON, "reason": "the news is known"} | change, key=key)


def test_a_program_finds_the_guard_pauses_it_and_it_acts_again_by_itself(owner: Caller, run: Run, _market: Any) -> None:
    (listed,) = (row for row in owner.get(f"runs/{run.pk}/risk").json() if row["rule"] == "MAX_LOSS")
    assert (listed["id"], listed["paused_until"]) == (guard().pk, None)
    answer = ask(owner, run, of=listed["id"])
    assert answer.status_code == 202
    body = answer.json()
    assert (body["paused_until"], body["paused_why"]) == (SOON, "the news is known")
    assert body["paused_by"].startswith("user:alice token:")
    desk.price(call=140, put=120)
    watch.sweep()
    assert not RiskEvent.objects.exists()
    shown = next(row for row in owner.get("risk/status").json()["runs"][0]["guards"] if row["rule"] == "MAX_LOSS")
    assert shown["paused_until"] == SOON and shown["state"] == "ARMED"
    _market.advance(600)
    desk.price(call=140, put=120)
    watch.sweep()
    assert RiskEvent.objects.get().kind == "MAX_LOSS"
    (after,) = (row for row in owner.get(f"runs/{run.pk}/risk").json() if row["rule"] == "MAX_LOSS")
    assert (after["state"], after["paused_until"], after["paused_why"]) == ("TRIPPED", None, "")


def test_null_lets_it_act_again_at_once(owner: Caller, run: Run) -> None:
    ask(owner, run)
    body = ask(owner, run, until=None, reason="calm").json()
    assert body["paused_until"] is None
    desk.price(call=140, put=120)
    watch.sweep()
    assert RiskEvent.objects.count() == 1
    kinds = Journal.objects.filter(kind__in=["guard.paused", "guard.resumed"]).order_by("id").values_list("kind", flat=True)
    assert list(kinds) == ["guard.paused", "guard.resumed"]


def test_a_repeat_of_the_command_pauses_once(owner: Caller, run: Run) -> None:
    first, again = ask(owner, run, key="p-1").json(), ask(owner, run, key="p-1").json()
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert Journal.objects.filter(kind="guard.paused").count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"until": "2026-11-20T05:00:00Z"}, "until"),
        ({"until": "2026-11-21T05:00:01Z"}, "until"),
        ({"until": "later"}, "until"),
        ({"until": 7}, "until"),
        ({"until": "0001-01-01T00:00:00+05:30"}, "until"),
        ({"until": "9999-12-31T23:59:59-11:00"}, "until"),
        ({"reason": ""}, "reason"),
        ({"reason": "   "}, "reason"),
        ({"reason": "x" * 301}, "reason"),
        ({"reason": None}, "reason"),
        ({"minutes": 5}, "minutes"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_paused(owner: Caller, run: Run, change: dict[str, Any], field: str) -> None:
    answer = ask(owner, run, **change)
    assert answer.status_code == 400 and field in answer.json()["error"]["fields"], answer.content
    assert guard().paused_until is None


@pytest.mark.parametrize("what", [None, {}, {"until": SOON}, {"reason": "x"}])
def test_a_body_without_its_parts_is_400(owner: Caller, run: Run, what: Any) -> None:
    assert owner.post(f"runs/{run.pk}/guards/{guard().pk}/pause", what).status_code == 400


def test_only_the_owner_with_the_scope_and_all_accounts(run: Run) -> None:
    for role in ("TRADER", "RISK", "VIEWER"):
        user = stage.person(role.lower(), role)
        scopes = {"TRADER": ["read", "trade", "exit"], "RISK": ["read", "exit"], "VIEWER": ["read"]}[role]
        assert ask(Caller.of(user, scopes=scopes), run).status_code == 403
    assert ask(Caller.of(stage.alice(), scopes=["read", "trade", "exit"]), run).status_code == 403
    lent = Caller.of(stage.alice(), scopes=["read", "admin"], accounts=[run.books.order_by("pk")[0].account_id])
    assert ask(lent, run).status_code == 404, "the guard watches accounts that were not lent"
    elsewhere = Caller.of(stage.alice(), scopes=["read", "admin"], accounts=[stage.account(9).pk])
    assert ask(elsewhere, run).status_code == 404
    assert guard().paused_until is None


def test_a_guard_of_another_run_or_none_is_404(owner: Caller, run: Run) -> None:
    other = desk.a_run([stage.account(3)], max_loss=D(1000), name="Other")
    foreign = GuardState.objects.get(run=other, rule="MAX_LOSS")
    path = f"runs/{run.pk}/guards"
    body = {"until": SOON, "reason": "x"}
    for of in (foreign.pk, 999_999):
        assert owner.post(f"{path}/{of}/pause", body).status_code == 404
    assert owner.post(f"runs/999999/guards/{foreign.pk}/pause", body).status_code == 404
    assert not GuardState.objects.exclude(paused_until=None).exists()


def test_what_has_decided_or_is_closed_is_409(owner: Caller, run: Run) -> None:
    ask(owner, run, of=guard("MAX_PROFIT").pk)
    desk.price(call=140, put=120)
    watch.sweep()
    assert ask(owner, run).status_code == 409
    Run.objects.filter(pk=run.pk).update(state="CLOSED", flat_at=clock.now(), exit_reason="MAX_LOSS")
    assert ask(owner, run, of=guard("MAX_PROFIT").pk).status_code == 409


def browser(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_the_owner_pauses_and_resumes_from_the_run_page(run: Run) -> None:
    alice = browser(stage.alice())
    page = alice.get(f"/runs/{run.pk}")
    assert "Pause a guard" in text_of(page) and inline_parts(page) == []
    typed = {"guard": guard().pk, "minutes": 30, "why": "the news is known"}
    assert alice.post(f"/runs/{run.pk}/guards/pause", typed).status_code == 302
    assert guard().paused_until == stage.NOW + timedelta(minutes=30) and guard().paused_by == "user:alice"
    shown = text_of(alice.get(f"/runs/{run.pk}"))
    assert "paused until 20 Nov 11:00:00" in shown and "user:alice: the news is known" in shown
    assert "No hard stop." in shown and "while it is paused" in shown
    assert "user:alice paused Max loss for 30 minutes: the news is known." in shown
    assert "paused until" in text_of(alice.get("/risk"))
    alice.post(f"/runs/{run.pk}/guards/pause", typed | {"minutes": 0, "why": "calm"})
    shown = text_of(alice.get(f"/runs/{run.pk}"))
    assert "paused until" not in shown and "No hard stop." not in shown and "let Max loss act again: calm." in shown


@pytest.mark.parametrize("change", [{"guard": 999_999}, {"guard": "x"}, {"minutes": 7}, {"minutes": 10**9}, {"why": ""}])
def test_nonsense_from_the_page_pauses_nothing(run: Run, change: dict[str, Any]) -> None:
    typed = {"guard": guard().pk, "minutes": 30, "why": "x"} | change
    assert browser(stage.alice()).post(f"/runs/{run.pk}/guards/pause", typed).status_code in (400, 422)
    assert not GuardState.objects.exclude(paused_until=None).exists()


def test_nobody_else_has_the_form_or_the_right(run: Run) -> None:
    tara = browser(stage.person("tara", "TRADER"))
    assert "Pause a guard" not in text_of(tara.get(f"/runs/{run.pk}"))
    typed = {"guard": guard().pk, "minutes": 30, "why": "x"}
    assert tara.post(f"/runs/{run.pk}/guards/pause", typed).status_code == 403
    assert guard().paused_until is None


def test_who_is_limited_to_other_accounts_does_not_find_the_run(run: Run) -> None:
    bob = stage.person("bob", "TRADER")
    people.assign(stage.alice(), bob.pk, [stage.account(9).pk])
    caller = Caller.of(User.objects.get(pk=bob.pk), scopes=["read", "trade"])
    assert caller.get(f"runs/{run.pk}/risk").status_code == 404
