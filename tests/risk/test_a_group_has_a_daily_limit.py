"""What the accounts of a group lose or make together in a day."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from accounts.gateway.directory import far_side
from accounts.services import people
from algomirror.kernel import clock
from algomirror.kernel.errors import Refused
from algomirror.ops.models import Alarm, Journal
from risk.models import EntryLock, GroupLimits, RiskEvent
from risk.services import daily, grouped, watch
from strategies.models import AccountGroup
from strategies.services import groups
from tests.risk import desk
from tests.risk.families import family, leaving
from tests.risk.test_limits_above_the_run import codes, entries, lost
from tests.strategies import stage
from trading.models import Book, ExitGoal

pytestmark = pytest.mark.django_db
D = Decimal


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[Any]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        desk.at_entry()
        yield moving


def test_what_none_loses_alone_takes_every_account_of_the_group_out_once() -> None:
    one, two, outside = desk.accounts(3)
    family(one, two, daily_loss=D(6500))
    run = desk.a_run([one, two, outside], max_loss=D(90_000))
    lost(run, 3249)
    watch.sweep()
    assert not ExitGoal.objects.exists() and not EntryLock.objects.exists(), "together 6,498 of 6,500"
    lost(run, 13)
    watch.sweep()
    watch.sweep()
    assert leaving() == {one.pk, two.pk}
    assert set(codes(entries([one]))) == set(codes(entries([two]))) == {"DAILY_LOSS_LOCK"} and codes(entries([outside])) == []
    assert sorted(EntryLock.objects.values_list("account_id", flat=True)) == [one.pk, two.pk]
    events = RiskEvent.objects.filter(kind="ACCOUNT_LIMIT").order_by("account_id")
    assert [(e.account_id, e.threshold, e.value, e.action) for e in events] == [
        (one.pk, -6500, None, "EXIT"),
        (two.pk, -6500, None, "EXIT"),
    ], "who sees one account learns nothing of the others' money"
    kept = Journal.objects.get(kind="risk.group_limit")
    assert kept.numbers["accounts"] == [one.pk, two.pk] and D(kept.numbers["value"]) == -6524
    assert Alarm.objects.filter(kind="ACCOUNT_LIMIT").count() == 1


def test_a_profit_is_kept_too() -> None:
    on = desk.accounts(2)
    family(*on, daily_profit=D(5000))
    lost(desk.a_run(on, max_loss=D(90_000)), -2500)
    watch.sweep()
    assert leaving() == {account.pk for account in on}
    assert set(EntryLock.objects.values_list("kind", flat=True)) == {"DAILY_PROFIT"}


def test_while_one_account_is_not_known_no_limit_is_reached(frozen: Any) -> None:
    one, two = desk.accounts(2)
    family(one, two, daily_loss=D(100))
    lost(desk.a_run([one], max_loss=D(90_000), filled=False), 6500)
    desk.a_run([two], name="Open", max_loss=D(90_000))
    frozen.advance(6)
    watch.sweep()
    assert not EntryLock.objects.exists(), "what one lost is known, what the other makes is not"
    desk.at_entry()
    watch.sweep()
    assert EntryLock.objects.count() == 2


def test_an_exit_under_the_lock_is_asked_again_until_flat() -> None:
    on = desk.accounts(2)
    family(*on, daily_loss=D(3000))
    lost(desk.a_run(on, max_loss=D(90_000)), 3250)
    watch.sweep()
    ExitGoal.objects.filter(book__account=on[0]).update(state="DONE", done_at=clock.now())
    Book.objects.filter(account=on[0]).update(state="OPEN")
    watch.sweep()
    assert leaving() == {account.pk for account in on}


def test_who_joins_a_group_that_lost_too_much_is_taken_out_with_it() -> None:
    one, late = desk.accounts(2)
    group = family(one, daily_loss=D(3000))
    lost(desk.a_run([one, late], max_loss=D(90_000)), 3250)
    watch.sweep()
    assert leaving() == {one.pk}
    groups.save("Family", {one.pk: D(1), late.pk: D(1)}, by="user:alice", group=group)
    watch.sweep()
    assert leaving() == {one.pk, late.pk}


def test_a_released_lock_does_not_come_back_the_same_day() -> None:
    (one,) = desk.accounts(1)
    family(one, daily_loss=D(3000))
    lost(desk.a_run([one], max_loss=D(90_000)), 3250)
    watch.sweep()
    assert daily.release(EntryLock.objects.get().pk, user=stage.alice(), why="a wrong fill was booked")
    watch.sweep()
    assert codes(entries([one])) == [] and EntryLock.objects.count() == 1


def test_a_group_with_a_limit_is_not_deleted() -> None:
    (one,) = desk.accounts(1)
    group = family(one, daily_loss=D(3000))
    with pytest.raises(Refused, match="daily limit"):
        groups.delete(group, by="user:alice")
    assert AccountGroup.objects.get().members.count() == 1
    grouped.set_limits(group.pk, {}, by="user:alice")
    groups.delete(group, by="user:alice")
    assert not AccountGroup.objects.exists() and grouped.all_limits() == []


def test_who_lost_is_not_taken_out_of_a_group_that_has_a_limit() -> None:
    one, two, three = desk.accounts(3)
    group = family(one, two, daily_loss=D(3000))
    with pytest.raises(Refused, match="daily limit") as refused:
        groups.save("Family", {two.pk: D(1), three.pk: D(1)}, by="user:trudy", group=group)
    assert set(refused.value.fields) == {f"factor-{one.pk}"}
    assert set(group.members.values_list("account_id", flat=True)) == {one.pk, two.pk}
    groups.save("Relatives", {one.pk: D(2), two.pk: D(1), three.pk: D(1)}, by="user:alice", group=group)
    assert group.members.count() == 3, "who joins, and other factors, lift no limit"
    grouped.set_limits(group.pk, {}, by="user:alice")
    groups.save("Relatives", {two.pk: D(1)}, by="user:alice", group=group)
    assert group.members.count() == 1


def test_the_page_says_beside_the_account_why_it_stays(client: Any) -> None:
    one, two = desk.accounts(2)
    group = family(one, two, daily_loss=D(3000))
    client.force_login(stage.alice())
    answer = client.post("/strategies/groups", {"name": "Family", f"factor-{two.pk}": "1"})
    assert answer.status_code == 422 and group.members.count() == 2
    assert "has a daily limit" in answer.context["form"].errors[f"factor-{one.pk}"][0]
    assert "has a daily limit" in answer.content.decode()


def test_changes_are_journaled_with_old_and_new() -> None:
    (one,) = desk.accounts(1)
    group = family(one, daily_loss=D(3000))
    assert not grouped.set_limits(group.pk, {"daily_loss": D(3000)}, by="user:alice")
    assert grouped.set_limits(group.pk, {"daily_loss": D(2000)}, by="user:alice")
    last = Journal.objects.filter(kind="risk.limits").order_by("-id").first()
    assert last is not None and last.subject == f"group:{group.pk}"
    assert last.numbers["daily_loss"] == {"from": "3000.00", "to": "2000"} and GroupLimits.objects.count() == 1
    with pytest.raises(Refused):
        grouped.set_limits(group.pk + 1, {"daily_loss": D(1)}, by="user:alice")


def test_the_page_shows_sets_and_refuses(client: Any) -> None:
    one, two = desk.accounts(2)
    group = family(one, two)
    client.force_login(stage.alice())
    shown = client.get(f"/risk/limits?of=group:{group.pk}").content.decode()
    assert "Group Family" in shown and f"/risk/limits/group/{group.pk}" in shown
    assert client.post(f"/risk/limits/group/{group.pk}", {"daily_loss": "-5,000"}).status_code == 302
    assert GroupLimits.objects.get().daily_loss == 5000
    refused = client.post(f"/risk/limits/group/{group.pk}", {"daily_loss": "0", "daily_profit": "many"})
    assert refused.status_code == 422 and "many" in refused.content.decode() and GroupLimits.objects.get().daily_loss == 5000
    assert client.post("/risk/limits/group/999999", {"daily_loss": "1"}).status_code == 404
    client.force_login(stage.person("bob", "VIEWER"))
    assert client.post(f"/risk/limits/group/{group.pk}", {"daily_loss": "1"}).status_code == 403
    lost(desk.a_run([one, two], max_loss=D(90_000)), 3250)
    watch.sweep()
    assert b"entries are locked in 2 of 2 accounts" in client.get("/risk/limits/used").content


def test_who_does_not_see_the_whole_group_neither_sees_nor_sets_its_limit(client: Any) -> None:
    one, two = desk.accounts(2)
    group = family(one, two, daily_loss=D(5000))
    trudy = stage.person("trudy", "TRADER")
    people.assign(stage.alice(), trudy.pk, [one.pk])
    client.force_login(trudy)
    assert one.name.encode() in client.get("/risk/limits").content
    assert b"Family" not in client.get("/risk/limits").content
    assert client.post(f"/risk/limits/group/{group.pk}", {"daily_loss": "1"}).status_code == 404
    assert GroupLimits.objects.get().daily_loss == 5000
