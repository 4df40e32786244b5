from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.gateway.directory import far_side
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Heartbeat, Journal
from marketdata import calendar
from risk.domain.ceilings import Ceiling, Usage, breach, check, losing_streak
from risk.domain.pretrade import LineFacts
from risk.models import AccountLimits, EntryLock, RiskEvent
from risk.services import daily, gate, watch
from tests.risk import desk
from tests.strategies import stage
from trading.models import Book, ExitGoal

pytestmark = pytest.mark.django_db
D = Decimal
SYMBOL = desk.CALL.split(":")[1]


@pytest.fixture(autouse=True)
def frozen(db):
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def lost(run, rupees):
    """So much realised today, by fills the day's P&L counts."""
    from tests import cast

    for book in run.books.all():
        order = cast.order(book, state="ACCEPTED", action="BUY", units=65, symbol=stage.option(24150, "CE").split(":")[1])
        cast.fill(order, price="100")
        out = cast.order(book, state="ACCEPTED", action="SELL", units=65, purpose="EXIT", symbol=order.symbol)
        cast.fill(out, price=str(D(100) - D(rupees) / 65))


def entries(accounts, *, lots=1, symbol=SYMBOL):
    return gate.check_plan(
        accounts=accounts,
        mode="PAPER",
        lines={a.pk: [line(lots, symbol)] for a in accounts},
        exchanges={"NFO"},
        now=clock.now(),
        opens_run=True,
    )


def line(lots, symbol):
    return LineFacts(
        leg=1,
        symbol=symbol,
        is_listed=True,
        expiry=stage.WEEK,
        today=clock.today(),
        units=65 * lots,
        lot_units=65,
        tick=D("0.05"),
        price_type="LIMIT",
        price=D("100"),
        trigger_price=D(0),
        quote_is_fresh=True,
        has_unacknowledged=False,
        reference=D("100"),
        exchange="NFO",
    )


def codes(denials):
    return [d.code.value for d in denials]


def test_a_daily_loss_flattens_that_account_once_and_locks_its_entries_until_tomorrow(frozen):
    one, two = desk.accounts(2)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    run = desk.a_run([one, two], max_loss=D(90_000))
    watch.sweep()
    assert not ExitGoal.objects.exists()
    lost(run, 3250)
    desk.price(call=100, put=80)
    watch.sweep()
    watch.sweep()
    assert {goal.book.account_id for goal in ExitGoal.objects.all()} == {one.pk}
    event = RiskEvent.objects.get()
    assert (event.kind, event.account_id, event.action) == ("ACCOUNT_LIMIT", one.pk, "EXIT") and event.threshold == -3000
    assert codes(entries([one])) == ["DAILY_LOSS_LOCK"] and codes(entries([two])) == []
    lock = EntryLock.objects.get()
    assert lock.until == datetime(2026, 11, 23, 3, 45, tzinfo=UTC), "Monday 09:15 in India"
    frozen.set(lock.until - timedelta(seconds=1))
    calendar.forget()
    assert "DAILY_LOSS_LOCK" in codes(entries([one]))
    frozen.set(lock.until)
    calendar.forget()
    assert "DAILY_LOSS_LOCK" not in codes(entries([one]))


def test_an_exit_under_a_daily_lock_is_asked_again_until_flat():
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    run = desk.a_run([one], max_loss=D(90_000))
    lost(run, 3250)
    watch.sweep()
    ExitGoal.objects.update(state="DONE", done_at=clock.now())
    Book.objects.update(state="OPEN")
    watch.sweep()
    assert ExitGoal.objects.exclude(state="DONE").get().reason == "ACCOUNT_LIMIT"


def test_the_platform_limit_flattens_everybody():
    on = desk.accounts(2)
    daily.set_limits(None, {"daily_profit": D(5000)}, by="user:alice")
    run = desk.a_run(on, max_loss=D(90_000))
    lost(run, -2665)
    watch.sweep()
    assert ExitGoal.objects.count() == 2 and EntryLock.objects.get().scope_key == "platform"
    assert codes(entries(on)) == ["DAILY_LOSS_LOCK"] * 2


def test_an_unknown_day_reaches_no_limit(frozen):
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(1)}, by="user:alice")
    run = desk.a_run([one], max_loss=D(90_000))
    lost(run, 6000)
    frozen.advance(6)
    watch.sweep()
    assert not EntryLock.objects.exists()


@pytest.mark.parametrize(
    ("limits", "lots", "code"),
    [
        ({"max_lots": 3}, 1, None),
        ({"max_lots": 2}, 1, "MAX_LOTS"),
        ({"max_notional": D(4_700_000)}, 1, None),
        ({"max_notional": D(4_600_000)}, 1, "MAX_NOTIONAL"),
        ({"orders_per_minute": 1}, 1, None),
        ({"orders_per_day": 1, "orders_per_minute": 1, "max_runs": 2}, 1, None),
        ({"max_runs": 1}, 1, "NOT_PERMITTED"),
    ],
)
def test_ceilings_count_what_stands_and_what_is_asked(limits, lots, code):
    """A strangle of one lot each stands: 2 lots, 65 × (24,100 + 23,950)."""
    (one,) = desk.accounts(1)
    desk.a_run([one])
    daily.set_limits(one, limits, by="user:alice")
    assert codes(entries([one], lots=lots)) == ([code] if code else [])


def test_orders_of_this_minute_count(frozen):
    from tests import cast

    (one,) = desk.accounts(1)
    run = desk.a_run([one])
    daily.set_limits(one, {"orders_per_minute": 2}, by="user:alice")
    cast.order(run.books.get(), state="FILLED")
    cast.order(run.books.get(), state="FILLED", symbol="OTHER")
    assert codes(entries([one])) == ["ORDER_RATE"]
    frozen.advance(61)
    stage.books_read(one)
    desk.at_entry()
    assert codes(entries([one])) == []


def test_losing_exits_in_a_row_begin_a_cool_down_that_ends_by_itself(frozen):
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"losing_exits": 2, "cool_down_minutes": 30}, by="user:alice")
    for n in range(2):
        run = desk.a_run([one], name=f"Lost {n}")
        for leg in (1, 2):
            desk.close(run.books.get(), leg, "130")
        Book.objects.filter(run=run).update(state="FLAT", flat_at=clock.now())
        watch.sweep()
        assert EntryLock.objects.count() == n
        frozen.advance(60)
    assert codes(entries([one]))[0] == "DAILY_LOSS_LOCK"
    frozen.advance(29 * 60)
    stage.books_read(one)
    desk.at_entry()
    assert codes(entries([one])) == []


def test_clocks_that_disagree_deny_their_account_or_everybody():
    one, two = desk.accounts(2)
    at = clock.now().timestamp()
    Heartbeat.objects.update_or_create(name="feed", defaults={"at": clock.now(), "detail": {"skew": {str(one.pk): [6.0, at]}}})
    assert codes(entries([one])) == ["CLOCK_SKEW"] and codes(entries([two])) == []
    both = {"skew": {str(one.pk): [6.0, at], str(two.pk): [5.5, at]}}
    Heartbeat.objects.filter(name="feed").update(detail=both)
    assert set(codes(entries([two]))) == {"CLOCK_SKEW"}


def test_a_lock_is_released_by_the_owner_with_a_reason_only():
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    lost(desk.a_run([one], max_loss=D(90_000)), 3250)
    watch.sweep()
    lock = EntryLock.objects.get()
    with pytest.raises(Refused):
        daily.release(lock.pk, user=stage.person("trudy", "TRADER"), why="please")
    with pytest.raises(Refused):
        daily.release(lock.pk, user=stage.alice(), why=" ")
    assert daily.release(lock.pk, user=stage.alice(), why="a wrong fill was booked") and codes(entries([one])) == []
    watch.sweep()
    assert EntryLock.objects.count() == 1, "the same day's breach does not lock twice"


def test_changes_of_limits_are_journaled_with_old_and_new():
    (one,) = desk.accounts(1)
    daily.set_limits(one, {"daily_loss": D(3000)}, by="user:alice")
    daily.set_limits(one, {"daily_loss": D(2000), "max_lots": 5}, by="user:alice")
    assert not daily.set_limits(one, {"daily_loss": D(2000), "max_lots": 5}, by="user:alice")
    last = Journal.objects.filter(kind="risk.limits").order_by("-id").first()
    assert last is not None and last.numbers["daily_loss"] == {"from": "3000.00", "to": "2000"}
    assert AccountLimits.objects.count() == 1


def test_the_rules_alone():
    assert breach(Ceiling(daily_loss=D(100)), D(-100)) == ("DAILY_LOSS", D(-100))
    assert breach(Ceiling(daily_loss=D(100)), D("-99.99")) is None and breach(Ceiling(daily_loss=D(1)), None) is None
    assert breach(Ceiling(daily_profit=D(100)), D(100)) == ("DAILY_PROFIT", D(100))
    assert losing_streak([D(-1), D(-2), D(0), D(-3)]) == 2
    assert codes(check(Ceiling(max_notional=D(9)), Usage(notional=None), name="x", account_id=1)) == ["MAX_NOTIONAL"]


def test_the_pages_show_set_and_refuse(client):
    (one,) = desk.accounts(1)
    client.force_login(stage.alice())
    assert client.get("/risk/limits").status_code == 200
    answer = client.post(f"/risk/limits/{one.pk}", {"daily_loss": "-5,000", "max_lots": "10"})
    assert answer.status_code == 302 and AccountLimits.objects.get().daily_loss == 5000
    assert client.post("/risk/limits/platform", {"daily_loss": "0"}).status_code == 422
    assert client.post("/risk/limits/platform", {"losing_exits": "2"}).status_code == 422
    assert b"of 10" in client.get("/risk/limits/used").content
    client.force_login(stage.person("bob", "VIEWER"))
    assert client.get("/risk/limits").status_code == 200
    assert client.post(f"/risk/limits/{one.pk}", {"daily_loss": "1"}).status_code == 403


def test_events_are_filtered_and_exported(client):
    one, two = desk.accounts(2)
    run = desk.a_run([one, two], max_loss=D(1000))
    desk.price(call=120)
    watch.sweep()
    RiskEvent.objects.create(at=clock.now(), account=two, kind="LIMIT_LOCK", action="NONE", seen_by="sweep")
    client.force_login(stage.alice())
    assert client.get("/risk/events").status_code == 200
    for asked, kinds in (
        ("kind=MAX_LOSS", {"MAX_LOSS"}),
        (f"account={two.pk}", {"LIMIT_LOCK"}),
        (f"run={run.pk}", {"MAX_LOSS"}),
        ("day=2026-11-19", set()),
        ("day=2026-11-20", {"MAX_LOSS", "LIMIT_LOCK"}),
    ):
        text = b"".join(client.get(f"/risk/events.csv?{asked}").streaming_content).decode()
        assert {row.split(",")[1] for row in text.splitlines()[1:]} == kinds, asked
    assert client.get("/risk/events?kind=nonsense").status_code == 200


def test_a_lock_is_released_on_the_page_by_the_owner_with_a_reason(client):
    one = desk.accounts(1)[0]
    now = clock.now()
    lock = EntryLock.objects.create(
        account=one, scope_key=f"account:{one.pk}", trading_day=clock.trading_day(), kind="DAILY_LOSS", since=now,
        until=now + timedelta(hours=3), why="lost",
    )  # fmt: skip
    client.force_login(stage.alice())
    assert client.post(f"/risk/locks/{lock.pk}/release", {"reason": ""}).status_code == 422
    assert client.post(f"/risk/locks/{lock.pk}/release", {"reason": "counted twice"}).status_code == 302
    lock.refresh_from_db()
    assert lock.released_by == "user:alice"
