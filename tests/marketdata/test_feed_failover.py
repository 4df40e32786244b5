"""Who feeds us: caused by health and the owner only, with hysteresis, and back when the primary has been well for long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Account
from marketdata.feed.failover import ENGINE, Facts, Failover, Move, Pace
from marketdata.feed.watch import Pulse

PACE = Pace(fail_back_s=600.0, failed_kept_s=60.0, spread_s=30.0)


def accounts(*versions: int, links: str = "") -> list[Account]:
    made = [Account(pk=at + 1, name=f"A{at + 1}", config_version=v, is_primary=at == 0) for at, v in enumerate(versions)]
    for account, link in zip(made, links, strict=False):
        account.link = {"u": Account.Link.UP, "d": Account.Link.DOWN}[link]
    return made


def started(*versions: int) -> Failover:
    failover = Failover(PACE)
    failover.decide(accounts(*versions), Facts(), 0.0)
    return failover


def failing(error: str = "gone") -> Facts:
    return Facts(failures=3, error=error)


def to(move: Move | None) -> int | None:
    return move.account.pk if move is not None and move.account is not None else None


def test_the_primary_is_used_until_three_failures_then_the_next() -> None:
    failover, three = Failover(PACE), accounts(1, 1, 1)
    assert failover.decide(three, Facts(), 0.0) == Move(three[0], "first source")
    assert failover.decide(three, Facts(failures=2), 1.0) is None
    move = failover.decide(three, failing("ConnectionRefused"), 2.0)
    assert move == Move(three[1], "3 failures in a row: ConnectionRefused", is_failure=True)
    assert failover.decide(three, Facts(), 3.0) is None
    assert to(failover.decide(three, failing(), 4.0)) == 3


def test_a_backup_whose_link_is_down_is_passed_over_while_another_is_up() -> None:
    failover = started(1, 1, 1)
    assert to(failover.decide(accounts(1, 1, 1, links="udu"), failing(), 1.0)) == 3
    failover = started(1, 1, 1)
    assert to(failover.decide(accounts(1, 1, 1, links="udd"), failing(), 1.0)) == 2


def test_with_every_source_failed_they_are_tried_in_turn_but_slowly() -> None:
    failover, two = started(1, 1), accounts(1, 1)
    assert to(failover.decide(two, failing(), 10.0)) == 2
    assert failover.decide(two, failing(), 20.0) is None and failover.is_exhausted
    assert failover.decide(two, failing(), 39.0) is None
    assert to(failover.decide(two, failing(), 40.0)) == 1
    failover.recovered()
    assert not failover.is_exhausted
    assert to(failover.decide(two, failing(), 110.0)) == 2


def test_one_account_alone_is_kept_and_said_to_be_the_last() -> None:
    failover, only = started(1), accounts(1)
    assert failover.decide(only, Facts(failures=9), 1.0) is None
    assert failover.is_exhausted


def test_at_night_nothing_is_switched() -> None:
    assert started(1, 1).decide(accounts(1, 1), Facts(failures=9, is_needed=False), 1.0) is None


def test_the_feed_returns_after_ten_healthy_minutes_and_not_during_an_entry() -> None:
    failover, two = started(1, 1), accounts(1, 1)
    failover.decide(two, failing(), 1.0)
    assert failover.decide(two, Facts(primary_healthy_s=599.9), 700.0) is None
    assert failover.decide(two, Facts(primary_healthy_s=700.0, is_entering=True), 800.0) is None
    move = failover.decide(two, Facts(primary_healthy_s=800.0), 900.0)
    assert to(move) == 1 and move is not None and not move.is_failure
    assert failover.decide(two, Facts(primary_healthy_s=800.0), 901.0) is None


def test_a_choice_by_hand_is_taken_at_once_and_is_not_undone_by_health() -> None:
    failover, three = started(1, 1, 1), accounts(1, 1, 1)
    by_hand = Facts(pinned_id=3, pinned_by="user:alice", primary_healthy_s=9999.0)
    move = failover.decide(three, by_hand, 1.0)
    assert to(move) == 3 and move is not None and move.by == "user:alice" and not move.is_failure
    assert failover.decide(three, by_hand, 2.0) is None
    assert to(failover.decide(three, Facts(primary_healthy_s=9999.0), 3.0)) == 1


def test_a_choice_by_hand_that_fails_no_longer_holds() -> None:
    failover, two = started(1, 1), accounts(1, 1)
    failover.decide(two, Facts(pinned_id=2, pinned_by="user:alice"), 1.0)
    move = failover.decide(two, Facts(failures=3, pinned_id=2, pinned_by="user:alice"), 2.0)
    assert to(move) == 1 and move is not None and move.unpin and move.by == ENGINE
    assert failover.decide(two, Facts(), 3.0) is None
    assert to(failover.decide(two, Facts(pinned_id=2, pinned_by="user:alice"), 4.0)) == 2


def test_a_choice_of_an_account_that_left_is_no_choice() -> None:
    failover = started(1, 1)
    assert failover.decide(accounts(1, 1), Facts(pinned_id=9, pinned_by="user:alice"), 1.0) is None


def test_a_changed_key_a_new_primary_and_an_archived_source_are_noticed() -> None:
    failover = started(1, 1)
    same = failover.decide(accounts(2, 1), Facts(), 1.0)
    assert same is not None and same.why == "its address or key changed" and not same.is_switch
    swapped = accounts(2, 1)[::-1]
    swapped[0].is_primary, swapped[1].is_primary = True, False
    assert failover.decide(swapped, Facts(), 2.0) == Move(swapped[0], "another account was made primary")
    assert failover.decide(swapped[1:], Facts(), 3.0) == Move(swapped[1], "the source was archived")
    assert failover.decide([], Facts(), 4.0) == Move(None, "no active account")
    assert failover.decide([], Facts(), 5.0) is None


turns = st.lists(st.tuples(st.floats(0.5, 20.0), st.booleans()), max_size=200)


@given(turns)
def test_a_source_that_failed_is_never_taken_again_within_its_rest_while_another_is_left(
    history: list[tuple[float, bool]],
) -> None:
    failover, three, now = started(1, 1, 1), accounts(1, 1, 1), 0.0
    failed: dict[int, float] = {}
    moved_at = 0.0
    for passed, fails in history:
        now += passed
        before = failover.account_id
        move = failover.decide(three, Facts(failures=3 if fails else 0), now)
        if not fails:
            assert move is None
            continue
        assert before is not None
        failed[before] = now
        chosen = to(move)
        if chosen is None:
            continue
        if now - failed.get(chosen, float("-inf")) <= PACE.failed_kept_s:
            assert all(now - failed.get(a.pk, float("-inf")) <= PACE.failed_kept_s for a in three)
            assert now - moved_at >= PACE.spread_s
        moved_at = now


def test_a_pulse_counts_from_the_last_gap() -> None:
    pulse = Pulse()
    assert pulse.healthy_s(0.0) == 0.0
    for at in (10.0, 14.0, 18.0):
        pulse.tick(at)
    assert pulse.healthy_s(20.0) == 10.0
    assert pulse.healthy_s(23.1) == 0.0
    pulse.tick(30.0)
    assert pulse.healthy_s(31.0) == 1.0
