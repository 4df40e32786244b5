"""When a broker closes MIS itself: typed on the calendar page, by broker or account, dated, and obeyed by what trades."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, transaction
from django.test import Client

from accounts.gateway.directory import far_side
from accounts.models import Account
from algomirror.kernel import clock
from algomirror.kernel.errors import Denied
from algomirror.ops import sight
from algomirror.ops.models import Journal
from marketdata import calendar, cutoffs, timetable
from marketdata.domain.timetable import Entry, read, written
from marketdata.models import CalendarProposal, MisCutoff, SpecialSession
from risk.domain.limits import LimitTerms
from risk.domain.terms import RiskTerms
from risk.models import RiskEvent
from risk.services import watch
from strategies.domain.drafts import Draft
from strategies.domain.tickets import Ticket, TicketLeg
from strategies.models import Version
from strategies.services import build, preview, start, ticket
from tests.marketdata.cast import ist
from tests.risk import desk
from tests.strategies import stage
from trading.models import Run

pytestmark = pytest.mark.django_db
FRIDAY = date(2026, 11, 20)


@pytest.fixture(autouse=True)
def frozen(db: None) -> Iterator[clock.FrozenClock]:
    with stage.at() as moving, far_side(desk.Deaf):  # type: ignore[arg-type]
        stage.market()
        yield moving


def cutoff(at: str, *, broker: str = "", account: str = "", since: str = "2026-11-01", until: str = "") -> None:
    entry = Entry("CUTOFF", "NFO", closes=at, broker=broker, account=account, effective_from=since, effective_to=until)
    timetable.put(entry, actor="user:alice")


def closes(account: Account | None, day: date = FRIDAY) -> datetime:
    found = cutoffs.of_account("NFO", day, None if account is None else account.pk)
    assert found is not None
    return found.at


def mis(accounts: list[Account]) -> Version:
    draft = Draft("Day", "MIS", tuple(a.pk for a in accounts), tuple(stage.condor()), LimitTerms(max_loss=Decimal(5000)))
    return build.save_strategy(stage.alice(), draft)


def test_an_account_s_own_row_counts_before_its_broker_s_and_that_before_everybody_s() -> None:
    own, other, third = stage.account(1, broker="Zerodha"), stage.account(2, broker="Zerodha"), stage.account(3, broker="dhan")
    assert closes(own) == ist(2026, 11, 20, 15, 15), "no row: a quarter of an hour before the close"
    cutoff("15:10")
    cutoff("15:05", broker="ZERODHA".lower())
    cutoff("15:00", account=own.name)
    assert [closes(a) for a in (own, other, third, None)] == [ist(2026, 11, 20, 15, m) for m in (0, 5, 10, 10)]
    assert cutoffs.of_account("NFO", date(2026, 11, 21), own.pk) is None, "a Saturday has none"
    both = cutoffs.earliest(["NFO"], FRIDAY, [other.pk, third.pk])
    assert both is not None and both.at == ist(2026, 11, 20, 15, 5), "those that leave together leave by the first of them"


def test_a_row_counts_in_its_dates_only_and_the_latest_start_wins() -> None:
    account = stage.account(1, broker="dhan")
    cutoff("15:15", broker="dhan", since="2026-01-01", until="2026-08-02")
    cutoff("15:20", broker="dhan", since="2026-11-23")
    cutoff("15:10", broker="dhan", since="2026-12-01")
    days = (date(2026, 7, 31), FRIDAY, date(2026, 11, 23), date(2026, 12, 2))
    assert [(closes(account, d) - ist(d.year, d.month, d.day, 15)).seconds // 60 for d in days] == [15, 15, 20, 10]


def test_an_evening_session_is_not_closed_by_an_afternoon_s_row() -> None:
    cutoff("15:10")
    SpecialSession.objects.create(exchange="NFO", date=FRIDAY, name="Muhurat", opens=time(18), closes=time(19, 15))
    calendar.forget()
    assert closes(None) == ist(2026, 11, 20, 19, 0)


def left() -> list[int | None]:
    return list(RiskEvent.objects.filter(kind="SQUARE_OFF").values_list("run_id", flat=True))


def later(frozen: clock.FrozenClock, seconds: float) -> None:
    """The clock moves on; prices, books and funds are read again."""
    frozen.advance(seconds)
    stage.market()
    for account in Account.objects.all():
        stage.books_read(account)
        stage.funds_read(account)


def test_a_run_leaves_five_minutes_before_the_earliest_cut_off_of_its_accounts(frozen: clock.FrozenClock) -> None:
    one, two = stage.account(1, broker="dhan"), stage.account(2, broker="zerodha")
    cutoff("15:00", broker="zerodha")
    desk.at_entry()
    desk.a_run([one], product="MIS", name="Dhan alone")
    both = desk.a_run([one, two], RiskTerms(square_off=time(15, 9)), product="MIS")
    frozen.set(datetime(2026, 11, 20, 9, 24, 59, tzinfo=UTC))
    watch.sweep()
    assert left() == []
    cutoff("15:05", broker="zerodha")
    frozen.advance(1)
    watch.sweep()
    assert left() == [], "a row moved counts at once"
    frozen.set(datetime(2026, 11, 20, 9, 30, tzinfo=UTC))
    watch.sweep()
    assert left() == [both.pk]


def test_a_preview_says_by_when_mis_is_over_and_skips_whom_it_is_over_for(frozen: clock.FrozenClock) -> None:
    early, late = stage.account(1, broker="dhan"), stage.account(2, broker="zerodha")
    cutoff("11:00", broker="dhan")
    version = mis([early, late])
    said = " ".join(preview.preview(version, [early, late], user=stage.alice()).terms["warnings"])
    assert "the broker of Account 1 closes it at 11:00; the run leaves at 10:55 at the latest" in said
    later(frozen, 25 * 60)
    plan = preview.preview(version, [early, late], user=stage.alice())
    assert [(row["account"], row["code"]) for row in plan.skipped] == [(early.pk, "ENTRY_WINDOW_CLOSED")]
    assert {row["account"] for row in plan.lines} == {late.pk}
    assert "Account 2 closes it at 15:15" in " ".join(plan.terms["warnings"])
    with pytest.raises(Denied) as denied:
        preview.preview(version, [early], user=stage.alice())
    assert denied.value.code == "ENTRY_WINDOW_CLOSED" and "none is entered from 10:55 on" in str(denied.value)


def test_what_was_previewed_before_is_not_sent_after(frozen: clock.FrozenClock) -> None:
    account = stage.account(1)
    cutoff("10:35:20")
    plan = preview.preview(mis([account]), [account], user=stage.alice())
    later(frozen, 21)
    with pytest.raises(Denied) as denied:
        start.start(plan.key, digest=plan.digest, idempotency_key="k", by="user:alice")
    assert "ENTRY_WINDOW_CLOSED" in str(denied.value.__dict__) and not Run.objects.exists()


def test_a_ticket_is_told_too_and_carried_products_are_not_held_up() -> None:
    account = stage.account(1)
    legs = (TicketLeg("NFO", stage.option(24050, "CE").partition(":")[2], "BUY", 1),)
    plan = ticket.preview_ticket(Ticket(legs, (account.pk,), "MIS"), user=stage.alice())
    assert plan.terms["warnings"] == [
        "MIS: the broker of Account 1 closes it at 15:15; a ticket does not leave by itself: close it before."
    ]
    cutoff("10:00")
    with pytest.raises(Denied):
        ticket.preview_ticket(Ticket(legs, (account.pk,), "MIS"), user=stage.alice())
    assert ticket.preview_ticket(Ticket(legs, (account.pk,), "NRML"), user=stage.alice()).terms["warnings"] == []


@pytest.fixture
def browser() -> Client:
    client = Client()
    client.force_login(stage.alice())
    return client


def put(browser: Client, **fields: Any) -> Any:
    form = {"exchanges": ["NFO", "BFO"], "at": "15:10", "effective_from": "2026-11-01"} | fields
    return browser.post("/settings/calendar/put/CUTOFF", form)


def test_the_page_takes_changes_ends_and_shows_who_leaves_when(browser: Client) -> None:
    account = stage.account(1, broker="dhan")
    assert put(browser, broker=" Dhan ").status_code == 302
    assert list(MisCutoff.objects.values_list("exchange", "broker")) == [("BFO", "dhan"), ("NFO", "dhan")]
    html = browser.get("/settings/calendar").content.decode()
    assert ">15:10<" in html and ">15:05<" in html and "its broker&#x27;s row" in html
    row = MisCutoff.objects.get(exchange="NFO")
    form = browser.get("/settings/calendar", {"edit": f"CUTOFF-{row.pk}"}).content.decode()
    assert 'value="15:10"' in form and 'value="2026-11-01"' in form
    put(browser, exchanges=["NFO"], broker="dhan", at="15:12")
    assert closes(account) == ist(2026, 11, 20, 15, 12) and MisCutoff.objects.count() == 2
    assert browser.post("/settings/calendar/retire", {"kind": "CUTOFF", "row": row.pk}).status_code == 302
    assert closes(account) == ist(2026, 11, 20, 15, 12), "today is its last day"
    assert closes(account, date(2026, 11, 23)) == ist(2026, 11, 23, 15, 15)
    put(browser, exchanges=["NFO"], account=account.name, at="15:01", effective_from="2026-11-23", effective_to="2026-11-25")
    days = [date(2026, 11, 23), date(2026, 11, 25), date(2026, 11, 26)]
    assert [closes(account, day).astimezone(clock.IST).minute for day in days] == [1, 1, 15]
    kinds = set(Journal.objects.filter(subject=f"miscutoff:{row.pk}").values_list("kind", flat=True))
    assert kinds == {"reference.added", "reference.edited"}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"at": "half past"}, "Enter a valid time"),
        ({"broker": "dhan", "account": "Account 1"}, "not of both"),
        ({"account": "Nobody"}, "Select a valid choice"),
        ({"effective_to": "2026-10-01"}, "The last day is not before the first"),
        ({"exchanges": []}, "This field is required"),
    ],
)
def test_a_wrong_form_says_why_and_saves_nothing(browser: Client, fields: dict[str, Any], said: str) -> None:
    stage.account(1)
    answer = put(browser, **fields)
    assert answer.status_code == 422 and said in answer.content.decode() and not MisCutoff.objects.exists()


def test_rows_travel_by_csv_with_errors_per_line(browser: Client) -> None:
    stage.account(1)
    cutoff("15:10", broker="dhan")
    cutoff("15:00", account="Account 1", until="2026-12-31")
    text = written(timetable.entries())
    assert read(text, {"Account 1"})[0] == sorted(timetable.entries(), key=lambda e: e.identity)
    head = "kind,exchange,closes,effective_from,broker,account\r\n"
    bad = (
        head
        + "CUTOFF,NFO,15:00,2026-11-01,dhan,Account 1\r\nCUTOFF,NFO,noon,2026-11-01,,\r\nCUTOFF,NFO,15:00,2026-11-01,,Bob\r\n"
    )
    errors = read(bad, {"Account 1"})[1]
    assert [line.partition(":")[0] for line in errors] == ["line 2", "line 3", "line 4"]
    assert "not of both" in errors[0] and "noon is no time" in errors[1] and "there is no account Bob" in errors[2]
    good = head + "CUTOFF,NFO,15:20,2026-11-01,Dhan,\r\n"
    answer = browser.post("/settings/calendar/file", {"file": SimpleUploadedFile("c.csv", good.encode())})
    proposal = CalendarProposal.objects.get()
    assert "dhan from 2026-11-01" in browser.get(answer["Location"]).content.decode()
    (at,) = [n for n, change in enumerate(proposal.changes) if change["act"] == "CHANGE"]
    timetable.approve(proposal.pk, [at], actor="user:alice")
    assert MisCutoff.objects.get(broker="dhan").at == time(15, 20)


def test_a_person_limited_to_accounts_is_told_of_no_other_account_s_row() -> None:
    mine, other = stage.account(1), stage.account(2)
    cutoff("15:00", account=other.name)
    cutoff("15:10", broker="dhan")
    with sight.limited_to(frozenset({mine.pk})):
        assert {row.broker for row in MisCutoff.objects.all()} == {"dhan"}
        assert other.name not in written(timetable.entries())
        calendar.forget()
        assert closes(mine) == ist(2026, 11, 20, 15, 15)
    assert closes(other) == ist(2026, 11, 20, 15, 0), "what was held for the limited person holds everything"


def test_the_database_keeps_one_row_per_start() -> None:
    cutoff("15:10")
    fields = {"exchange": "NFO", "at": time(15), "effective_from": date(2026, 11, 1)}
    for more in ({}, {"effective_from": date(2026, 11, 2), "effective_to": date(2026, 11, 1)}):
        with pytest.raises(IntegrityError), transaction.atomic():
            MisCutoff.objects.create(**{**fields, **more})
