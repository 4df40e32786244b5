from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.db import connection, connections

from algomirror.kernel.errors import Conflict, Denied, Refused
from algomirror.ops.models import Journal
from marketdata.models import Instrument
from risk.models import Blindness, GuardState, RunLimits
from risk.services import switch
from strategies.models import Plan
from strategies.services import build, preview, start
from tests.strategies import stage
from trading.models import Book, Order, Run

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]


def plan_of(accounts, **more):
    return preview.preview(stage.saved(accounts, **more), accounts, user=stage.alice())


def go(plan, key="k1", digest=None):
    return start.start(plan.key, digest=digest or plan.digest, idempotency_key=key, by="user:alice")


def test_the_plan_shows_every_order_of_every_account():
    plan = plan_of([stage.account(1), stage.account(2)])
    assert [(r["account"], r["leg"], r["purpose"], r["action"]) for r in plan.lines][:4] == [
        (plan.lines[0]["account"], 2, "HEDGE", "BUY"),
        (plan.lines[0]["account"], 4, "HEDGE", "BUY"),
        (plan.lines[0]["account"], 1, "ENTRY", "SELL"),
        (plan.lines[0]["account"], 3, "ENTRY", "SELL"),
    ]
    assert len(plan.lines) == 8
    assert {r["symbol"] for r in plan.lines} == {
        "NIFTY24NOV2624150CE", "NIFTY24NOV2624250CE", "NIFTY24NOV2623950PE", "NIFTY24NOV2623850PE",
    }  # fmt: skip
    assert all(r["units"] == 65 and r["lot_units"] == 65 and r["slices"] == [65] for r in plan.lines)
    short = next(r for r in plan.lines if r["leg"] == 1)
    assert short["hedge_legs"] == [2]


def test_starting_makes_the_run_its_books_its_orders_and_its_guards():
    plan = plan_of([stage.account(1), stage.account(2)])
    run = go(plan)
    assert run.state == "ENTERING" and run.mode == "PAPER"
    assert Book.objects.filter(run=run).count() == 2
    orders = Order.objects.filter(book__run=run)
    assert orders.count() == 8 and set(orders.values_list("state", flat=True)) == {"INITIALIZED"}
    assert all(o.permit["plan"] == plan.key and o.permit["digest"] == plan.digest for o in orders)
    assert {(g.rule, g.scope_key, g.state) for g in GuardState.objects.filter(run=run)} == {
        ("MAX_LOSS", "run", "WAITING"),
        ("MAX_PROFIT", "run", "WAITING"),
        ("EXPIRY", "expiry:2026-11-24", "WAITING"),
    }
    assert RunLimits.objects.get(run=run).max_loss == Decimal(5000)
    assert Blindness.objects.filter(run=run, since=None).exists()
    assert Journal.objects.filter(kind="run.started", run_id=run.pk).count() == 1


def test_book_scope_gives_each_account_its_own_guards():
    run = go(plan_of([stage.account(1), stage.account(2)], scope="BOOK"))
    assert {g.scope_key for g in GuardState.objects.filter(run=run).exclude(rule="EXPIRY")} == {
        f"book:{b.pk}" for b in run.books.all()
    }


def test_what_is_sent_is_what_was_previewed_even_if_the_market_moved_a_step():
    accounts = [stage.account(1)]
    plan = plan_of(accounts)
    stage.tick("NSE_INDEX:NIFTY", 24500)
    for row in plan.lines:
        stage.tick(f"NFO:{row['symbol']}", Decimal(row["price"]) + 7)
    run = go(plan)
    sent = {(o.symbol, o.units, o.price) for o in Order.objects.filter(book__run=run)}
    assert sent == {(r["symbol"], r["units"], Decimal(r["price"])) for r in plan.lines}


def test_the_same_key_and_the_same_plan_return_the_first_run():
    plan = plan_of([stage.account(1)])
    run = go(plan)
    assert go(plan) == run
    assert go(plan, key="another") == run
    assert Run.objects.count() == 1


def test_a_key_of_another_plan_is_a_conflict():
    accounts = [stage.account(1)]
    go(plan_of(accounts), key="k1")
    other = preview.preview(stage.saved(accounts, name="Other"), accounts, user=stage.alice())
    with pytest.raises(Conflict):
        go(other, key="k1")


def test_a_second_plan_of_a_strategy_with_an_open_run_is_a_conflict():
    accounts = [stage.account(1)]
    version = stage.saved(accounts)
    first, second = (preview.preview(version, accounts, user=stage.alice()) for _ in range(2))
    go(first)
    with pytest.raises(Conflict) as refused:
        go(second, key="k2")
    assert "open run" in refused.value.message


def test_a_changed_digest_or_row_is_refused_and_sends_nothing():
    plan = plan_of([stage.account(1)])
    with pytest.raises(Denied) as refused:
        go(plan, digest="0" * 64)
    assert refused.value.code == "PLAN_CHANGED"
    rows = plan.lines
    rows[0]["units"] = 650
    Plan.objects.filter(pk=plan.pk).update(lines=rows)
    with pytest.raises(Denied) as refused:
        go(plan)
    assert refused.value.code == "PLAN_CHANGED"
    assert not Order.objects.exists() and not Run.objects.exists()


def test_a_plan_lives_thirty_seconds(_now):
    plan = plan_of([stage.account(1)])
    _now.advance(30.1)
    with pytest.raises(Denied) as refused:
        go(plan)
    assert refused.value.code == "PLAN_EXPIRED"
    assert not Run.objects.exists()


def test_terms_that_changed_since_the_preview_are_refused():
    plan = plan_of([stage.account(1)])
    Instrument.objects.filter(symbol=plan.lines[0]["symbol"]).update(lot_units=75)
    with pytest.raises(Denied) as refused:
        go(plan)
    assert refused.value.code == "PLAN_CHANGED"


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda a: switch.set_state(None, "REDUCING", by="user:alice", why="test"), "KILL_SWITCH"),
        (lambda a: switch.set_state(a, "HALTED", by="user:alice", why="test"), "ACCOUNT_HALTED"),
        (lambda a: switch.set_state(a, "REDUCING", by="user:alice", why="test"), "ACCOUNT_REDUCING"),
        (lambda a: type(a).objects.filter(pk=a.pk).update(entries_enabled=False), "ACCOUNT_REDUCING"),
        (lambda a: type(a).objects.filter(pk=a.pk).update(link="DOWN"), "LINK_DOWN"),
        (lambda a: type(a).objects.filter(pk=a.pk).update(mode="LIVE"), "MODE_MISMATCH"),
    ],
)
def test_what_changed_between_preview_and_send_denies_and_leaves_the_plan_unused(act, code):
    a = stage.account(1)
    plan = plan_of([a])
    act(a)
    with pytest.raises(Denied) as refused:
        go(plan)
    assert refused.value.code == code
    plan.refresh_from_db()
    assert plan.used_at is None and not Order.objects.exists()


def test_out_of_hours_nothing_is_started(_now):
    plan = plan_of([stage.account(1)])
    _now.set(stage.NOW.replace(hour=11))
    plan.expires_at = stage.NOW.replace(hour=12)
    Plan.objects.filter(pk=plan.pk).update(expires_at=plan.expires_at)
    stage.books_read(plan.version.accounts.get())
    stage.funds_read(plan.version.accounts.get())
    for row in plan.lines:
        stage.tick(f"NFO:{row['symbol']}", 100)
    with pytest.raises(Denied) as refused:
        go(plan)
    assert refused.value.code == "SESSION_CLOSED"


def test_a_skipped_account_is_shown_with_its_code_and_gets_no_order():
    good, down = stage.account(1), stage.account(2, link="DOWN")
    plan = plan_of([good, down])
    assert [(s["account"], s["code"]) for s in plan.skipped] == [(down.pk, "LINK_DOWN")]
    assert {r["account"] for r in plan.lines} == {good.pk}


def test_live_and_paper_never_share_a_plan():
    a, b = stage.account(1), stage.account(2, mode="LIVE")
    with pytest.raises(Refused) as refused:
        plan_of([a, b])
    assert "accounts" in refused.value.fields


def test_when_somebody_looks_paper_stays_out_of_a_live_plan_and_is_shown():
    paper, live = stage.account(1), stage.account(2, mode="LIVE")
    version = stage.saved([paper, live])
    plan = preview.preview(version, [paper, live], user=stage.alice(), attended=True)
    assert plan.terms["mode"] == "LIVE" and {row["account"] for row in plan.lines} == {live.pk}
    assert [(row["account"], row["code"]) for row in plan.skipped] == [(paper.pk, "MODE_MISMATCH")]


def test_a_closed_strategy_can_run_again():
    accounts = [stage.account(1)]
    version = stage.saved(accounts)
    first = go(preview.preview(version, accounts, user=stage.alice()), key="one")
    Run.objects.filter(pk=first.pk).update(state="CLOSED")
    second = go(preview.preview(version, accounts, user=stage.alice()), key="two")
    assert second != first and GuardState.objects.filter(run=second, state="WAITING").count() == 3


def test_entries_switched_off_deny():
    accounts = [stage.account(1)]
    version = stage.saved(accounts)
    plan = preview.preview(version, accounts, user=stage.alice())
    build.set_entries(version.strategy, enabled=False, by="user:alice")
    with pytest.raises(Denied):
        go(plan)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("keys", ["one key", "different keys"])
def test_twenty_parallel_starts_make_one_run(keys):
    accounts = [stage.account(1), stage.account(2)]
    plan = plan_of(accounts)
    outcomes: list[object] = []
    barrier = threading.Barrier(20)

    def click(n):
        try:
            barrier.wait()
            outcomes.append(go(plan, key="same" if keys == "one key" else f"key-{n}").pk)
        except Conflict as conflict:
            outcomes.append(conflict.message)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=click, args=(n,)) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Run.objects.count() == 1
    assert Order.objects.count() == 8 and Book.objects.count() == 2
    assert len(outcomes) == 20 and set(outcomes) == {Run.objects.get().pk}, connection.vendor
