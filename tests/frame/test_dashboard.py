"""Am I safe, what do I hold, what is it worth, how do I get out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from algomirror.frame import dashboard as page
from algomirror.kernel import clock
from algomirror.ops import alarms
from algomirror.ops.models import Alarm
from risk.models import Blindness, GuardState, RunLimits, TradingState
from tests import cast, page_rules
from trading.models import ExitGoal, Run
from trading.services import apply

PAGES = ["/dashboard", "/dashboard/body", "/alerts", "/alerts/rows", "/alerts/tray", "/frame/status"]


def guarded(run: Run, *, max_loss: str = "5000", stage: str = "ARMED") -> None:
    RunLimits.objects.create(run=run, max_loss=Decimal(max_loss))
    GuardState.objects.create(run=run, rule="MAX_LOSS", scope_key="run", state=stage)


def body() -> str:
    return " ".join(page_rules.text_of(cast.signed_in(cast.alice()).get("/dashboard/body")).split())


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("who", [cast.alice, cast.bob])
def test_every_page_answers_for_who_may_look(path: str, who: object) -> None:
    assert callable(who)
    cast.account()
    response = cast.signed_in(who()).get(path)
    assert response.status_code == 200
    assert page_rules.inline_parts(response) == []


@pytest.mark.parametrize("path", [*PAGES, "/gallery"])
def test_charlie_is_sent_to_sign_in(path: str) -> None:
    assert Client().get(path)["Location"].startswith("/login")


def test_a_new_owner_is_sent_to_connect_an_account() -> None:
    assert cast.signed_in(cast.alice()).get("/dashboard")["Location"] == "/accounts/new"


def test_a_viewer_without_accounts_is_told_so_and_sent_nowhere() -> None:
    response = cast.signed_in(cast.bob()).get("/dashboard")
    assert response.status_code == 200
    assert "No accounts yet" in page_rules.text_of(response)


@pytest.mark.parametrize("path", PAGES)
def test_reading_changes_no_row(path: str) -> None:
    cast.position(cast.book(cast.account(), cast.run()))
    alarms.ring("TEST", "something")
    alice = cast.signed_in(cast.alice())
    alice.get(path)
    before = page_rules.world()
    alice.get(path)
    assert page_rules.world() == before


def test_all_calm_is_one_calm_line() -> None:
    anil, condor = cast.account(), cast.run()
    guarded(condor)
    cast.position(cast.book(anil, condor))
    cast.read(anil, "POSITIONS", [cast.shown(cast.CALL, -65)])
    assert page.dashboard().safety.look == ""
    assert "Safe.</strong><span>1 stop armed" in body()


def test_each_trouble_is_counted_and_colours_the_strip() -> None:
    anil, condor = cast.account(), cast.run()
    held = cast.book(anil, condor)
    cast.position(held)
    cast.read(anil, "POSITIONS", [], ago_s=-1)
    cast.order(held, state="UNKNOWN", symbol=cast.PUT)
    Blindness.objects.create(run=condor, since=clock.now())
    ExitGoal.objects.create(book=held, reason="MANUAL", asked_by="t", state="STUCK", requested_at=clock.now())
    TradingState.objects.create(account=anil, state="HALTED", since=clock.now(), by="t", why="lost")
    apply.freeze(held.pk, kind="AMBIGUOUS", why="two fit")
    found = page.dashboard().safety
    assert (found.unguarded, found.blind, found.unknown, found.stuck, found.frozen, found.differing, found.restricted) == (1,) * 7
    assert (found.alarms, found.look) == (1, "bad")
    shown = body()
    assert "strip-bad" in shown
    assert "1 blind run" in shown


def test_a_run_shows_how_much_of_its_limit_is_used() -> None:
    anil, condor = cast.account(), cast.run()
    guarded(condor, max_loss="1000")
    cast.position(cast.book(anil, condor), price="104.00")
    cast.quote(f"NFO:{cast.CALL}", "110.00")
    (row,) = page.dashboard().runs
    assert (row.pnl.total, row.limits[0].share) == (Decimal("-390"), Decimal("39.0"))
    shown = body()
    assert f'data-value="run:{condor.pk}:max_loss_share"' in shown
    assert "39.0% of ₹1,000" in shown


def test_the_run_nearest_to_its_limit_stands_first() -> None:
    anil = cast.account()
    for name, limit, price in (("far", "100000", "104"), ("near", "500", "104")):
        run = cast.run(name)
        guarded(run, max_loss=limit)
        cast.position(cast.book(anil, run), price=price)
    cast.quote(f"NFO:{cast.CALL}", "110.00")
    assert [row.name for row in page.dashboard().runs] == ["near", "far"]


def test_a_run_without_a_complete_mark_is_unknown_and_not_zero() -> None:
    condor = cast.run()
    guarded(condor)
    cast.position(cast.book(cast.account(), condor))
    (row,) = page.dashboard().runs
    assert (row.pnl.total, row.limits[0].share) == (None, None)
    assert "Max loss: not known" in body()


def test_an_account_card_shows_money_link_and_why_it_is_restricted() -> None:
    anil = cast.account(mode="LIVE", link="DEGRADED", last_failure="slow")
    cast.read(anil, "FUNDS", {"available_cash": "1234567.50", "realised": "10.00", "unrealised": "5.00"})
    TradingState.objects.create(account=anil, state="REDUCING", since=clock.now(), by="t", why="daily loss")
    shown = body()
    for part in ("₹12.35 L", "LIVE", "degraded", "reducing", "daily loss", "+₹15.00"):
        assert part in shown


def test_cash_of_all_is_unknown_while_one_account_was_never_read() -> None:
    cast.read(cast.account("One here"), "FUNDS", {"available_cash": "100.00"})
    assert page.dashboard().cash == Decimal("100.00")
    cast.account("Two here")
    assert page.dashboard().cash is None


def test_a_new_installation_is_led_from_step_to_step_until_its_first_run() -> None:
    cast.account()
    steps = {step.text: step.is_done for step in page.dashboard().steps}
    assert steps["Connect an account"]
    assert not steps["The feed is live"]
    cast.run()
    assert page.dashboard().steps == []


def test_an_alarm_is_acknowledged_by_who_may_and_once() -> None:
    alarms.ring("TEST", "look at <this>")
    number = Alarm.objects.get().pk
    assert "look at &lt;this&gt;" in page_rules.text_of(cast.signed_in(cast.alice()).get("/alerts"))
    assert cast.signed_in(cast.bob()).post(f"/alerts/{number}/ack").status_code == 403
    assert cast.signed_in(cast.alice()).get(f"/alerts/{number}/ack").status_code == 405
    dana = User.objects.create(username="dana", email="dana@example.com", role=User.Role.RISK)
    assert cast.signed_in(dana).post(f"/alerts/{number}/ack").status_code == 204
    assert cast.signed_in(cast.alice()).post(f"/alerts/{number}/ack").status_code == 204
    assert Alarm.objects.get().acknowledged_by == "user:dana"


def test_without_scripts_the_acknowledgement_leads_back_to_the_list() -> None:
    alarms.ring("TEST", "text")
    answer = cast.signed_in(cast.alice()).post(f"/alerts/{Alarm.objects.get().pk}/ack", headers={"Accept": "text/html"})
    assert (answer.status_code, answer["Location"]) == (302, "/alerts")


def test_an_alarm_that_does_not_exist_is_not_found() -> None:
    assert cast.signed_in(cast.alice()).post("/alerts/77/ack").status_code == 404


def test_bob_sees_alarms_without_the_button() -> None:
    alarms.ring("TEST", "text")
    shown = page_rules.text_of(cast.signed_in(cast.bob()).get("/alerts"))
    assert "data-ack" not in shown


def test_the_gallery_is_for_development_and_demo_only(settings: object) -> None:
    alice = cast.signed_in(cast.alice())
    assert alice.get("/gallery").status_code == 404
    settings.DEMO = True  # type: ignore[attr-defined]
    assert alice.get("/gallery").status_code == 200


def test_open_pages_are_sent_what_they_patch() -> None:
    anil = cast.account()
    cast.position(cast.book(anil, cast.run()))
    cast.quote(f"NFO:{cast.CALL}", "100.00")
    assert page.live_values() == {
        "frame:pnl_today": "260.00",
        "frame:links": "1/1",
        "frame:alarms": 0,
        f"account:{anil.pk}:pnl_today": "260.00",
    }


def test_the_number_of_queries_does_not_grow_with_what_is_open() -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            page.dashboard()
        return len(seen)

    cast.position(cast.book(cast.account(), cast.run()))
    few = queries()
    for place in range(4):
        anil, condor = cast.account(f"Account {place}"), cast.run(f"run {place}")
        guarded(condor)
        cast.position(cast.book(anil, condor))
    assert queries() == few <= 26


def test_the_beat_puts_one_task_on_the_queue_and_the_task_runs() -> None:
    from algomirror.frame import beats
    from algomirror.ops import queue

    cast.account()
    beats.enqueue()
    assert not queue.enqueue("signals", "algomirror.frame.tasks.publish", key="frame-publish")
    queue.run("algomirror.frame.tasks.publish", "frame-publish")
