from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts import beats, health, reads, tasks
from accounts.gateway.reports import Failed, Why
from accounts.models import Account, BrokerRead, User
from accounts.services import account as services
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import queue
from algomirror.ops.models import Alarm, Journal
from simulator.world import World
from tests.accounts.cast import wanted
from tests.accounts.conftest import HALTED

pytestmark = pytest.mark.django_db
Link = Account.Link


@pytest.fixture
def account(alice: User, world: World) -> Account:
    return services.add_account(alice, wanted(world))


def fail(world: World, times: int = 1) -> list[str]:
    states = []
    for _ in range(times):
        world.faults.add("http_5xx", endpoint="funds")
        states.append(health.check_link(Account.objects.get().pk))
    return states


def test_three_failures_make_it_down_with_one_alarm(account: Account, world: World) -> None:
    good = account.last_good_at
    assert fail(world, 5) == [Link.DEGRADED, Link.DEGRADED, Link.DOWN, Link.DOWN, Link.DOWN]
    account.refresh_from_db()
    assert account.failures_in_row == 5 and account.last_good_at == good, "a failure never refreshes the last good contact"
    assert "It said" in account.last_failure
    assert Alarm.objects.get().kind == "LINK_DOWN"
    moves = Journal.objects.filter(kind="account.link").order_by("id").values_list("moved_from", "moved_to")
    assert list(moves) == [("UP", "DEGRADED"), ("DEGRADED", "DOWN")]


def test_one_success_makes_it_up_again(account: Account, world: World) -> None:
    fail(world, 3)
    assert health.check_link(account.pk) == Link.UP
    account.refresh_from_db()
    assert account.failures_in_row == 0 and account.last_failure == "" and account.latency_ms is not None


def test_a_refused_key_is_refused_at_once(account: Account, world: World) -> None:
    fault = world.faults.add("token_expired")
    assert health.check_link(account.pk) == Link.REFUSED
    assert Alarm.objects.get().kind == "LINK_REFUSED"
    world.faults.remove(fault.id)
    assert health.check_link(account.pk) == Link.UP


def test_a_session_that_ends_again_hours_later_rings_again(account: Account, world: World) -> None:
    """The first end is every night's, after which sessions are begun anew, and nobody acknowledges it."""
    with clock.use(FrozenClock(datetime(2026, 11, 19, 21, 35, tzinfo=UTC))) as now:
        assert isinstance(now, FrozenClock)
        for hours in (5, 3):
            fault = world.faults.add("token_expired")
            assert health.check_link(account.pk) == Link.REFUSED
            world.faults.remove(fault.id)
            assert health.check_link(account.pk) == Link.UP
            now.advance(hours * 3600)
    assert Alarm.objects.filter(kind="LINK_REFUSED").count() == 2
    assert Alarm.objects.filter(state=Alarm.State.NEW).count() == 1


def test_an_empty_funds_answer_is_no_sign_of_life(account: Account, world: World) -> None:
    world.faults.add("empty_funds")
    assert health.check_link(account.pk) == Link.DEGRADED
    row = BrokerRead.objects.get(kind="FUNDS")
    assert row.sequence == 1 and row.error.startswith("NO_SESSION") and row.rows["available_cash"]


def test_a_server_in_the_other_world_halts_the_account_and_its_money_is_not_kept(account: Account, world: World) -> None:
    before = BrokerRead.objects.get(kind="FUNDS").rows
    world.accounts[0].analyze = False
    assert health.check_link(account.pk) == Link.DEGRADED
    assert [(account.pk, "The server is in LIVE mode, the account expects PAPER.")] == HALTED
    assert BrokerRead.objects.get(kind="FUNDS").rows == before


def test_our_own_pause_is_no_failure(account: Account, settings: Any) -> None:
    health.record(health.Asked(account, Failed(Why.BUDGET, "used up")))
    account.refresh_from_db()
    assert account.link == Link.UP and account.failures_in_row == 0
    assert BrokerRead.objects.get(kind="FUNDS").error.startswith("BUDGET")


def test_what_was_asked_with_an_old_key_changes_no_link(account: Account) -> None:
    Account.objects.filter(pk=account.pk).update(config_version=2)
    health.record(health.Asked(account, Failed(Why.KEY_REFUSED, "Invalid openalgo apikey")))
    account.refresh_from_db()
    assert account.link == Link.UP and not Alarm.objects.exists()


@pytest.mark.parametrize(
    ("link", "seconds", "due"),
    [
        (Link.UP, 29.9, False),
        (Link.UP, 30, True),
        (Link.UNKNOWN, 30, True),
        (Link.DEGRADED, 30, True),
        (Link.REFUSED, 59.9, False),
        (Link.REFUSED, 60, True),
        (Link.DOWN, 299.9, False),
        (Link.DOWN, 300, True),
    ],
)
def test_each_state_has_its_rhythm(link: Link, seconds: float, due: bool) -> None:
    now = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
    assert health.is_due(link, now - timedelta(seconds=seconds), now) is due
    assert health.is_due(link, None, now)


def test_a_failed_attempt_counts_for_the_rhythm_too(account: Account, world: World) -> None:
    with clock.use(clock.FrozenClock(clock.now() + timedelta(seconds=31))) as frozen:
        assert health.due() == [account.pk]
        fail(world)
        assert health.due() == []
        frozen.advance(30)  # type: ignore[attr-defined]
        assert health.due() == [account.pk]


def test_the_beat_queues_all_that_are_due_once(account: Account, world: World, alice: User) -> None:
    second = services.add_account(alice, wanted(world, 2))
    beats.enqueue()
    assert queue.client().exists("am:queued:links") == 0
    with clock.use(clock.FrozenClock(clock.now() + timedelta(seconds=31))):
        beats.enqueue()
        assert queue.client().exists("am:queued:links") == 1
        tasks.check_links(account.pk, second.pk)
        assert health.due() == []


def test_archived_accounts_are_left_in_peace(account: Account, alice: User, world: World) -> None:
    services.archive_account(alice, account.pk)
    calls = world.accounts[0].calls
    assert health.check_link(account.pk) == "" and health.due() == []
    assert world.accounts[0].calls == calls


def test_one_dead_server_does_not_hide_the_others(account: Account, alice: User, world: World) -> None:
    second = services.add_account(alice, wanted(world, 2))
    world.faults.add("drop_before", account=1)
    health.check_links([account.pk, second.pk])
    states = dict(Account.objects.values_list("pk", "link"))
    assert states == {account.pk: Link.DEGRADED, second.pk: Link.UP}


def test_funds_come_back_from_the_kept_read_exactly(account: Account) -> None:
    kept = reads.funds_of(BrokerRead.objects.get(kind="FUNDS"))
    assert kept is not None and str(kept.available_cash) == "10000000.0"
    assert reads.funds_of(None) is None
