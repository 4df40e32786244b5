from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from algomirror.frame.activity import verification
from algomirror.kernel import clock
from algomirror.kernel.clock import FrozenClock
from algomirror.ops import chain, journal, queue
from algomirror.ops.models import Alarm, Journal
from tests import cast
from tests.page_rules import inline_parts

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("at_rest")]


def text(client: Any, query: str = "") -> str:
    answer = client.get(f"/activity{query}")
    assert answer.status_code == 200 and inline_parts(answer) == []
    return str(answer.content.decode())


def test_it_says_who_did_what_to_what_from_where_and_why(alice: User) -> None:
    account = cast.account(owner=alice)
    with journal.acting_from("10.1.2.3"):
        journal.record(
            "account.link", actor="user:alice", subject="account:Zerodha Anil", moved=("UP", "DOWN"), why="nothing answers",
            account_id=account.pk, failures=3,
        )  # fmt: skip
    page = text(cast.signed_in(alice))
    for shown in ("user:alice", "10.1.2.3", "account.link", "UP → DOWN", "nothing answers", "failures 3", "Zerodha Anil"):
        assert shown in page, shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", "abc"),
        ("?actor=alice", "a"),
        ("?kind=order", "b"),
        ("?run=7", "b"),
        ("?q=because", "c"),
        ("?since=2026-11-20", "bc"),
        ("?until=2026-11-19", "a"),
        ("?since=2026-11-20&kind=run", "c"),
        ("?actor=nobody", ""),
        ("?run=x&since=someday&account=99", "abc"),
    ],
)
def test_filters_narrow_it(alice: User, at_rest: FrozenClock, query: str, shown: str) -> None:
    at_rest.advance(-86_400)
    journal.record("user.x", actor="user:alice", subject="row-a")
    at_rest.advance(86_400)
    journal.record("order.sent", actor="engine:orders", subject="row-b", run_id=7)
    journal.record("run.exit", actor="schedule", subject="row-c", why="because")
    page = text(cast.signed_in(alice), query)
    assert [letter for letter in "abc" if f"row-{letter}" in page] == list(shown)


def test_a_day_begins_at_midnight_in_india(alice: User, at_rest: FrozenClock) -> None:
    at_rest.set(clock.start_of(clock.today()))
    journal.record("x", actor="test", subject="row-midnight")
    at_rest.advance(-1)
    journal.record("x", actor="test", subject="row-eve")
    page = text(cast.signed_in(alice), "?since=2026-11-20")
    assert "row-midnight" in page and "row-eve" not in page


def test_older_rows_are_a_page_away_and_new_ones_do_not_shift_it(alice: User) -> None:
    for number in range(230):
        journal.record("x", actor="test", subject=f"row-{number:03d}.")
    client = cast.signed_in(alice)
    first = text(client, "?actor=test")
    assert "row-229." in first and "row-130." in first and "row-129." not in first
    older = first.split('">Older')[0].rsplit('href="', 1)[1].replace("&amp;", "&")
    journal.record("x", actor="test", subject="row-new.")
    second = client.get(older).content.decode()
    assert "row-129." in second and "row-130." not in second and "row-030." in second


def test_the_export_is_what_is_shown_and_no_formula(alice: User) -> None:
    journal.record("user.x", actor="user:alice", subject="=HYPERLINK(1)", why="+1", price="-5")
    journal.record("order.sent", actor="engine", subject="other")
    answer = cast.signed_in(alice).get("/activity.csv?kind=user.x")
    rows = list(csv.DictReader(io.StringIO(b"".join(answer).decode())))  # type: ignore[call-overload]
    assert [(r["kind"], r["subject"], r["why"]) for r in rows] == [("user.x", "'=HYPERLINK(1)", "'+1")]


def test_whoever_is_signed_in_may_read_and_a_viewer_may_not_start_the_verification(alice: User, bob: User) -> None:
    assert "Verify the chain" not in text(cast.signed_in(bob))
    assert cast.signed_in(bob).post("/activity/verify").status_code == 403
    assert cast.signed_in(alice).post("/activity/verify").status_code == 302
    assert queue.client().exists("am:queued:verify-journal")


def test_the_verdict_is_shown_and_a_broken_chain_rings(alice: User, at_rest: FrozenClock) -> None:
    rows = [cast.recorded("x", actor="test").pk for _ in range(3)]
    at_rest.advance(3)
    chain.seal_all()
    verification.run()
    assert "Chain intact." in text(cast.signed_in(alice)) and not Alarm.objects.exists()
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER ops_journal_no_update")
        else:
            cursor.execute("ALTER TABLE ops_journal DISABLE TRIGGER USER")
        cursor.execute(f"UPDATE ops_journal SET actor = 'user:mallory' WHERE id = {rows[1]}")
    verification.run()
    page = text(cast.signed_in(alice))
    assert "Chain broken." in page and f"row {rows[1]}" in page
    assert Alarm.objects.get().kind == "JOURNAL_BROKEN"


def test_a_page_costs_the_same_for_ten_and_for_a_thousand_rows(alice: User, django_assert_max_num_queries: Any) -> None:
    from algomirror.frame.activity import entries

    Journal.objects.bulk_create(Journal(at=clock.now(), kind="x", actor="test", numbers={}) for _ in range(1_000))
    form = entries.ActivityFilter({})
    with django_assert_max_num_queries(4):
        assert len(entries.page(form).entries) == entries.PER_PAGE


def test_older_rows_begin_before_the_last_one_shown(alice: User) -> None:
    rows = [cast.recorded("x", actor="engine:test", why=f"number {n};") for n in range(3)]
    page = text(cast.signed_in(alice), f"?before={rows[2].pk}")
    assert "number 1;" in page
    assert "number 2;" not in page
