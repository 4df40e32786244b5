"""After the close of the last day: settled by the index close, once, without an order, confirmed by the broker's book."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from accounts.models import BrokerRead
from algomirror.ops.models import Alarm, Journal
from marketdata import quotes
from marketdata.domain.quotes import Quote, Source
from strategies.analytics import reading
from strategies.pages.charges import run_charges
from strategies.services import settle
from tests.risk import desk
from tests.strategies import stage
from trading.domain.settlement import settled_at
from trading.models import Book, ExitGoal, Fill, Order, Position
from trading.services import expire, rest

pytestmark = pytest.mark.django_db
D = Decimal
# Tuesday 24 November 2026, 15:29:59 in India; the market of the stage closes at 15:30.
CLOSE = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
INDEX = D("24162.35")


@pytest.fixture
def now():
    with stage.at() as frozen:
        stage.market()
        yield frozen


@pytest.fixture
def run(now):
    (account,) = desk.accounts(1)
    return desk.a_run([account], owned=desk.CONDOR)


def index_at(frozen, moment, price=INDEX, **more):
    frozen.set(moment)
    quotes.put([Quote(desk.INDEX, price, moment, Source.STREAM, **more)])


def after_close(frozen, seconds=301):
    index_at(frozen, CLOSE - timedelta(seconds=1))
    frozen.set(CLOSE + timedelta(seconds=seconds))


def units(run):
    return {p.symbol: p.units for p in Position.objects.filter(book__run=run)}


@pytest.mark.parametrize(
    ("kind", "strike", "worth"),
    [("CE", 24100, "62.35"), ("CE", 24200, "0"), ("PE", 24200, "37.65"), ("PE", 24100, "0"), ("FUT", None, "24162.35")],
)
def test_the_worth_is_the_intrinsic_value(kind, strike, worth):
    assert settled_at(kind, None if strike is None else D(strike), INDEX) == D(worth)


def test_it_is_settled_once_and_the_run_ends_by_expiry(now, run):
    after_close(now, 299)
    assert expire.due() and expire.settle() == 0, "trades of the last minutes come first"
    now.advance(2)
    assert expire.settle() == 4 and expire.settle() == 0
    assert set(units(run).values()) == {0}
    realised = sum((p.realised for p in Position.objects.filter(book__run=run)), D(0))
    # Sold 100 + 80, bought 20 + 15: 145 received, the short call costs 62.35, all else is worth nothing.
    assert realised == (D(145) - D("62.35")) * 65
    fills = Fill.objects.filter(source="SETTLEMENT")
    assert fills.count() == 4 and {fill.trading_day.isoformat() for fill in fills} == {"2026-11-24"}
    assert not Order.objects.filter(sent_at__isnull=False).exists(), "nothing was sent"
    assert settle.settle(run.pk)
    run.refresh_from_db()
    assert (run.state, run.exit_reason) == ("CLOSED", "EXPIRY")
    assert Journal.objects.filter(kind="book.settled", run_id=run.pk).count() == 4


def test_only_an_exercised_long_pays_and_no_brokerage(now, run):
    before = run_charges([run.pk])[run.pk]
    index_at(now, CLOSE - timedelta(seconds=1), D(24400))
    now.set(CLOSE + timedelta(seconds=301))
    expire.settle()
    # The bought 24,300 call is worth 100 a unit: 0.15 % of 6,500.
    assert run_charges([run.pk])[run.pk] == before + D("9.75")


def test_on_the_last_day_itself_and_for_later_contracts_nothing_is_settled(now, run):
    index_at(now, CLOSE - timedelta(hours=1))
    assert expire.settle() == 0
    for position in Position.objects.filter(book__run=run):
        Position.objects.filter(pk=position.pk).update(symbol=position.symbol.replace("24NOV26", "01DEC26"))
    after_close(now)
    assert not expire.due() and expire.settle() == 0


@pytest.mark.parametrize("state", ["ACCEPTED", "UNKNOWN", "PENDING_CANCEL"])
def test_an_order_that_may_still_fill_holds_it_up(now, run, state):
    book = Book.objects.get(run=run)
    position = Position.objects.filter(book=book).first()
    Order.objects.create(
        book=book, account=book.account, client_order_id="late", purpose="EXIT", exchange=position.exchange, action="BUY",
        symbol=position.symbol, product=position.product, units=65, tick=D("0.05"), price_type="LIMIT", price=D(1),
        state=state, trading_day=stage.WEEK, created_at=now.now(),
    )  # fmt: skip
    after_close(now)
    assert expire.settle() == 3 and units(run)[position.symbol] != 0


def test_without_the_index_close_it_waits_and_rings(now, run):
    index_at(now, CLOSE - timedelta(minutes=40))
    now.set(CLOSE + timedelta(seconds=301))
    assert expire.settle() == 0 and Alarm.objects.filter(kind="SETTLEMENT_WAITS").count() == 4
    # The next morning's quotes carry the close of the day before.
    index_at(now, CLOSE + timedelta(hours=18), D(24300), prev_close=INDEX)
    assert expire.settle() == 4
    assert Order.objects.filter(price_type="EXPIRY", action="BUY").order_by("-price").first().price == D("62.35")


def test_a_close_of_days_ago_is_not_guessed(now, run):
    index_at(now, CLOSE + timedelta(days=2), D(24300), prev_close=D(24250))
    assert expire.settle() == 0 and Alarm.objects.filter(kind="SETTLEMENT_WAITS").exists()


def test_a_book_that_a_person_must_decide_about_is_left_alone(now, run):
    Book.objects.filter(run=run).update(state="FROZEN", freeze_kind="TWO")
    after_close(now)
    assert expire.settle() == 0
    Book.objects.filter(run=run).update(freeze_kind="MISSING")
    assert expire.settle() == 4


def positions_read(book, frozen, rows):
    moment = frozen.now()
    BrokerRead.objects.update_or_create(
        account=book.account,
        kind="POSITIONS",
        defaults={"rows": rows, "sequence": 9, "started_at": moment, "finished_at": moment, "attempted_at": moment, "error": ""},
    )


def test_the_next_complete_read_confirms_it_or_calls_a_person(now, run):
    after_close(now)
    expire.settle()
    book = Book.objects.get(run=run)
    call = desk.CALL.removeprefix("NFO:")
    now.advance(60)
    positions_read(book, now, [{"exchange": "NFO", "symbol": call, "product": "NRML", "units": "-65"}])
    expire.settle()
    assert Order.objects.filter(price_type="EXPIRY", last_seen_at__isnull=False).count() == 3
    assert Alarm.objects.filter(kind="SETTLEMENT_DIFFERS").count() == 1
    now.advance(60)
    positions_read(book, now, [])
    expire.settle()
    assert not Order.objects.filter(price_type="EXPIRY", last_seen_at=None).exists() and not expire.due()


def test_an_open_exit_goal_ends_with_it(now, run):
    book = Book.objects.get(run=run)
    ExitGoal.objects.create(book=book, reason="MANUAL", asked_by="user:alice", requested_at=now.now())
    after_close(now)
    assert expire.settle() == 4
    assert rest.idle([book.pk], by="test") == [], "the goal itself says when it is done"
    assert set(units(run).values()) == {0}


def test_the_analytics_count_the_same_tax(now, run):
    index_at(now, CLOSE - timedelta(seconds=1), D(24400))
    now.set(CLOSE + timedelta(seconds=301))
    expire.settle()
    found = reading.period(reading.Wish(stage.WEEK, stage.WEEK, "PAPER"))
    assert [(cut.day, cut.charges) for cut in found.cuts] == [(stage.WEEK, D("9.75"))]
