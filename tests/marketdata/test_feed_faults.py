"""Everything that goes wrong between a server and us, on real servers: noticed, survived, and never decided on old prices."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.crypto import seal
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.ops.models import Alarm, Journal
from marketdata import quotes, status
from marketdata.domain.quotes import Source
from marketdata.feed.client import Link
from marketdata.models import FailoverRecord, FeedPin
from tests.marketdata import feed_stand
from tests.marketdata.feed_stand import CALL, NIFTY, Servers, Stand, at_work, freeze, kill, shorten, thaw

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.processes]


@pytest.fixture
def stand(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    shorten(monkeypatch)
    with at_work(servers, CALL, NIFTY) as standing:
        yield standing


def switched(stand: Stand, number: int) -> FailoverRecord:
    """The feed moved to account `number`, said so, rang, and counted the blind time."""
    stand.until(lambda: stand.source_is(number), f"account {number} feeds")
    stand.streams_again(CALL)
    record: FailoverRecord = stand.until(lambda: FailoverRecord.objects.filter(blind_ms__gt=0).first(), "the blind time is known")
    assert record.from_account_id == stand.accounts[0].pk and record.is_automatic and record.reason
    stand.until(lambda: Alarm.objects.filter(kind="FEED_SWITCHED").exists(), "alarm")
    told = Journal.objects.filter(kind="feed.source", moved_to=str(stand.accounts[number - 1].pk))
    stand.until(told.exists, "the journal to say so")
    return record


def test_a_dropped_socket_is_noticed_at_once_and_comes_back(stand: Stand, capsys: Any) -> None:
    stand.hurt(stand.fault("drop_socket"), lambda: stand.stream.link is not Link.LIVE or stand.stream.connects > 1, "the drop")
    stand.streams_again(CALL)
    assert stand.source_is(1) and not FailoverRecord.objects.exists()
    stand.report("socket drop", CALL, capsys)


def test_a_half_open_socket_is_left_for_a_backup(stand: Stand, capsys: Any) -> None:
    desk = stand.at_work.desk
    stand.hurt(lambda: freeze(stand.first), lambda: not desk.is_ticking(clock.monotonic()), "silence")
    try:
        switched(stand, 2)
        assert feed_stand.judge.blind_s < 2.0
        stand.report("half-open socket", CALL, capsys)
    finally:
        thaw(stand.first)


def test_a_mute_feed_is_logged_in_again_reconnected_and_then_left(stand: Stand, capsys: Any) -> None:
    desk = stand.at_work.desk
    stand.hurt(stand.fault("silent_socket"), lambda: desk.failures() >= 1, "the first act")
    record = switched(stand, 2)
    assert "no index ticks" in record.reason
    assert feed_stand.judge.blind_s == 0, "positions were to be read by REST meanwhile"
    stand.report("mute feed", CALL, capsys)


def test_a_mute_symbol_is_read_by_rest_and_streams_again(stand: Stand, capsys: Any) -> None:
    by_rest = lambda: quotes.get([CALL])[CALL].source is Source.REST  # noqa: E731
    stand.hurt(stand.fault("mute_symbol", symbol=CALL.partition(":")[2]), by_rest, "asked by REST")
    asked = stand.at_work.desk.asker.rounds
    stand.until(lambda: stand.at_work.desk.asker.rounds >= asked + 2, "asked again and again")
    stand.heal()
    stand.streams_again(CALL)
    assert feed_stand.judge.blind_s == 0 and stand.source_is(1)
    stand.report("mute symbol", CALL, capsys)


def test_a_symbol_that_the_broker_dropped_is_subscribed_again(stand: Stand, capsys: Any) -> None:
    by_rest = lambda: quotes.get([CALL])[CALL].source is Source.REST  # noqa: E731
    stand.hurt(stand.fault("drop_symbol", symbol=CALL.partition(":")[2]), by_rest, "asked by REST")
    stand.streams_again(CALL)
    assert feed_stand.judge.blind_s == 0 and stand.stream.connects == 1 and stand.source_is(1)
    stand.report("dropped symbol", CALL, capsys)


def test_a_feed_that_repeats_its_last_tick_is_no_feed(stand: Stand, capsys: Any) -> None:
    desk = stand.at_work.desk
    stand.hurt(stand.fault("frozen_ticks", account=1), lambda: not desk.is_ticking(clock.monotonic()), "standstill")
    stand.until(lambda: quotes.get([CALL])[CALL].source is Source.REST, "positions to be read by REST")
    stand.until(lambda: desk.failures() >= 1, "it to count as a failure, three of which are left for a backup")
    stand.heal()
    stand.streams_again(CALL)
    assert feed_stand.judge.blind_s == 0 and desk.tape.repeats > 0
    stand.report("frozen feed", CALL, capsys)


def test_a_relogin_that_dropped_the_subscriptions_is_answered_by_a_login(stand: Stand, capsys: Any) -> None:
    desk = stand.at_work.desk
    stand.hurt(stand.fault("relogin_drop"), lambda: desk.failures() >= 1, "the silence")
    stand.streams_again(CALL)
    assert stand.stream.connects == 1 and stand.source_is(1), "no reconnect was needed"
    stand.report("re-login drop", CALL, capsys)


def test_a_wrong_key_is_told_from_a_dead_line_and_left_for_a_backup(stand: Stand, capsys: Any) -> None:
    def spoil() -> None:
        first = Account.objects.filter(pk=stand.accounts[0].pk)
        first.update(sealed_key=seal("w" * 64), config_version=2)

    stand.hurt(spoil, lambda: stand.stream.link is Link.REFUSED, "the refusal")
    record = switched(stand, 2)
    assert "AUTHENTICATION_ERROR" in record.reason and "wwww" not in record.reason
    stand.report("wrong key", CALL, capsys)


def test_a_server_that_restarts_is_found_again(stand: Stand, capsys: Any) -> None:
    stand.hurt(lambda: kill(stand.first), lambda: stand.stream.link is not Link.LIVE, "the end of the line")
    stand.servers.restart(0)
    stand.streams_again(CALL)
    stand.report("server restart", CALL, capsys)


@pytest.mark.parametrize("kind", ["zero_price", "nan_price"])
def test_a_zero_tick_never_decides(stand: Stand, capsys: Any, kind: str) -> None:
    tape = stand.at_work.desk.tape
    symbol = CALL.partition(":")[2]
    stand.hurt(stand.fault(kind, symbol=symbol, count=5, endpoint="stream"), lambda: tape.refused >= 3, "bad ticks")
    stand.streams_again(CALL)
    assert all(decision.quote.last_price > 0 for decision in feed_stand.judge.decisions)
    stand.report(kind.replace("_price", " tick"), CALL, capsys)


def test_a_spike_of_one_tick_never_decides_and_a_true_gap_does(stand: Stand, capsys: Any) -> None:
    desk, symbol = stand.at_work.desk, CALL.partition(":")[2]
    before = quotes.get([CALL])[CALL].last_price
    spike = stand.fault("price_spike", symbol=symbol, endpoint="stream", params={"percent": 500})
    stand.hurt(spike, lambda: desk.tape.doubts >= 1, "the doubt")
    stand.streams_again(CALL)
    assert max(d.quote.last_price for d in feed_stand.judge.decisions if d.key == CALL) < before * 2
    stand.report("spike", CALL, capsys)
    gap = before * Decimal(4)
    stand.control("/price", exchange="NFO", symbol=symbol, price=float(gap))
    stand.until(lambda: quotes.get([CALL])[CALL].last_price > before * 3, "the gap decides")
    stand.control("/price", exchange="NFO", symbol=symbol, release=True)


def test_a_clock_that_is_off_is_measured_rung_and_dates_no_price(stand: Stand, capsys: Any) -> None:
    first = stand.accounts[0]

    def far_off(pk: int) -> bool | None:
        skew = status.skew_s(pk)
        return None if skew is None else abs(skew) > 5.0

    stand.until(lambda: far_off(first.pk) is False, "measured")
    skew_off = lambda: far_off(first.pk)  # noqa: E731
    stand.hurt(stand.fault("clock_skew", params={"seconds": 7.0}), skew_off, "the skew")
    stand.until(lambda: all(far_off(other.pk) is False for other in stand.accounts[1:]), "the others are right")
    stand.until(lambda: Alarm.objects.filter(kind="CLOCK_SKEW", account_id=first.pk).exists(), "alarm")
    own = status.own_skew_s()
    assert own is not None and abs(own) < 3.0, "one server that is off is not our own clock"
    stand.heal()
    stand.until(lambda: far_off(first.pk) is False, "it is right again")
    stand.streams_again(CALL)
    assert feed_stand.judge.blind_s == 0
    stand.report("clock skew", CALL, capsys)


def test_lost_messages_are_made_up_for_by_rest(stand: Stand, capsys: Any) -> None:
    asker = stand.at_work.desk.asker
    answered = asker.answered
    lose = stand.fault("mute_symbol", symbol=CALL.partition(":")[2], probability=0.95)
    stand.hurt(lose, lambda: asker.answered > answered, "asked by REST")
    stand.until(lambda: asker.answered > answered + 2, "asked again")
    stand.heal()
    stand.streams_again(CALL)
    assert feed_stand.judge.blind_s == 0 and stand.source_is(1)
    stand.report("lost messages", CALL, capsys)


def test_a_primary_that_is_gone_for_good_is_replaced(stand: Stand, capsys: Any) -> None:
    stand.hurt(lambda: kill(stand.first), lambda: stand.stream.link is not Link.LIVE, "the end of the line")
    record = switched(stand, 2)
    assert record.blind_ms is not None and record.blind_ms < 12_000
    stand.report("primary host down for good", CALL, capsys)


def test_with_all_hosts_down_nothing_is_decided_and_a_person_is_called(stand: Stand, capsys: Any) -> None:
    def down() -> None:
        kill(stand.first)
        kill(stand.second)

    stand.hurt(down, lambda: stand.stream.link is not Link.LIVE, "the end of the line")
    stand.until(lambda: Alarm.objects.filter(kind="FEED_DOWN").exists(), "alarm")
    stand.until(lambda: FailoverRecord.objects.filter(to_account=None).exists(), "the record says REST")
    stand.until(lambda: feed_stand.judge.blind_since is not None, "known to be blind")
    stand.until(lambda: status.feed_status(clock.now()).detail["tier"] == "REST", "the feed says so")
    stand.servers.restart(1)
    stand.streams_again(CALL)
    assert not stand.source_is(1)
    stand.until(lambda: FailoverRecord.objects.filter(from_account=None).exists(), "the record says streaming")
    stand.report("all hosts down", CALL, capsys)


def test_the_feed_goes_back_to_a_primary_that_has_been_well_again_and_a_choice_by_hand_holds(stand: Stand) -> None:
    stand.hurt(stand.fault("silent_socket"), lambda: stand.source_is(2), "the backup")
    stand.heal()
    stand.until(lambda: stand.source_is(1), "back at the primary")
    # The source moves first, its record is written after it.
    back = stand.until(FailoverRecord.objects.filter(to_account=stand.accounts[0]).first, "the record of it")
    assert "well" in back.reason
    owner = stand.accounts[0].owner
    FeedPin.objects.create(owner=owner, account=stand.accounts[2], by="user:alice", at=clock.now())
    stand.until(lambda: stand.source_is(3), "the choice is taken")
    stand.streams_again(CALL)
    by_hand = stand.until(FailoverRecord.objects.filter(to_account=stand.accounts[2]).first, "the record of it")
    assert by_hand.by == "user:alice" and not by_hand.is_automatic
    healthy = lambda: stand.at_work.orders.healthy_s(stand.accounts[0].pk) > 2.0  # noqa: E731
    stand.until(healthy, "the primary is well for longer than the wait")
    assert stand.source_is(3)
