"""What paper books make hides nothing that live books lose, and takes no live book out."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from accounts.models import Account
from algomirror.frame import dashboard
from algomirror.frame.selectors import header as header_of
from algomirror.kernel import clock
from algomirror.ops.models import Alarm
from risk.models import EntryLock, RiskEvent
from risk.services import ceilings, daily, gate, watch
from tests import cast
from tests.api.caller import Caller
from tests.risk import desk
from tests.risk.families import family, leaving
from tests.risk.test_limits_above_the_run import codes, line, lost
from tests.strategies import stage
from trading.models import Book, ExitGoal, Position, Run
from trading.pages import day as day_pages
from trading.services import intents

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def live_and_paper() -> tuple[Account, Account]:
    live, paper = desk.accounts(2)
    becomes(live, "LIVE")
    return live, paper


def becomes(account: Account, mode: str) -> None:
    Account.objects.filter(pk=account.pk).update(mode=mode)
    account.mode = mode


def a_run_of(account: Account) -> Run:
    """With books of the mode in which the account is now."""
    run = desk.a_run([account], name=f"{account.name} {account.mode}", max_loss=D(90_000))
    run.books.update(mode=account.mode)
    return run


def denied(account: Account) -> list[str]:
    account = Account.objects.get(pk=account.pk)
    lines = {account.pk: [line(1, desk.CALL.split(":")[1])]}
    return codes(
        gate.check_plan(accounts=[account], mode=account.mode, lines=lines, exchanges={"NFO"}, now=clock.now(), opens_run=True)
    )


@pytest.mark.parametrize("whose", ["platform", "group"])
def test_paper_gains_hide_no_live_loss(whose: str) -> None:
    live, paper = live_and_paper()
    if whose == "platform":
        daily.set_limits(None, {"daily_loss": D(3000)}, by="user:alice")
    else:
        family(live, paper, daily_loss=D(3000))
    lost(a_run_of(live), 6500)
    lost(a_run_of(paper), -6500)
    watch.sweep()
    watch.sweep()
    assert leaving() == {live.pk}
    assert denied(live) == ["DAILY_LOSS_LOCK"] and denied(paper) == []
    assert [lock.mode for lock in EntryLock.objects.all()] == ["LIVE"] and RiskEvent.objects.count() == 1


@pytest.mark.parametrize("whose", ["platform", "group"])
def test_a_paper_loss_takes_no_live_book_out_and_a_live_one_still_can(whose: str) -> None:
    live, paper = live_and_paper()
    if whose == "platform":
        daily.set_limits(None, {"daily_loss": D(3000)}, by="user:alice")
    else:
        family(live, paper, daily_loss=D(3000))
    real = a_run_of(live)
    lost(a_run_of(paper), 3250)
    watch.sweep()
    assert leaving() == {paper.pk} and denied(live) == [] and denied(paper) == ["DAILY_LOSS_LOCK"]
    lost(real, 3250)
    watch.sweep()
    assert leaving() == {live.pk, paper.pk} and denied(live) == ["DAILY_LOSS_LOCK"]
    assert {lock.mode for lock in EntryLock.objects.all()} == {"LIVE", "PAPER"}
    assert Alarm.objects.filter(kind="ACCOUNT_LIMIT").count() == 2


def test_two_small_losses_of_two_modes_are_no_loss_of_both() -> None:
    live, paper = live_and_paper()
    daily.set_limits(None, {"daily_loss": D(3000)}, by="user:alice")
    for account in (live, paper):
        lost(a_run_of(account), 1625)
    watch.sweep()
    assert not EntryLock.objects.exists() and not ExitGoal.objects.exists()


def test_an_account_that_changed_today_is_judged_by_its_books() -> None:
    """Paper gains of the morning hide nothing of the live afternoon, and a lock of the one releases the other."""
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000), "daily_profit": D(6000)}, by="user:alice")
    morning = a_run_of(one)
    lost(morning, -6500)
    watch.sweep()
    assert leaving() == {one.pk} and denied(one) == ["DAILY_LOSS_LOCK"]
    ExitGoal.objects.update(state="DONE", done_at=clock.now())
    Position.objects.filter(book__run=morning).update(units=0, open_value=0)
    Book.objects.update(state="FLAT", flat_at=clock.now())
    becomes(one, "LIVE")
    assert denied(one) == []
    afternoon = a_run_of(one)
    lost(afternoon, 3250)
    watch.sweep()
    assert [goal.book_id for goal in ExitGoal.objects.exclude(state="DONE")] == [afternoon.books.get().pk]
    assert denied(one) == ["DAILY_LOSS_LOCK"]
    becomes(one, "PAPER")
    assert denied(one) == ["DAILY_LOSS_LOCK"], "of the morning"


def test_what_was_traded_by_hand_on_paper_stays_paper() -> None:
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")

    def by_hand(made: int) -> Book:
        book = intents.ticket_book(one)
        order = cast.order(book, action="BUY", symbol=stage.option(24150, "CE").split(":")[1])
        cast.fill(order, price="100")
        cast.fill(cast.order(book, action="SELL", purpose="EXIT", symbol=order.symbol), price=str(D(100) + D(made) / 65))
        return book

    first = by_hand(6500)
    becomes(one, "LIVE")
    second = by_hand(-3250)
    assert (first.mode, second.mode) == ("PAPER", "LIVE") and intents.ticket_book(one).pk == second.pk
    today = day_pages.today()
    assert (today.made("PAPER").total, today.made("LIVE").total) == (6500, -3250)
    watch.sweep()
    assert denied(one) == ["DAILY_LOSS_LOCK"]


def test_paper_wins_break_no_row_of_live_losses() -> None:
    live, paper = live_and_paper()
    daily.set_limits(None, {"losing_exits": 2, "cool_down_minutes": 30}, by="user:alice")
    for account, price in ((live, "130"), (paper, "70"), (live, "130")):
        run = a_run_of(account)
        for leg in (1, 2):
            desk.close(run.books.get(), leg, price)
        Book.objects.filter(run=run).update(state="FLAT", flat_at=clock.now())
    watch.sweep()
    assert denied(live) == ["DAILY_LOSS_LOCK"] and denied(paper) == []


def test_a_lock_from_before_modes_were_told_apart_locks_everybody() -> None:
    live, paper = live_and_paper()
    EntryLock.objects.create(
        scope_key="platform", trading_day=clock.trading_day(), kind="DAILY_LOSS", since=clock.now(),
        until=clock.now().replace(hour=23), why="lost",
    )  # fmt: skip
    books = [a_run_of(account).books.get() for account in (live, paper)]
    assert set(ceilings.locked([live, paper], clock.now())) == {None, live.pk, paper.pk}
    watch.sweep()
    assert {goal.book_id for goal in ExitGoal.objects.all()} == {book.pk for book in books}


def test_no_page_adds_paper_and_live_rupees_up(client: Any, rf: Any) -> None:
    live, paper = live_and_paper()
    group = family(live, paper, daily_loss=D(90_000))
    lost(a_run_of(live), 2600)
    lost(a_run_of(paper), -1300)
    owner = stage.alice()
    client.force_login(owner)
    rows = Caller.of(owner, scopes=["read"]).get("risk/ceilings").json()
    both = {"LIVE": "-2600.00", "PAPER": "1300.00"}
    assert [(row["scope"], row["target"], row["day_pnl"], row["day_pnl_by_mode"]) for row in rows] == [
        ("platform", None, "-2600.00", both),
        ("group", group.pk, "-2600.00", both),
        ("account", live.pk, "-2600.00", {"LIVE": "-2600.00"}),
        ("account", paper.pk, "1300.00", {"PAPER": "1300.00"}),
    ]
    used = client.get("/risk/limits/used").content.decode()
    assert used.count("1,300.00") == used.count("2,600.00") == 3, "of all, of the group, of the account"
    page = dashboard.dashboard()
    assert {mode: made.total for mode, made in page.days.items()} == {"LIVE": -2600, "PAPER": 1300}
    assert [card.pnl_today.total for card in page.accounts] == [-2600, 1300]
    shown = client.get("/dashboard").content.decode()
    assert "P&amp;L today, live" in shown and "P&amp;L today, paper" in shown and "P&amp;L of today, live" in shown
    values = dashboard.live_values()
    assert (values["frame:pnl_today"], values["frame:pnl_paper"]) == ("-2600.00", "1300.00")
    head = header_of(rf.get("/orders"))
    assert (head["pnl_today"], head["pnl_mode"]) == (-2600, "LIVE")
    said = Caller.of(owner, scopes=["read"]).get("dashboard").json()
    assert said["pnl_today"] == "-2600.00" and said["pnl_by_mode"] == both


def test_where_all_are_of_one_mode_nothing_is_named(client: Any) -> None:
    lost(a_run_of(desk.accounts(1)[0]), 1300)
    client.force_login(stage.alice())
    shown = client.get("/dashboard").content.decode()
    assert "P&amp;L today, " not in shown and list(dashboard.dashboard().days) == ["PAPER"]
    assert "frame:pnl_paper" not in dashboard.live_values()
