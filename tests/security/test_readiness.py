from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.gateway import limits
from accounts.models import Account, User
from algomirror.frame import beats
from algomirror.frame.activity import verification
from algomirror.frame.readiness import board
from algomirror.frame.readiness.found import is_line
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import chain, heartbeat, journal, queue
from algomirror.ops.models import Alarm, Check
from marketdata import calendar
from tests import cast
from tests.page_rules import inline_parts
from tests.strategies import stage

pytestmark = pytest.mark.django_db

IN_SESSION = datetime(2026, 11, 20, 5, 11, 7, tzinfo=UTC)
AT_0854, AT_0856, AT_0916 = (datetime(2026, 11, 20, 3, minute, tzinfo=UTC) for minute in (24, 26, 46))


@pytest.fixture(autouse=True)
def now(db: None) -> Iterator[FrozenClock]:
    with clock.use(FrozenClock(IN_SESSION)) as frozen:
        assert isinstance(frozen, FrozenClock)
        stage.market()
        yield frozen
    calendar.forget()


def states(account: Account | None = None) -> dict[str, str]:
    board.run()
    assert all(is_line(name) for name in Check.objects.values_list("name", flat=True)), "READINESS_BLOCKS may name every line"
    return dict(Check.objects.filter(account_id=account.pk if account else 0).values_list("name", "state"))


def value(name: str, account: Account | None = None) -> str:
    return Check.objects.get(name=name, account_id=account.pk if account else 0).value


def healthy() -> Account:
    """An account about which everything is known and good."""
    account = cast.account(latency_ms=34)
    cast.read(account, "FUNDS", {"available_cash": "100000"})
    cast.read(account, "POSITIONS")
    at = clock.now().timestamp()
    heartbeat.beat("feed", state="LIVE", source=account.name, index_age_s=0.4, order_streams="1/1", skew={account.pk: [0.2, at]})
    return account


def test_a_healthy_account_is_green_in_every_line() -> None:
    account = healthy()
    assert set(states(account).values()) == {"GREEN"}
    assert value("gateway", account) == "up, last good answer 0 s ago, 34 ms"


TROUBLES: list[tuple[dict[str, Any], str, str]] = [
    ({"link": "DOWN", "last_failure": "nothing answers"}, "gateway", "RED"),
    ({"link": "DEGRADED"}, "gateway", "AMBER"),
    ({"link": "REFUSED"}, "key and broker session", "RED"),
    ({"last_good_at": IN_SESSION - timedelta(hours=3)}, "key and broker session", "GREEN"),
    ({"last_good_at": IN_SESSION - timedelta(hours=9)}, "key and broker session", "RED"),
    ({"last_good_at": None}, "key and broker session", "RED"),
]


@pytest.mark.parametrize(("change", "check", "state"), TROUBLES)
def test_a_link_that_is_ill_says_so_and_what_to_do(change: dict[str, Any], check: str, state: str) -> None:
    account = healthy()
    Account.objects.filter(pk=account.pk).update(**change)
    assert states(account)[check] == state
    row = Check.objects.get(name=check, account_id=account.pk)
    assert bool(row.remedy) is (state != "GREEN")


@pytest.mark.parametrize(("ago_s", "state"), [(119, "GREEN"), (121, "AMBER"), (599, "AMBER"), (601, "RED")])
def test_funds_grow_old(ago_s: float, state: str) -> None:
    account = healthy()
    cast.read(account, "FUNDS", {"available_cash": "1"}, ago_s=ago_s)
    assert states(account)["funds"] == state


def test_a_failed_read_is_amber_with_its_reason() -> None:
    account = healthy()
    cast.read(account, "FUNDS", {"available_cash": "1"}, error="TIMEOUT: no answer")
    assert states(account)["funds"] == "AMBER" == states(account)["mode"]
    assert Check.objects.get(name="funds").remedy == "TIMEOUT: no answer"


def test_positions_are_read_today_and_explained() -> None:
    account = healthy()
    cast.read(account, "POSITIONS", [cast.shown(cast.CALL, -65)])
    assert (states(account)["positions"], "outside" in value("positions", account)) == ("AMBER", True)
    cast.position(cast.book(account, cast.run()))
    cast.read(account, "POSITIONS", ago_s=-1)
    assert (states(account)["positions"], "differ" in value("positions", account)) == ("RED", True)
    cast.read(account, "POSITIONS", ago_s=9 * 3600)
    assert states(account)["positions"] == "RED"


@pytest.mark.parametrize(("skew", "state"), [(1.9, "GREEN"), (-2.1, "AMBER"), (4.9, "AMBER"), (-5.1, "RED"), (None, "AMBER")])
def test_a_clock_that_goes_wrong_is_seen(skew: float | None, state: str) -> None:
    account = healthy()
    measured = {} if skew is None else {account.pk: [skew, clock.now().timestamp()]}
    heartbeat.beat("feed", state="LIVE", source="x", index_age_s=0.1, skew=measured)
    assert states(account)["clock"] == state


def test_the_calls_of_the_last_second_are_counted() -> None:
    account = healthy()
    for _ in range(9):
        limits.take(account.pk, "orders", 10, exit=True, wait_s=0)
    assert limits.used(account.pk, "orders") == 9
    assert states(account)["calls"] == "AMBER"
    limits.forget()


def test_the_house_is_judged_too() -> None:
    healthy()
    found = states()
    assert (found["database"], found["redis"], found["metronome"], found["contracts NFO"]) == ("GREEN", "GREEN", "RED", "GREEN")
    assert (found["prices"], found["order streams"], found["disk"]) == ("GREEN", "GREEN", "GREEN")


def test_yesterday_s_contracts_are_red_on_a_trading_day(now: FrozenClock) -> None:
    now.advance(86_400 * 3)  # Monday
    assert states()["contracts NFO"] == "RED"
    now.advance(-86_400 * 2)  # Saturday
    assert states()["contracts NFO"] == "AMBER"


def test_a_calendar_that_ends_soon_is_amber_and_without_today_red(now: FrozenClock) -> None:
    now.set(datetime(2027, 1, 4, 5, 0, tzinfo=UTC))
    calendar.forget()
    assert states()["calendar"] == "RED"


def test_since_moves_only_with_the_state(now: FrozenClock) -> None:
    account = healthy()
    board.run()
    first = Check.objects.get(name="gateway", account_id=account.pk).since
    now.advance(60)
    board.run()
    assert Check.objects.get(name="gateway", account_id=account.pk).since == first
    Account.objects.update(link="DOWN")
    board.run()
    assert Check.objects.get(name="gateway", account_id=account.pk).since == now.now()


def test_an_archived_account_leaves_the_board() -> None:
    account = healthy()
    board.run()
    Account.objects.update(archived_at=clock.now(), is_primary=False)
    board.run()
    assert not Check.objects.filter(account_id=account.pk).exists()


@pytest.mark.parametrize(("at", "rings"), [(AT_0854, False), (AT_0856, True), (AT_0916, False)])
def test_a_red_line_rings_from_0855_until_the_open(now: FrozenClock, at: datetime, rings: bool) -> None:
    now.set(at)
    cast.account(link="DOWN")
    board.run()
    board.run()
    assert [a.kind for a in Alarm.objects.all()] == (["NOT_READY"] if rings else [])
    assert not rings or "Zerodha Anil" in Alarm.objects.get().text


def test_nothing_rings_on_a_day_without_a_session(now: FrozenClock) -> None:
    now.set(AT_0856 + timedelta(days=1))
    cast.account(link="DOWN")
    board.run()
    assert not Alarm.objects.exists()


def test_the_number_of_queries_does_not_grow_with_the_accounts(django_assert_max_num_queries: Any) -> None:
    healthy()
    board.run()
    with django_assert_max_num_queries(200) as small:
        board.run()
    for name in ("Two", "Three", "Four"):
        cast.account(f"Account {name}")
    board.run()
    with django_assert_max_num_queries(len(small) + 3 * 8 + 2):
        board.run()


def test_the_page_shows_it_and_runs_it(alice: User, bob: User) -> None:
    healthy()
    client = cast.signed_in(alice)
    assert b"Not checked yet" in client.get("/readiness").content
    answer = client.post("/readiness/run", headers={"HX-Request": "true"})
    assert b"Zerodha Anil" in answer.content and b"<html" not in answer.content
    page = client.get("/readiness")
    assert b"Not ready." in page.content and inline_parts(page) == []
    assert cast.signed_in(bob).post("/readiness/run").status_code == 403
    assert b"Run the checks now" not in cast.signed_in(bob).get("/readiness").content


def test_a_metronome_s_beat_has_it_run_once_a_minute() -> None:
    beats.enqueue()
    assert queue.client().exists("am:queued:readiness")
    queue.client().delete("am:queued:readiness")
    beats.enqueue()
    assert not queue.client().exists("am:queued:readiness")


def test_the_verdict_on_the_journal_stays_on_the_board(now: FrozenClock) -> None:
    journal.record("x", actor="test")
    now.advance(3)
    chain.seal_all()
    assert verification.run().is_intact
    now.advance(60)
    assert states()["journal chain"] == "GREEN"
